//! What consumers gave up, from outside: `waybill dlq …` on RabbitMQ and MongoDB and on the embedded parts.

#[allow(dead_code, reason = "shared with the flow tests, which use more of it")]
mod support;

mod again;
mod browse;
mod discard;
mod killed;
mod platform;
mod replay;
