//! The headers that travel beside an event.

/// CloudEvents attributes, in the binary mode of the AMQP binding.
pub(crate) const SPEC_VERSION: &str = "cloudEvents_specversion";
pub(crate) const ID: &str = "cloudEvents_id";
pub(crate) const TYPE: &str = "cloudEvents_type";
pub(crate) const SOURCE: &str = "cloudEvents_source";
/// Header that holds the id of the aggregate.
pub(crate) const SUBJECT: &str = "cloudEvents_subject";
pub(crate) const TIME: &str = "cloudEvents_time";

/// Header that holds the id of the message that led to this one.
pub const CAUSATION_ID: &str = "causation-id";

/// One header, as a reader needs to know it. Every one is text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Header {
    /// Its name.
    pub name: &'static str,
    /// Whether every event has it.
    pub required: bool,
    /// What it holds.
    pub meaning: &'static str,
}

/// Every header that an event may have.
pub const HEADERS: &[Header] = &[
    required(SPEC_VERSION, "Version of CloudEvents: 1.0."),
    required(
        ID,
        "Event id, a UUIDv7; the same in every delivery. Also the property message_id.",
    ),
    required(TYPE, "Full protobuf name of the event. Also the property type."),
    required(
        SOURCE,
        "Service that published it, for instance waybill.order. Also the property app_id.",
    ),
    required(SUBJECT, "Id of the aggregate that the event belongs to."),
    required(TIME, "When it happened, as RFC 3339 in UTC with milliseconds."),
    optional(CAUSATION_ID, "Id of the event that led to this one, if one did."),
    optional("traceparent", "W3C Trace Context: the span that published it."),
    optional("tracestate", "W3C Trace Context, passed on as it came."),
    optional("baggage", "W3C Baggage, passed on as it came."),
];

const fn required(name: &'static str, meaning: &'static str) -> Header {
    Header {
        name,
        required: true,
        meaning,
    }
}

const fn optional(name: &'static str, meaning: &'static str) -> Header {
    Header {
        name,
        required: false,
        meaning,
    }
}
