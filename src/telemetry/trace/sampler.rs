//! Keeps what fails, whatever the ratio of traces that are kept.
//!
//! A sampler decides when a span starts, and nobody knows then how it will end. So what fails in a
//! trace that is not sampled becomes a span afterwards, which starts with its failure; and such a span
//! is always kept. Retries of a message link to the failed attempt, and are kept for that.

use opentelemetry::{
    Context, KeyValue,
    trace::{Link, SpanKind, TraceContextExt, TraceId, TraceState},
};
use opentelemetry_sdk::trace::{SamplingDecision, SamplingResult, ShouldSample};
use opentelemetry_semantic_conventions::attribute::ERROR_TYPE;

/// Another sampler, and what is kept although that one would not.
#[derive(Debug, Clone)]
pub(super) struct KeepFailures {
    others: Box<dyn ShouldSample>,
}

impl KeepFailures {
    /// Lets `others` decide about whatever has not failed.
    pub(super) fn over(others: Box<dyn ShouldSample>) -> Self {
        Self { others }
    }
}

impl ShouldSample for KeepFailures {
    fn should_sample(
        &self,
        parent: Option<&Context>,
        trace_id: TraceId,
        name: &str,
        kind: &SpanKind,
        attributes: &[KeyValue],
        links: &[Link],
    ) -> SamplingResult {
        let has_failed = attributes.iter().any(|a| a.key.as_str() == ERROR_TYPE);
        // A batch that holds a sampled message, an attempt after a failed one.
        let follows_sampled = links.iter().any(|link| link.span_context.is_sampled());
        if !has_failed && !follows_sampled {
            return self
                .others
                .should_sample(parent, trace_id, name, kind, attributes, links);
        }
        let trace_state = parent.map_or(TraceState::NONE, |parent| {
            parent.span().span_context().trace_state().clone()
        });
        SamplingResult {
            decision: SamplingDecision::RecordAndSample,
            attributes: Vec::new(),
            trace_state,
        }
    }
}
