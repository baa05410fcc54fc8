//! The floor of telling of an order: its event, published and confirmed, to an exchange and a quorum queue
//! that are declared as the platform declares its own.

use std::sync::Arc;

use futures::future::join_all;
use lapin::{
    BasicProperties, Channel, Connection, ConnectionProperties,
    options::{BasicPublishOptions, ConfirmSelectOptions},
    types::{AMQPValue, FieldTable, ShortString},
};
use waybill::{
    amqp::AmqpBroker,
    broker::Broker,
    contract::order::v1::OrderCreated,
    message::{HeaderValue, Message},
    topology::{EVENTS_EXCHANGE, Subscription},
};

use super::Floor;
use crate::{client::new_id, pace, payload::Payload, statistics::Sample};

/// The queue that the floors use.
pub(super) const QUEUE: &str = "waybill.floor";

/// Publishes as many at a time as `together` says, on one channel, and awaits their confirms.
pub(super) async fn measure(floor: &Floor, together: usize) -> Sample {
    declare(&floor.broker).await;
    let publisher = Arc::new(Publisher::new(&connect(&floor.broker).await).await);
    let publish = move || {
        let publisher = Arc::clone(&publisher);
        async move { publisher.publish(together).await }
    };
    pace::closed(1, together as u64, floor.times, &floor.watched, publish).await
}

/// Declares exchange and queue by the platform's own adapter.
pub(super) async fn declare(url: &str) {
    let broker = AmqpBroker::new(url, "floor").expect("it is a URL");
    let subscription = Subscription::new(QUEUE).to::<OrderCreated>();
    waybill_testkit::wait::until("the queue is declared", async || {
        broker.declare(&subscription).await.ok()
    })
    .await;
}

pub(super) async fn connect(url: &str) -> Connection {
    let connection = Connection::connect(url, ConnectionProperties::default()).await;
    connection.expect("the broker takes connections")
}

/// Publishes the event on a channel of its own.
pub(super) struct Publisher {
    channel: Channel,
    exchange: ShortString,
    routing_key: ShortString,
    properties: BasicProperties,
    body: Vec<u8>,
}

impl Publisher {
    pub(super) async fn new(connection: &Connection) -> Self {
        let channel = connection.create_channel().await.expect("a channel is free");
        let confirming = channel.confirm_select(ConfirmSelectOptions::default());
        confirming.await.expect("the broker confirms");
        let event = Payload::new(&new_id()).event;
        Self {
            channel,
            exchange: EVENTS_EXCHANGE.into(),
            routing_key: event.routing_key.as_str().into(),
            properties: properties(&event),
            body: event.body.into(),
        }
    }

    pub(super) async fn publish(&self, together: usize) {
        let options = BasicPublishOptions {
            mandatory: true,
            ..BasicPublishOptions::default()
        };
        let publish = async || {
            let (exchange, key) = (self.exchange.clone(), self.routing_key.clone());
            let properties = self.properties.clone();
            let sent = self
                .channel
                .basic_publish(exchange, key, options, &self.body, properties);
            let confirmation = sent.await.expect("it is sent").await;
            assert!(confirmation.expect("it is confirmed").is_ack());
        };
        join_all((0..together).map(|_| publish())).await;
    }
}

/// What an event has in front of its body: every property and header that the platform sends.
fn properties(event: &Message) -> BasicProperties {
    let told = &event.properties;
    let text = |text: &Option<String>| -> ShortString { text.as_deref().expect("events have it").into() };
    let mut headers = FieldTable::default();
    for (name, value) in &event.headers {
        let HeaderValue::Text(value) = value else {
            panic!("{name} is text in an event");
        };
        headers.insert(name.as_str().into(), AMQPValue::LongString(value.as_str().into()));
    }
    BasicProperties::default()
        .with_delivery_mode(2)
        .with_content_type(text(&told.content_type))
        .with_message_id(text(&told.message_id))
        .with_type(text(&told.type_name))
        .with_correlation_id(text(&told.correlation_id))
        .with_app_id(text(&told.app_id))
        .with_timestamp(told.timestamp.expect("events have it"))
        .with_headers(headers)
}
