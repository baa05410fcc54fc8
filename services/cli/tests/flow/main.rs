//! The platform from outside: processes of the binary, driven through generated clients, on RabbitMQ
//! and MongoDB and on the embedded parts.

#[allow(
    dead_code,
    reason = "shared with other tests and a benchmark, which use more of it"
)]
mod support;

mod clients;
mod crash;
mod dead_letters;
mod kill;
mod load;
mod metrics;
mod order_flow;
mod order_of_events;
mod outage;
mod retention;
mod sharing;
mod tail;
mod trace;
