//! What the checks have in common.

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use async_trait::async_trait;
use tokio::time::timeout;
use waybill::{
    broker::{Batch, Broker, Deliveries, Error},
    clock::{Clock, IdGenerator, SystemClock, UuidV7Generator},
    context::Context,
    contract::order::v1::{OrderCancelled, OrderCreated},
    envelope::Envelope,
    message::Message,
    publisher::{self, Destination, Publication, Publisher},
    retry::RetryPolicy,
    topology::Subscription,
};

use crate::wait::PATIENCE;

/// The queue of most checks.
pub(super) const QUEUE: &str = "waybill.test.orders";

/// Retries soon, in steps whose lanes do not overlap: 20, 60 and 180 ms.
pub(super) const SOON: RetryPolicy = RetryPolicy {
    max_attempts: 4,
    first_delay: Duration::from_millis(20),
    multiplier: 3,
    max_delay: Duration::from_secs(10),
};

/// A subscription to created orders.
pub(super) fn subscription() -> Subscription {
    Subscription::new(QUEUE).to::<OrderCreated>().retrying(SOON)
}

/// Declares a subscription and starts to receive from it.
pub(super) async fn subscribed(broker: &dyn Broker, subscription: &Subscription) -> Box<dyn Deliveries> {
    broker.declare(subscription).await.expect("it is declared");
    subscribed_to(broker, &subscription.queue).await
}

/// Starts to receive from a queue that is there.
pub(super) async fn subscribed_to(broker: &dyn Broker, queue: &str) -> Box<dyn Deliveries> {
    let subscription = Subscription::new(queue);
    broker.subscribe(&subscription).await.expect("the queue is there")
}

/// The event that an order was created, on its way.
pub(super) fn created(order_id: &str) -> Envelope {
    let event = OrderCreated {
        order_id: order_id.to_owned(),
        version: 1,
        ..OrderCreated::default()
    };
    let context = Context::new("a-correlation-id");
    let id = UuidV7Generator::default().next_id();
    Envelope::new(id, SystemClock.now(), "waybill.order", &context, &event)
}

/// The same for a cancelled one, which [`subscription`] does not bind.
pub(super) fn cancelled(order_id: &str) -> Envelope {
    let event = OrderCancelled {
        order_id: order_id.to_owned(),
        version: 2,
        ..OrderCancelled::default()
    };
    let id = UuidV7Generator::default().next_id();
    Envelope::new(id, SystemClock.now(), "waybill.order", &Context::new("c"), &event)
}

/// Messages of so many created orders, `o-0` and so on.
pub(super) fn messages(count: usize) -> Vec<Message> {
    (0..count)
        .map(|n| created(&format!("o-{n}")).into_message())
        .collect()
}

/// Publishes to whoever is bound, and insists on every confirm.
pub(super) async fn publish(broker: &dyn Broker, messages: impl IntoIterator<Item = Message>) {
    send(broker, &Destination::Events, messages).await;
}

/// Publishes to a destination, and insists on every confirm.
pub(super) async fn send(
    broker: &dyn Broker,
    destination: &Destination,
    messages: impl IntoIterator<Item = Message>,
) {
    let publication = |message| Publication {
        destination: destination.clone(),
        message,
    };
    let batch: Vec<_> = messages.into_iter().map(publication).collect();
    for result in broker.publisher().publish(batch).await {
        assert_eq!(result, Ok(()));
    }
}

/// The next batch, which must come.
pub(super) async fn next(deliveries: &mut dyn Deliveries, max: usize) -> Batch {
    let next = timeout(PATIENCE, deliveries.next(max)).await;
    next.expect("a message comes").expect("the subscription holds")
}

/// The next `count` messages, acknowledged.
pub(super) async fn take(deliveries: &mut dyn Deliveries, count: usize) -> Vec<Message> {
    let mut taken = Vec::new();
    while taken.len() < count {
        let batch = next(deliveries, count - taken.len()).await;
        taken.extend(batch.messages);
        batch.acknowledgement.ack().await.expect("the subscription holds");
    }
    taken
}

/// The next message of a queue, acknowledged.
pub(super) async fn take_one(broker: &dyn Broker, queue: &str) -> Message {
    let mut deliveries = subscribed_to(broker, queue).await;
    take(deliveries.as_mut(), 1).await.remove(0)
}

/// Insists that nothing is left: a message sent now is the next to come.
pub(super) async fn nothing_is_left(broker: &dyn Broker, queue: &str, deliveries: &mut dyn Deliveries) {
    let last = created("last").into_message();
    send(broker, &Destination::Queue(queue.to_owned()), [last.clone()]).await;
    assert_eq!(ids(&take(deliveries, 1).await), ids(&[last]));
}

/// The ids of messages, in their order.
pub(super) fn ids(messages: &[Message]) -> Vec<&str> {
    messages
        .iter()
        .map(|message| message.properties.message_id.as_deref().unwrap_or_default())
        .collect()
}

/// A broker that remembers where its publisher was asked to publish.
pub(super) struct Spy {
    broker: Arc<dyn Broker>,
    publisher: Arc<SpyPublisher>,
}

struct SpyPublisher {
    publisher: Arc<dyn Publisher>,
    seen: Mutex<Vec<Destination>>,
}

impl Spy {
    pub(super) fn on(broker: &Arc<dyn Broker>) -> Arc<Self> {
        let publisher = SpyPublisher {
            publisher: broker.publisher(),
            seen: Mutex::default(),
        };
        Arc::new(Self {
            broker: Arc::clone(broker),
            publisher: Arc::new(publisher),
        })
    }

    pub(super) fn seen(&self) -> Vec<Destination> {
        self.publisher.seen.lock().expect("no holder panics").clone()
    }
}

#[async_trait]
impl Broker for Spy {
    async fn declare(&self, subscription: &Subscription) -> Result<(), Error> {
        self.broker.declare(subscription).await
    }

    async fn subscribe(&self, subscription: &Subscription) -> Result<Box<dyn Deliveries>, Error> {
        self.broker.subscribe(subscription).await
    }

    fn publisher(&self) -> Arc<dyn Publisher> {
        Arc::clone(&self.publisher) as Arc<dyn Publisher>
    }

    async fn check(&self) -> Result<(), Error> {
        self.broker.check().await
    }
}

#[async_trait]
impl Publisher for SpyPublisher {
    async fn publish(&self, batch: Vec<Publication>) -> Vec<Result<(), publisher::Error>> {
        let destinations = batch.iter().map(|publication| publication.destination.clone());
        self.seen.lock().expect("no holder panics").extend(destinations);
        self.publisher.publish(batch).await
    }
}
