//! The broker port on RabbitMQ: what every broker must do, and what RabbitMQ alone can do to us.

#[path = "amqp/conformance.rs"]
mod conformance;
#[path = "amqp/cut.rs"]
mod cut;
#[path = "amqp/fixture.rs"]
mod fixture;
#[path = "amqp/limits.rs"]
mod limits;
#[path = "amqp/outages.rs"]
mod outages;
#[path = "amqp/taps.rs"]
mod taps;
