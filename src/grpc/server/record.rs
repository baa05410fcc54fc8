//! One log line, one measurement and one span a call, when it has ended, however it ended.

use std::{sync::Arc, time::Instant};

use opentelemetry::trace::SpanContext;
use tokio_util::task::task_tracker::TaskTrackerToken;
use tonic::Code;
use tracing::{Span, debug, error, error_span, field::Empty, info, warn};

use crate::{
    context::Context,
    telemetry::{
        metrics::rpc::{Calls, code_name, error_type},
        trace::rpc::ServerCall,
    },
};

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
    /// What is traced of it. Probes are not: they would be most of all traces.
    traced: Option<ServerCall>,
    started: Instant,
    is_probe: bool,
    code: Code,
    _under_way: TaskTrackerToken,
}

impl Record {
    /// A call of the method at `path` that starts now, one of `calls`. What follows from it follows
    /// in its `context`. `under_way` is held until it has ended.
    pub(super) fn start(
        path: &str,
        context: &mut Context,
        calls: Arc<Calls>,
        under_way: TaskTrackerToken,
    ) -> Self {
        let method = &path[..path.floor_char_boundary(MAX_METHOD_BYTES)];
        let is_probe = path.starts_with(PROBES);
        let traced = if is_probe {
            None
        } else {
            ServerCall::start(calls.method(), context)
        };
        let correlation_id = &context.correlation_id;
        let trace_id = context.trace.trace_id();
        Self {
            span: error_span!(
                "call",
                method,
                correlation_id,
                trace_id,
                message_id = Empty,
                order_id = Empty,
                user_id = Empty
            ),
            calls,
            traced,
            started: Instant::now(),
            is_probe,
            code: Code::Cancelled,
            _under_way: under_way,
        }
    }

    /// In which the call's own log lines stand.
    pub(super) fn span(&self) -> Span {
        self.span.clone()
    }

    /// Does the call's work as a part of its span.
    pub(super) async fn within<T>(&self, work: impl Future<Output = T>) -> T {
        match &self.traced {
            Some(call) => call.span().within(work).await,
            None => work.await,
        }
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
        let traced = self.traced.as_ref().map(|call| call.span().span_context());
        self.calls.ended(code, took, &traced.unwrap_or(SpanContext::NONE));
        if let Some(call) = &mut self.traced {
            call.ended(code_name(code), error_type(code), took);
        }
        let latency_us = u64::try_from(took.as_micros()).unwrap_or(u64::MAX);
        match code {
            Code::Internal | Code::Unknown | Code::DataLoss => error!(?code, latency_us, "call failed"),
            Code::Unavailable | Code::DeadlineExceeded => warn!(?code, latency_us, "call failed"),
            _ if self.is_probe => debug!(?code, latency_us, "call ended"),
            _ => info!(?code, latency_us, "call ended"),
        }
    }
}
