//! What a process tells about itself: log lines on standard error, [metrics], and [traces](trace).

pub mod broker;
pub mod metrics;
pub mod trace;

use std::{
    io::{self, IsTerminal},
    time::Duration,
};

use opentelemetry::{KeyValue, global};
use opentelemetry_sdk::{Resource, metrics::SdkMeterProvider, trace::SdkTracerProvider};
use opentelemetry_semantic_conventions::{
    SCHEMA_URL,
    resource::{SERVICE_INSTANCE_ID, SERVICE_NAME, SERVICE_VERSION},
};
use tracing_subscriber::{EnvFilter, Layer, layer::SubscriberExt, util::SubscriberInitExt};

use crate::{
    amqp::UNLOGGED,
    clock::{IdGenerator, UuidV7Generator},
    config::{LogFormat, Settings},
};

/// How long the end of a process may wait for what it has recorded to be sent.
const FLUSH_TIMEOUT: Duration = Duration::from_secs(3);

/// Target of what the OpenTelemetry SDK says of itself. Unless somebody asks for it, its troubles
/// are enough.
const SDK: &str = "opentelemetry";

/// Why a process cannot tell.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The filter is none.
    #[error("log filter: {0}")]
    Filter(#[from] tracing_subscriber::filter::ParseError),
    /// Something else in the process receives the log already.
    #[error(transparent)]
    Taken(#[from] tracing_subscriber::util::TryInitError),
    /// What is recorded cannot be sent where the environment says.
    #[error(transparent)]
    Export(#[from] trace::Error),
}

/// Sends what was recorded and not yet sent, when it is dropped: on every way out of a process.
#[must_use = "what is recorded until this is dropped is sent"]
#[derive(Debug, Default)]
pub struct Telemetry {
    traces: Option<SdkTracerProvider>,
    metrics: Option<SdkMeterProvider>,
}

/// Sends log lines to standard error from now on, and spans and metrics where the standard
/// variables say, if they say so. This process is `service` to whoever receives them, unless
/// `OTEL_SERVICE_NAME` has another name for it. Must be called within a tokio runtime.
pub fn init(settings: &Settings, service: &str) -> Result<Telemetry, Error> {
    log_lines(settings.log_format, &settings.log_filter)?;
    let mut telemetry = Telemetry::default();
    let otel = settings.otel;
    if let Some(protocol) = otel.metrics {
        telemetry.metrics = Some(metrics::push(protocol, resource(service))?);
    }
    // The SDK counts what it drops, with the instruments of whoever is there first.
    global::set_meter_provider(metrics::provider());
    if let Some(protocol) = otel.traces {
        telemetry.traces = Some(trace::start(protocol, otel.is_parent_based, resource(service))?);
    }
    Ok(telemetry)
}

impl Drop for Telemetry {
    fn drop(&mut self) {
        // Whoever is not there to receive the rest was logged by the exporter.
        if let Some(traces) = &self.traces {
            let _ = traces.shutdown_with_timeout(FLUSH_TIMEOUT);
        }
        if let Some(metrics) = &self.metrics {
            let _ = metrics.shutdown_with_timeout(FLUSH_TIMEOUT);
        }
    }
}

/// What this process is called; `OTEL_SERVICE_NAME` and `OTEL_RESOURCE_ATTRIBUTES` win.
fn resource(service: &str) -> Resource {
    let ours = [
        KeyValue::new(SERVICE_NAME, service.to_owned()),
        KeyValue::new(SERVICE_VERSION, env!("CARGO_PKG_VERSION")),
        KeyValue::new(
            SERVICE_INSTANCE_ID,
            UuidV7Generator::default().next_id().to_string(),
        ),
    ];
    let said = Resource::builder().build();
    let said = said.iter().filter(|(name, value)| {
        // The SDK makes up a name where nobody says one.
        name.as_str() != SERVICE_NAME || !value.as_str().starts_with("unknown_service")
    });
    let said: Vec<_> = said
        .map(|(name, value)| KeyValue::new(name.clone(), value.clone()))
        .collect();
    Resource::builder_empty()
        .with_schema_url(ours, SCHEMA_URL)
        .with_attributes(said)
        .build()
}

fn log_lines(format: LogFormat, filter: &str) -> Result<(), Error> {
    let lines = tracing_subscriber::fmt::layer()
        .with_writer(io::stderr)
        .with_ansi(io::stderr().is_terminal());
    let lines = match format {
        LogFormat::Pretty => lines.boxed(),
        LogFormat::Json => lines.json().flatten_event(true).with_span_list(false).boxed(),
    };
    let mut lines_let_through = EnvFilter::try_new(filter)?.add_directive(UNLOGGED.parse()?);
    if !filter.contains(SDK) {
        lines_let_through = lines_let_through.add_directive(format!("{SDK}=warn").parse()?);
    }
    tracing_subscriber::registry()
        .with(lines_let_through)
        .with(lines)
        .try_init()?;
    Ok(())
}
