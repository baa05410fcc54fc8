//! One log line and one measurement a call, when it has ended, however it ended.

use std::{sync::Arc, time::Instant};

use tokio_util::task::task_tracker::TaskTrackerToken;
use tonic::Code;
use tracing::{Span, debug, error, error_span, info, warn};

use crate::telemetry::metrics::rpc::Calls;

/// Longest method that is logged, in bytes: a caller may ask for any path.
const MAX_METHOD_BYTES: usize = 128;

/// Paths of health and reflection. What probes ask every second is logged at debug level.
const PROBES: &str = "/grpc.";

/// A call under way. Dropping it writes the line: if it has not ended, its client has gone.
#[derive(Debug)]
pub(super) struct Record {
    /// At the highest level, so that even a terse log tells which call a line belongs to.
    span: Span,
    calls: Arc<Calls>,
    started: Instant,
    is_probe: bool,
    code: Code,
    _under_way: TaskTrackerToken,
}

impl Record {
    /// A call of the method at `path` that starts now, one of `calls`. `under_way` is held until it
    /// has ended.
    pub(super) fn start(
        path: &str,
        correlation_id: &str,
        calls: Arc<Calls>,
        under_way: TaskTrackerToken,
    ) -> Self {
        let method = &path[..path.floor_char_boundary(MAX_METHOD_BYTES)];
        Self {
            span: error_span!("call", method, correlation_id),
            calls,
            started: Instant::now(),
            is_probe: path.starts_with(PROBES),
            code: Code::Cancelled,
            _under_way: under_way,
        }
    }

    /// In which the call's own log lines stand.
    pub(super) fn span(&self) -> Span {
        self.span.clone()
    }

    /// The call ended with `code`.
    pub(super) fn end(mut self, code: Code) {
        self.code = code;
    }
}

impl Drop for Record {
    fn drop(&mut self) {
        let _in_span = self.span.enter();
        let (code, took) = (self.code, self.started.elapsed());
        self.calls.ended(code, took);
        let latency_us = u64::try_from(took.as_micros()).unwrap_or(u64::MAX);
        match code {
            Code::Internal | Code::Unknown | Code::DataLoss => error!(?code, latency_us, "call failed"),
            Code::Unavailable | Code::DeadlineExceeded => warn!(?code, latency_us, "call failed"),
            _ if self.is_probe => debug!(?code, latency_us, "call ended"),
            _ => info!(?code, latency_us, "call ended"),
        }
    }
}
