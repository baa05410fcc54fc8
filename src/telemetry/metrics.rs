//! What a process counts and measures, for Prometheus to fetch.
//!
//! Names, units and attributes are those of the OpenTelemetry semantic conventions, version
//! [`CONVENTIONS`], wherever these have one; ours start with `waybill.`. Prometheus sees dots as
//! underscores, the unit behind the name, and `_total` behind what only grows.
//!
//! Attributes have few values: names of methods, event types, queues and causes that this software
//! knows. Whatever else comes from outside counts as [`OTHER`]. No attribute holds an id.
//!
//! What can be told beforehand is there from the start, at zero, so that a rate shows its first change.
//!
//! Whoever asks for [OpenMetrics](open_metrics) instead of the [classic text](text) also gets exemplars:
//! with a bucket of a duration comes the trace of a call or message that took so long.
//!
//! Like the log, metrics belong to the process: whoever records needs nothing handed to it.
//! Instruments are bound to their attributes beforehand wherever messages or calls pass, so that
//! recording looks nothing up and allocates nothing.

pub(crate) mod broker;
pub(crate) mod consumer;
pub(crate) mod database;
pub(crate) mod event;
pub(crate) mod exemplars;
mod openmetrics;
pub(crate) mod process;
pub(crate) mod readiness;
pub(crate) mod rpc;

use std::sync::{LazyLock, OnceLock};

use opentelemetry::metrics::{Counter, Histogram, Meter, MeterProvider};
use opentelemetry_otlp::MetricExporter;
use opentelemetry_sdk::{
    Resource,
    metrics::{PeriodicReader, SdkMeterProvider},
};
use prometheus::{Registry, TextEncoder};

use self::exemplars::TracedHistogram;
use super::trace;
use crate::config::Protocol;

/// Version of the semantic conventions that names follow.
pub const CONVENTIONS: &str = "1.42.0";

/// MIME type of [`text`].
pub const CONTENT_TYPE: &str = prometheus::TEXT_FORMAT;

/// MIME type of [`open_metrics`].
pub const OPEN_METRICS_CONTENT_TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// Stands for every value of an attribute that this software does not know.
pub const OTHER: &str = "_OTHER";

/// Bounds of durations, in seconds: those that the conventions advise, and two below, because much
/// here takes a millisecond.
const DURATION_BOUNDS_S: &[f64] = &[
    0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1.0, 2.5, 5.0, 7.5, 10.0,
];

struct Exposition {
    registry: Registry,
    provider: SdkMeterProvider,
}

static EXPOSITION: LazyLock<Exposition> = LazyLock::new(|| {
    let registry = Registry::new();
    let reader = opentelemetry_prometheus::exporter()
        .with_registry(registry.clone())
        .scope_info_enabled(false)
        .without_target_info()
        .build()
        .expect("a new registry takes its first collector");
    let builder = SdkMeterProvider::builder().with_reader(reader);
    let provider = match PUSHED.get() {
        Some((pushing, resource)) => builder
            .with_resource(resource.clone())
            .with_reader(pushing.clone()),
        None => builder.with_resource(Resource::builder_empty().build()),
    }
    .build();
    Exposition { registry, provider }
});

/// What sends metrics by itself, if something does, and who it says it is.
static PUSHED: OnceLock<(PeriodicReader<MetricExporter>, Resource)> = OnceLock::new();

/// Sends metrics by OTLP too, every minute unless `OTEL_METRIC_EXPORT_INTERVAL` says otherwise. It
/// must be called before anything is measured.
pub(super) fn push(protocol: Protocol, resource: Resource) -> Result<SdkMeterProvider, trace::Error> {
    let reader = PeriodicReader::builder(trace::metrics_exporter(protocol)?).build();
    PUSHED.get_or_init(|| (reader, resource));
    Ok(provider())
}

/// Makes meters, also for libraries.
pub(super) fn provider() -> SdkMeterProvider {
    EXPOSITION.provider.clone()
}

/// Makes instruments. Two of the same name are one.
pub fn meter() -> Meter {
    EXPOSITION.provider.meter("waybill")
}

/// Everything that was recorded since the process began, in the text format of Prometheus.
pub fn text() -> Result<String, prometheus::Error> {
    TextEncoder::new().encode_to_string(&EXPOSITION.registry.gather())
}

/// The same as OpenMetrics text, and exemplars with it.
pub fn open_metrics() -> Result<String, prometheus::Error> {
    let exemplars = exemplars::newest();
    openmetrics::text(&EXPOSITION.registry.gather(), &exemplars)
}

fn counter(name: &'static str, unit: &'static str, description: &'static str) -> Counter<u64> {
    meter()
        .u64_counter(name)
        .with_unit(unit)
        .with_description(description)
        .build()
}

fn duration(name: &'static str, description: &'static str) -> Histogram<f64> {
    meter()
        .f64_histogram(name)
        .with_unit("s")
        .with_description(description)
        .with_boundaries(DURATION_BOUNDS_S.to_vec())
        .build()
}

/// As [`duration`], with exemplars.
fn traced_duration(name: &'static str, description: &'static str) -> TracedHistogram {
    TracedHistogram::new(&meter(), name, "s", description, DURATION_BOUNDS_S)
}
