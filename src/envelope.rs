//! An event with everything that travels beside it, and how that becomes message headers.
//!
//! The body is the event's protobuf bytes and nothing else. Ids and types stand in AMQP properties,
//! and once more as CloudEvents 1.0 attributes in the binary mode of its AMQP binding (prefix
//! `cloudEvents_`, which also JMS clients can read).

mod headers;

use std::time::SystemTime;

use bytes::Bytes;
use jiff::Timestamp;
use uuid::Uuid;

pub(crate) use self::headers::SUBJECT;
pub use self::headers::{CAUSATION_ID, HEADERS, Header};
use self::headers::{ID, SOURCE, SPEC_VERSION, TIME, TYPE};
use crate::{
    context::{Context, TraceContext},
    contract::Event,
    failure::Failure,
    message::{HeaderValue, Headers, Message, Properties},
    source::{self, Source},
};

/// MIME type of every event body.
pub const CONTENT_TYPE: &str = "application/protobuf";

/// Version of the CloudEvents specification whose attributes are used.
pub const CLOUDEVENTS_VERSION: &str = "1.0";

/// Why a message is no event. Every one of these is permanent.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// A property or header that every event carries is not there.
    #[error("{0} is missing")]
    Missing(&'static str),
    /// A property or header does not hold what it must.
    #[error("{name} must be {expected}")]
    Invalid {
        /// Name of the property or header.
        name: &'static str,
        /// What it takes.
        expected: &'static str,
    },
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Self::permanent("INVALID_ENVELOPE", error.to_string())
    }
}

/// One event on its way.
#[derive(Debug, Clone, PartialEq)]
pub struct Envelope {
    /// Event id, a UUIDv7. A redelivered, retried or replayed event keeps it.
    pub id: Uuid,
    /// Full protobuf name of the event.
    pub type_name: String,
    /// Routing key under which it is published.
    pub routing_key: String,
    /// Service that publishes it, for instance `waybill.order`.
    pub source: String,
    /// Id of the aggregate that it belongs to.
    pub subject: String,
    /// When it happened, with millisecond precision.
    pub time: SystemTime,
    /// Correlation, causation and trace.
    pub context: Context,
    /// The event, encoded.
    pub body: Bytes,
}

impl Envelope {
    /// Wraps an event that happened at `time` in the service `S`, which must list it among what it
    /// [publishes](Source::PUBLISHES): if it does not, the build fails.
    pub fn published_by<S: Source, E: Event>(
        id: Uuid,
        time: SystemTime,
        context: &Context,
        event: &E,
    ) -> Self {
        const {
            assert!(
                source::lists::<E>(S::PUBLISHES),
                "this source publishes no such event: list it in its Source::PUBLISHES"
            );
        }
        Self::new(id, time, S::NAME, context, event)
    }

    /// Wraps an event that happened at `time` in `source`, which may be a stranger to the contracts.
    /// A service's own events are [`published_by`](Self::published_by) it.
    pub fn new<E: Event>(id: Uuid, time: SystemTime, source: &str, context: &Context, event: &E) -> Self {
        Self {
            id,
            type_name: E::TYPE.to_owned(),
            routing_key: E::ROUTING_KEY.to_owned(),
            source: source.to_owned(),
            subject: event.aggregate_id().to_owned(),
            time,
            context: context.clone(),
            body: event.encode_to_vec().into(),
        }
    }

    /// The context of whatever is done because of this event: same correlation and trace, caused by it.
    pub fn caused(&self) -> Context {
        Context {
            causation_id: Some(self.id),
            ..self.context.clone()
        }
    }

    /// The event in the body, which must be of type `E`.
    pub fn decode<E: Event>(&self) -> Result<E, Failure> {
        if self.type_name != E::TYPE {
            return Err(self.unknown_type());
        }
        E::decode(self.body.clone())
            .map_err(|error| Failure::permanent("INVALID_BODY", format!("body is no {}: {error}", E::TYPE)))
    }

    /// The failure of a handler that has no use for this type of event.
    pub fn unknown_type(&self) -> Failure {
        Failure::permanent("UNKNOWN_TYPE", format!("no handler for type {}", self.type_name))
    }

    /// The message that carries the event.
    pub fn into_message(self) -> Message {
        let time = Timestamp::try_from(self.time).unwrap_or_default();
        let mut headers = Headers::from([
            (SPEC_VERSION.to_owned(), CLOUDEVENTS_VERSION.into()),
            (ID.to_owned(), self.id.to_string().into()),
            (TYPE.to_owned(), self.type_name.as_str().into()),
            (SOURCE.to_owned(), self.source.as_str().into()),
            (SUBJECT.to_owned(), self.subject.into()),
            (TIME.to_owned(), format!("{time:.3}").into()),
        ]);
        if let Some(causation) = self.context.causation_id {
            headers.insert(CAUSATION_ID.to_owned(), causation.to_string().into());
        }
        for (name, value) in self.context.trace.headers() {
            headers.insert(name.to_owned(), HeaderValue::from(value));
        }
        Message {
            routing_key: self.routing_key,
            properties: Properties {
                content_type: Some(CONTENT_TYPE.to_owned()),
                message_id: Some(self.id.to_string()),
                type_name: Some(self.type_name),
                correlation_id: Some(self.context.correlation_id),
                app_id: Some(self.source),
                timestamp: u64::try_from(time.as_second()).ok(),
                ..Properties::default()
            },
            headers,
            body: self.body,
        }
    }

