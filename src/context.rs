//! What travels with a business transaction from the first call to the last effect.
//!
//! It is passed on explicitly: from call metadata into the event, from the event's headers into
//! whatever its handler does.

use uuid::Uuid;

/// Longest correlation id that is taken from a caller, in bytes. A UUID needs 36; twice a W3C trace
/// id and some prefix fit, a header that fills a message does not.
pub const MAX_CORRELATION_ID_BYTES: usize = 128;

/// Longest `tracestate` or `baggage` that is passed on, in bytes: the floor that W3C Trace Context
/// and W3C Baggage ask implementations to carry is 512 and 8192; longer ones are dropped whole.
pub const MAX_BAGGAGE_BYTES: usize = 8192;

/// Correlation, causation and trace context of one step.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Context {
    /// Id of the business transaction, the same in everything that follows from one call.
    pub correlation_id: String,
    /// Id of the message that led to this step; `None` for a call from outside.
    pub causation_id: Option<Uuid>,
    /// Where the step stands in its trace.
    pub trace: TraceContext,
}

impl Context {
    /// A context with a correlation id and nothing else.
    pub fn new(correlation_id: impl Into<String>) -> Self {
        Self {
            correlation_id: correlation_id.into(),
            ..Self::default()
        }
    }
}

/// The W3C Trace Context and Baggage headers, carried as they came.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TraceContext {
    /// `traceparent`.
    pub traceparent: Option<String>,
    /// `tracestate`.
    pub tracestate: Option<String>,
    /// `baggage`.
    pub baggage: Option<String>,
}

impl TraceContext {
    /// Reads the three headers with `get`, leaving out what is malformed or too long.
    pub fn from_headers<'a>(get: impl Fn(&str) -> Option<&'a str>) -> Self {
        let bounded = |name| {
            get(name)
                .filter(|value: &&str| value.len() <= MAX_BAGGAGE_BYTES)
                .map(str::to_owned)
        };
        Self {
            traceparent: get("traceparent")
                .filter(|value| is_traceparent(value))
                .map(str::to_owned),
            tracestate: bounded("tracestate"),
            baggage: bounded("baggage"),
        }
    }

    /// The id of the trace, 32 hexadecimal digits, if there is one.
    pub fn trace_id(&self) -> Option<&str> {
        self.traceparent.as_deref()?.get(3..35)
    }

    /// The headers that are set, by name.
    pub fn headers(&self) -> impl Iterator<Item = (&'static str, &str)> {
        [
            ("traceparent", &self.traceparent),
            ("tracestate", &self.tracestate),
            ("baggage", &self.baggage),
        ]
        .into_iter()
        .filter_map(|(name, value)| Some((name, value.as_deref()?)))
    }
}

/// Whether `value` has the shape of a version 00 `traceparent`: `00-{32 hex}-{16 hex}-{2 hex}`.
fn is_traceparent(value: &str) -> bool {
    let mut parts = value.split('-').map(str::as_bytes);
    let mut hex = |length: usize| {
        parts.next().is_some_and(|part| {
            part.len() == length && part.iter().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'))
        })
    };
    value.starts_with("00-") && hex(2) && hex(32) && hex(16) && hex(2) && parts.next().is_none()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_malformed_traceparent_is_left_out() {
        let good = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
        let read = |value: &'static str| {
            TraceContext::from_headers(move |name| (name == "traceparent").then_some(value))
        };
        assert_eq!(read(good).traceparent.as_deref(), Some(good));
        for bad in [
            "",
            "00",
            "00-xyz-b7ad6b7169203331-01",
            "ff-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
        ] {
            assert_eq!(read(bad), TraceContext::default(), "{bad}");
        }
    }

    #[test]
    fn a_baggage_that_is_too_long_is_left_out() {
        let long = "a".repeat(MAX_BAGGAGE_BYTES + 1);
        let context = TraceContext::from_headers(|name| (name == "baggage").then_some(long.as_str()));
        assert_eq!(context.baggage, None);
    }
}
