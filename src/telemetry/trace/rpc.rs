//! The span of a call at the server.

use std::time::Duration;

use opentelemetry::{
    KeyValue,
    trace::{SpanBuilder, SpanContext, SpanKind},
};
use opentelemetry_semantic_conventions::attribute::{RPC_METHOD, RPC_RESPONSE_STATUS_CODE, RPC_SYSTEM_NAME};

use super::{Flow, Span, is_on};
use crate::context::Context;

/// A call under way.
#[derive(Debug)]
pub(crate) struct ServerCall {
    method: String,
    parent: SpanContext,
    flow: Flow,
    span: Span,
}

impl ServerCall {
    /// A call of `method`, full name without a slash before it, if anything records spans. From here
    /// on `context` names its span instead of its caller's.
    pub(crate) fn start(method: &str, context: &mut Context) -> Option<Self> {
        if !is_on() {
            return None;
        }
        let parent = context.trace.span_context();
        let flow = Flow::of_call(&context.correlation_id);
        let span = Span::start(&parent, || Some(flow.clone()), || describe(method));
        context.trace = context.trace.naming(&span.span_context());
        Some(Self {
            method: method.to_owned(),
            parent,
            flow,
            span,
        })
    }

    /// Its span; there is none when nothing is recorded.
    pub(crate) fn span(&self) -> &Span {
        &self.span
    }

    /// It ended with `code` after `took`, which is the server's fault if there is an `error_type`. A
    /// call that failed so is told even if it was not recorded.
    pub(crate) fn ended(&mut self, code: &'static str, error_type: Option<&'static str>, took: Duration) {
        if let Some(error_type) = error_type
            && !self.span.is_recording()
        {
            self.span = Span::of_failure(&self.parent, self.flow.clone(), error_type, || {
                describe(&self.method).with_start_time(opentelemetry::time::now() - took)
            });
        }
        if self.span.is_recording() {
            self.span.set(KeyValue::new(RPC_RESPONSE_STATUS_CODE, code));
            self.flow
                .attributes()
                .into_iter()
                .for_each(|found| self.span.set(found));
        }
        std::mem::take(&mut self.span).end(error_type);
    }
}

fn describe(method: &str) -> SpanBuilder {
    SpanBuilder::from_name(method.to_owned())
        .with_kind(SpanKind::Server)
        .with_attributes([
            KeyValue::new(RPC_SYSTEM_NAME, "grpc"),
            KeyValue::new(RPC_METHOD, method.to_owned()),
        ])
}
