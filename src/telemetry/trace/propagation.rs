//! A span's identity as the W3C headers that cross processes, and back.

use opentelemetry::{
    Context,
    propagation::{Extractor, Injector, TextMapPropagator},
    trace::{SpanContext, TraceContextExt},
};
use opentelemetry_sdk::propagation::TraceContextPropagator;

use crate::context::TraceContext;

impl TraceContext {
    /// The span that these headers name; not valid when they name none.
    pub fn span_context(&self) -> SpanContext {
        span_context(self.traceparent.as_deref(), self.tracestate.as_deref())
    }

    /// These headers, naming `span` instead. Baggage goes on as it came.
    #[must_use]
    pub(crate) fn naming(&self, span: &SpanContext) -> Self {
        if !span.is_valid() {
            return self.clone();
        }
        let mut named = Self {
            traceparent: None,
            tracestate: None,
            baggage: self.baggage.clone(),
        };
        let context = Context::new().with_remote_span_context(span.clone());
        TraceContextPropagator::new().inject_context(&context, &mut Named(&mut named));
        named
    }
}

/// The span that headers with these values name; not valid when they name none.
pub(super) fn span_context(traceparent: Option<&str>, tracestate: Option<&str>) -> SpanContext {
    if traceparent.is_none() {
        return SpanContext::NONE;
    }
    let headers = Headers {
        traceparent,
        tracestate,
    };
    let context = TraceContextPropagator::new().extract_with_context(&Context::new(), &headers);
    context.span().span_context().clone()
}

struct Headers<'a> {
    traceparent: Option<&'a str>,
    tracestate: Option<&'a str>,
}

impl Extractor for Headers<'_> {
    fn get(&self, name: &str) -> Option<&str> {
        match name {
            "traceparent" => self.traceparent,
            "tracestate" => self.tracestate,
            _ => None,
        }
    }

    fn keys(&self) -> Vec<&str> {
        vec!["traceparent", "tracestate"]
    }
}

struct Named<'a>(&'a mut TraceContext);

impl Injector for Named<'_> {
    fn set(&mut self, name: &str, value: String) {
        let field = match name {
            "traceparent" => &mut self.0.traceparent,
            "tracestate" if !value.is_empty() => &mut self.0.tracestate,
            _ => return,
        };
        *field = Some(value);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headers_name_a_span_and_a_span_is_named_by_headers() {
        let headers = TraceContext {
            traceparent: Some("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01".to_owned()),
            tracestate: Some("vendor=1".to_owned()),
            baggage: Some("k=v".to_owned()),
        };
        let span = headers.span_context();
        assert!(span.is_valid() && span.is_sampled() && span.is_remote());
        assert_eq!(headers.naming(&span), headers);
        assert_eq!(headers.naming(&SpanContext::NONE), headers);
        assert!(!TraceContext::default().span_context().is_valid());
    }
}
