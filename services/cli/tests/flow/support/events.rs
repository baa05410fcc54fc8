//! Events as another program would publish them, and dead letters as it would read them.

use std::sync::Arc;

use waybill::{
    broker::{Broker, Deliveries},
    clock::{Clock, IdGenerator, SystemClock, UuidV7Generator},
    context::Context,
    contract::{
        Event,
        google::r#type::Money,
        order::v1::{OrderCancelled, OrderCreated, OrderItem},
    },
    envelope::Envelope,
    message::Message,
    topology::Subscription,
};
use waybill_testkit::wait::{self, PATIENCE};

use super::client::new_id;

/// An event on its way, with ids of its own.
pub(crate) fn message(event: &impl Event) -> Message {
    let id = UuidV7Generator::default().next_id();
    let context = Context::new(format!("test-{id}"));
    Envelope::new(id, SystemClock.now(), "waybill.test", &context, event).into_message()
}

/// The events of an order of 10.50 EUR that was placed and cancelled.
pub(crate) fn created_and_cancelled(user_id: &str) -> (OrderCreated, OrderCancelled) {
    let price = Money {
        currency_code: "EUR".into(),
        units: 10,
        nanos: 500_000_000,
    };
    let created = OrderCreated {
        order_id: new_id(),
        user_id: user_id.to_owned(),
        items: vec![OrderItem {
            product_id: "book".into(),
            quantity: 1,
            unit_price: Some(price.clone()),
        }],
        total_amount: Some(price),
        version: 1,
        create_time: Some(SystemClock.now().into()),
    };
    let cancelled = OrderCancelled {
        order_id: created.order_id.clone(),
        user_id: created.user_id.clone(),
        items: created.items.clone(),
        total_amount: created.total_amount.clone(),
        version: 2,
        create_time: created.create_time,
        cancel_time: Some(SystemClock.now().into()),
        reason: "test".into(),
    };
    (created, cancelled)
}

/// Reads a queue without taking anything from it.
pub(crate) struct Peek {
    /// A subscription lives no longer than its broker's connections.
    _broker: Arc<dyn Broker>,
    deliveries: Box<dyn Deliveries>,
    seen: Vec<Message>,
}

impl Peek {
    /// Looks into `queue`, as soon as it exists.
    pub(crate) async fn into(broker: Arc<dyn Broker>, queue: &str) -> Self {
        let subscription = Subscription::new(queue);
        let deliveries = wait::until("the queue is there", async || {
            broker.subscribe(&subscription).await.ok()
        })
        .await;
        Self {
            _broker: broker,
            deliveries,
            seen: Vec::new(),
        }
    }

    /// Waits until it has seen `count` messages, and hands them back to the queue.
    pub(crate) async fn messages(mut self, count: usize) -> Vec<Message> {
        let reading = async {
            while self.seen.len() < count {
                let batch = self
                    .deliveries
                    .next(count - self.seen.len())
                    .await
                    .expect("the broker is there");
                self.seen.extend(batch.messages);
            }
        };
        tokio::time::timeout(PATIENCE, reading)
            .await
            .expect("that many messages come");
        self.seen
    }
}
