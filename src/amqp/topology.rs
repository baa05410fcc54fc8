//! Declares what [`topology`](crate::topology) describes.
//!
//! Every queue is a quorum queue that refuses what it has no room for, so that nothing is dropped
//! in silence, and dead-letters at least once: a message leaves a queue when the next one has it.

use lapin::{
    Channel, ExchangeKind,
    options::{ExchangeDeclareOptions, QueueBindOptions, QueueDeclareOptions},
    types::{AMQPValue, FieldTable},
};

use super::error::declaring;
use crate::{
    broker::Error,
    topology::{DELIVERY_LIMIT, EVENTS_EXCHANGE, MAX_QUEUE_LENGTH, Subscription, UNROUTED},
};

/// Delivery limit of queues that hold messages for people. They look and put back as often as they
/// like; RabbitMQ 4 would drop the message the twentieth time, and 3.x knows no word for "no limit".
const NO_DELIVERY_LIMIT: u32 = 1_000_000_000;

/// Declares the exchange for events, and where those go that no queue is bound to.
pub(super) async fn declare_events(channel: &Channel) -> Result<(), Error> {
    declare_exchange(channel, UNROUTED, ExchangeKind::Fanout, FieldTable::default()).await?;
    declare_queue(channel, UNROUTED, kept_for_people()).await?;
    bind(channel, UNROUTED, UNROUTED, "").await?;
    let alternate = table([("alternate-exchange", text(UNROUTED))]);
    declare_exchange(channel, EVENTS_EXCHANGE, ExchangeKind::Topic, alternate).await
}

/// Declares a subscription's queues, and binds the first.
pub(super) async fn declare(channel: &Channel, subscription: &Subscription) -> Result<(), Error> {
    declare_events(channel).await?;
    let (queue, dead) = (&subscription.queue, subscription.dead_letter_queue());
    declare_queue(channel, &dead, kept_for_people()).await?;
    let mut arguments = dead_lettering_to(&dead);
    arguments.insert("x-delivery-limit".into(), number(DELIVERY_LIMIT));
    declare_queue(channel, queue, arguments).await?;
    for delay in subscription.retry.delays() {
        let mut arguments = dead_lettering_to(queue);
        let millis = i64::try_from(delay.as_millis()).unwrap_or(i64::MAX);
        arguments.insert("x-message-ttl".into(), AMQPValue::LongLongInt(millis));
        declare_queue(channel, &subscription.wait_queue(delay), arguments).await?;
    }
    for key in &subscription.routing_keys {
        bind(channel, queue, EVENTS_EXCHANGE, key).await?;
    }
    Ok(())
}

fn kept_for_people() -> FieldTable {
    table([("x-delivery-limit", number(NO_DELIVERY_LIMIT))])
}

fn dead_lettering_to(queue: &str) -> FieldTable {
    table([
        ("x-dead-letter-exchange", text("")),
        ("x-dead-letter-routing-key", text(queue)),
        ("x-dead-letter-strategy", text("at-least-once")),
    ])
}

async fn declare_exchange(
    channel: &Channel,
    name: &str,
    kind: ExchangeKind,
    arguments: FieldTable,
) -> Result<(), Error> {
    let options = ExchangeDeclareOptions {
        durable: true,
        ..ExchangeDeclareOptions::default()
    };
    let declared = channel
        .exchange_declare(name.into(), kind, options, arguments)
        .await;
    declared.map_err(|error| declaring(name, error))
}

async fn declare_queue(channel: &Channel, name: &str, mut arguments: FieldTable) -> Result<(), Error> {
    arguments.insert("x-queue-type".into(), text("quorum"));
    arguments.insert("x-max-length".into(), number(MAX_QUEUE_LENGTH));
    arguments.insert("x-overflow".into(), text("reject-publish"));
    let options = QueueDeclareOptions {
        durable: true,
        ..QueueDeclareOptions::default()
    };
    let declared = channel.queue_declare(name.into(), options, arguments).await;
    declared.map(drop).map_err(|error| declaring(name, error))
}

async fn bind(channel: &Channel, queue: &str, exchange: &str, key: &str) -> Result<(), Error> {
    let options = QueueBindOptions::default();
    let bound = channel.queue_bind(
        queue.into(),
        exchange.into(),
        key.into(),
        options,
        FieldTable::default(),
    );
    bound.await.map_err(|error| declaring(queue, error))
}

fn table<const N: usize>(entries: [(&str, AMQPValue); N]) -> FieldTable {
    let mut table = FieldTable::default();
    for (name, value) in entries {
        table.insert(name.into(), value);
    }
    table
}

fn text(text: &str) -> AMQPValue {
    AMQPValue::LongString(text.into())
}

fn number(number: u32) -> AMQPValue {
    AMQPValue::LongLongInt(number.into())
}
