//! Traces: what one order sets off, step by step, across processes.
//!
//! Names, kinds, attributes and links follow the OpenTelemetry semantic conventions in the version
//! that [`SCHEMA_URL`](opentelemetry_semantic_conventions::SCHEMA_URL) names, those for RPC, for
//! messaging with RabbitMQ and for databases.
//!
//! Nothing is recorded until [`start`] was called, and then only what is sampled: a trace from its
//! beginning, by the sampler that `OTEL_TRACES_SAMPLER` names, and whatever fails, whichever trace it
//! belongs to (see [`sampler`]). Where nothing is recorded nothing is allocated.
//!
//! Beside its span, a step carries a [`Flow`]: whose order it is about. Every span below has it too.

pub(crate) mod database;
mod export;
mod flow;
pub(crate) mod messaging;
mod propagation;
pub(crate) mod rpc;
mod sampler;
mod span;

use std::sync::OnceLock;

use opentelemetry::{InstrumentationScope, trace::TracerProvider};
use opentelemetry_sdk::{
    Resource,
    trace::{Config, SdkTracer, SdkTracerProvider, SpanLimits, TracerProviderBuilder},
};
use opentelemetry_semantic_conventions::SCHEMA_URL;

pub(super) use self::export::metrics as metrics_exporter;
pub(crate) use self::flow::stored;
use self::sampler::KeepFailures;
pub use self::{
    export::Error,
    flow::{Flow, about, writing},
    messaging::processing,
    span::Span,
};
use crate::config::{MAX_PREFETCH, Protocol};

/// Makes spans, once it has been started.
struct Tracing {
    tracer: SdkTracer,
    /// Whether what follows from an unsampled step is never sampled, so that nobody need ask.
    is_parent_based: bool,
}

static TRACING: OnceLock<Tracing> = OnceLock::new();

/// Whether anything records spans.
fn is_on() -> bool {
    TRACING.get().is_some()
}

/// Records spans from now on and sends them by `protocol`, with what else the standard variables say.
/// Must be called within a tokio runtime, which also sends them.
pub(super) fn start(
    protocol: Protocol,
    is_parent_based: bool,
    resource: Resource,
) -> Result<SdkTracerProvider, Error> {
    let builder = SdkTracerProvider::builder()
        .with_resource(resource)
        .with_batch_exporter(export::spans(protocol)?);
    Ok(record(builder, is_parent_based))
}

/// Records spans from now on with what `builder` says of where they go. Later calls change nothing
/// that records.
fn record(builder: TracerProviderBuilder, is_parent_based: bool) -> SdkTracerProvider {
    let environments = Config::default();
    let provider = builder
        .with_span_limits(limits(environments.span_limits))
        .with_sampler(KeepFailures::over(environments.sampler))
        .build();
    let scope = InstrumentationScope::builder("waybill")
        .with_version(env!("CARGO_PKG_VERSION"))
        .with_schema_url(SCHEMA_URL)
        .build();
    TRACING.get_or_init(|| Tracing {
        tracer: provider.tracer_with_scope(scope),
        is_parent_based,
    });
    provider
}

/// A batch's span links every message in it, so unless the environment says otherwise there is room
/// for as many as a consumer may hold.
fn limits(environments: SpanLimits) -> SpanLimits {
    let mut limits = environments;
    if limits.max_links_per_span == SpanLimits::default().max_links_per_span {
        limits.max_links_per_span = MAX_PREFETCH.into();
    }
    limits
}
