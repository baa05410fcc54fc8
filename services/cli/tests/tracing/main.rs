//! Traces as a real Jaeger has them, of processes of the binary on RabbitMQ and MongoDB.

#[allow(dead_code, reason = "shared with the flow tests, which use more of it")]
mod support;

mod attempts;
mod batches;
mod export;
mod log_lines;
mod marks;
mod one_trace;
mod platform;
mod pushed_metrics;
mod sampling;