    /// Reads the event that a message carries. The body is not looked at.
    pub fn from_message(message: &Message) -> Result<Self, Error> {
        let properties = &message.properties;
        let header = |name| message.header(name).ok_or(Error::Missing(name));
        if required(properties.content_type.as_deref(), "content_type")? != CONTENT_TYPE {
            return Err(invalid("content_type", "application/protobuf"));
        }
        if header(SPEC_VERSION)? != CLOUDEVENTS_VERSION {
            return Err(invalid(SPEC_VERSION, "1.0"));
        }
        let id = uuid(
            required(properties.message_id.as_deref(), "message_id")?,
            "message_id",
        )?;
        let type_name = required(properties.type_name.as_deref(), "type")?;
        if header(TYPE)? != type_name {
            return Err(invalid(TYPE, "the same as type"));
        }
        if uuid(header(ID)?, ID)? != id {
            return Err(invalid(ID, "the same as message_id"));
        }
        let time: Timestamp = header(TIME)?
            .parse()
            .map_err(|_| invalid(TIME, "an RFC 3339 time"))?;
        Ok(Self {
            id,
            type_name: type_name.to_owned(),
            routing_key: message.routing_key.clone(),
            source: header(SOURCE)?.to_owned(),
            subject: header(SUBJECT)?.to_owned(),
            time: time.into(),
            context: Context {
                correlation_id: required(properties.correlation_id.as_deref(), "correlation_id")?.to_owned(),
                causation_id: message
                    .header(CAUSATION_ID)
                    .map(|text| uuid(text, CAUSATION_ID))
                    .transpose()?,
                trace: TraceContext::from_headers(|name| message.header(name)),
            },
            body: message.body.clone(),
        })
    }
}

fn required<'a>(value: Option<&'a str>, name: &'static str) -> Result<&'a str, Error> {
    value.filter(|text| !text.is_empty()).ok_or(Error::Missing(name))
}

fn invalid(name: &'static str, expected: &'static str) -> Error {
    Error::Invalid { name, expected }
}

fn uuid(text: &str, name: &'static str) -> Result<Uuid, Error> {
    Uuid::try_parse(text).map_err(|_| invalid(name, "a UUID"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{clock::from_unix_millis, contract::order::v1::OrderCreated};

    fn envelope() -> Envelope {
        let event = OrderCreated {
            order_id: "o-1".into(),
            version: 1,
            ..OrderCreated::default()
        };
        let context = Context {
            correlation_id: "c-1".into(),
            causation_id: Some(Uuid::from_u128(7)),
            trace: TraceContext {
                traceparent: Some("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01".into()),
                tracestate: Some("a=b".into()),
                baggage: Some("k=v".into()),
            },
        };
        let time = from_unix_millis(1_700_000_000_123);
        Envelope::new(Uuid::from_u128(1), time, "waybill.order", &context, &event)
    }

    #[test]
    fn a_message_gives_back_the_envelope_it_was_made_of() {
        let message = envelope().into_message();
        assert_eq!(message.header(TIME), Some("2023-11-14T22:13:20.123Z"));
        assert_eq!(Envelope::from_message(&message), Ok(envelope()));
    }

    #[test]
    fn a_message_has_the_headers_that_readers_are_told_of_and_no_others() {
        let message = envelope().into_message();
        let mut told: Vec<_> = HEADERS.iter().map(|header| header.name).collect();
        told.sort_unstable();
        assert_eq!(message.headers.keys().collect::<Vec<_>>(), told);
    }

    #[test]
    fn every_attribute_that_is_missing_is_named() {
        for name in HEADERS
            .iter()
            .filter(|header| header.required)
            .map(|header| header.name)
        {
            let mut message = envelope().into_message();
            message.headers.remove(name);
            assert_eq!(Envelope::from_message(&message), Err(Error::Missing(name)));
        }
        let mut message = envelope().into_message();
        message.properties.message_id = None;
        assert_eq!(
            Envelope::from_message(&message),
            Err(Error::Missing("message_id"))
        );
        message.properties = Properties::default();
        assert_eq!(
            Envelope::from_message(&message),
            Err(Error::Missing("content_type"))
        );
    }

    #[test]
    fn a_body_of_another_type_or_no_protobuf_is_a_permanent_failure() {
        let mut wrong = envelope();
        wrong.body = Bytes::from_static(b"\xff\xff");
        assert_eq!(wrong.decode::<OrderCreated>().unwrap_err().reason, "INVALID_BODY");
        wrong.type_name = "some.Other".into();
        assert_eq!(wrong.decode::<OrderCreated>().unwrap_err().reason, "UNKNOWN_TYPE");
    }
}
