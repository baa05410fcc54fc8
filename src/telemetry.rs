//! What a process tells about itself: log lines on standard error, and [metrics].

pub mod broker;
pub mod metrics;

use std::io::{self, IsTerminal};

use tracing_subscriber::{EnvFilter, Layer, layer::SubscriberExt, util::SubscriberInitExt};

use crate::{amqp::UNLOGGED, config::LogFormat};

/// Why a process cannot tell.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The filter is none.
    #[error("log filter: {0}")]
    Filter(#[from] tracing_subscriber::filter::ParseError),
    /// Something else in the process receives the log already.
    #[error(transparent)]
    Taken(#[from] tracing_subscriber::util::TryInitError),
}

/// Sends log lines that `filter` lets through to standard error, from now on.
pub fn init(format: LogFormat, filter: &str) -> Result<(), Error> {
    let lines = tracing_subscriber::fmt::layer()
        .with_writer(io::stderr)
        .with_ansi(io::stderr().is_terminal());
    let lines = match format {
        LogFormat::Pretty => lines.boxed(),
        LogFormat::Json => lines.json().flatten_event(true).with_span_list(false).boxed(),
    };
    tracing_subscriber::registry()
        .with(EnvFilter::try_new(filter)?.add_directive(UNLOGGED.parse()?))
        .with(lines)
        .try_init()?;
    Ok(())
}
