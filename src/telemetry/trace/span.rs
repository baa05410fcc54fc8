//! One step of a trace while it is under way.

use std::future::Future;

use opentelemetry::{
    Context, KeyValue,
    context::FutureExt,
    trace::{SpanBuilder, SpanContext, Status, TraceContextExt, Tracer},
};
use opentelemetry_semantic_conventions::attribute::ERROR_TYPE;

use super::{Flow, TRACING};

/// A span, or nothing where none is wanted. It ends when it is dropped.
#[derive(Debug, Default)]
pub struct Span(Option<Context>);

impl Span {
    /// Starts what `describe` says, below `parent`; at the beginning of a trace when that is not
    /// valid. `flow` is whose step it is, if that is known. Neither is asked when nothing would record
    /// it.
    pub(crate) fn start(
        parent: &SpanContext,
        flow: impl FnOnce() -> Option<Flow>,
        describe: impl FnOnce() -> SpanBuilder,
    ) -> Self {
        let is_skipped = |is_parent_based| is_parent_based && parent.is_valid() && !parent.is_sampled();
        match TRACING.get() {
            Some(tracing) if !is_skipped(tracing.is_parent_based) => {
                Self::described(parent, flow(), describe())
            }
            _ => Self(None),
        }
    }

    /// Starts what `describe` says below the step that the current task is in, if that is recorded.
    pub fn below_current(describe: impl FnOnce() -> SpanBuilder) -> Self {
        Self::below(&Context::current(), describe)
    }

    /// Starts what `describe` says below the step that `context` is in, if that is recorded.
    pub fn below(context: &Context, describe: impl FnOnce() -> SpanBuilder) -> Self {
        let parent = context.span().span_context().clone();
        if parent.is_sampled() {
            Self::start(&parent, || context.get::<Flow>().cloned(), describe)
        } else {
            Self(None)
        }
    }

    /// A span that `describe` tells afterwards, because it failed and nobody had thought it worth
    /// recording. It is kept whether or not its trace is.
    pub(crate) fn of_failure(
        parent: &SpanContext,
        flow: Flow,
        error_type: &'static str,
        describe: impl FnOnce() -> SpanBuilder,
    ) -> Self {
        if TRACING.get().is_none() {
            return Self(None);
        }
        let mut builder = describe();
        let attributes = builder.attributes.get_or_insert_default();
        attributes.push(KeyValue::new(ERROR_TYPE, error_type));
        let span = Self::described(parent, Some(flow), builder);
        span.set_error();
        span
    }

    fn described(parent: &SpanContext, flow: Option<Flow>, mut builder: SpanBuilder) -> Self {
        let Some(tracing) = TRACING.get() else {
            return Self(None);
        };
        if let Some(flow) = &flow {
            flow.add_to(builder.attributes.get_or_insert_default());
        }
        // To a sampler a parent that is not valid is one that is not sampled, and no beginning.
        let parent = if parent.is_valid() {
            Context::new().with_remote_span_context(parent.clone())
        } else {
            Context::new()
        };
        let span = tracing.tracer.build_with_context(builder, &parent);
        let context = Context::new().with_span(span);
        Self(Some(match flow {
            Some(flow) => context.with_value(flow),
            None => context,
        }))
    }

    /// What others know it by; not valid where there is nothing.
    pub fn span_context(&self) -> SpanContext {
        let context = self.0.as_ref();
        context.map_or(SpanContext::NONE, |context| context.span().span_context().clone())
    }

    /// Whether it will be told.
    pub fn is_recording(&self) -> bool {
        self.0
            .as_ref()
            .is_some_and(|context| context.span().is_recording())
    }

    /// The context in which it is the current step, for work that is done as a part of it.
    pub(crate) fn context(&self) -> Context {
        self.0.clone().unwrap_or_default()
    }

    /// Does `work` as a part of it.
    pub async fn within<T>(&self, work: impl Future<Output = T>) -> T {
        match &self.0 {
            Some(context) => work.with_context(context.clone()).await,
            None => work.await,
        }
    }

    /// Says more about it.
    pub fn set(&self, attribute: KeyValue) {
        if let Some(context) = &self.0 {
            context.span().set_attribute(attribute);
        }
    }

    /// It failed, for the cause `error_type`.
    pub fn fail(&self, error_type: &'static str) {
        if self.is_recording() {
            self.set(KeyValue::new(ERROR_TYPE, error_type));
            self.set_error();
        }
    }

    /// It ended: well, or for the cause that `error_type` names.
    pub fn end(self, error_type: Option<&'static str>) {
        if let Some(error_type) = error_type {
            self.fail(error_type);
        }
    }

    /// No text goes with it: `error.type` says what happened, and a text could hold anything.
    fn set_error(&self) {
        if let Some(context) = &self.0 {
            context.span().set_status(Status::error(""));
        }
    }
}

impl Drop for Span {
    fn drop(&mut self) {
        // Whoever still holds the context, as work that was cut off, does not keep it from ending.
        if let Some(context) = &self.0 {
            context.span().end();
        }
    }
}
