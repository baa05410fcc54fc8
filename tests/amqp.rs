//! The broker port on RabbitMQ.

#[path = "amqp/conformance.rs"]
mod conformance;
#[path = "amqp/fixture.rs"]
mod fixture;
