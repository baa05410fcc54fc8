//! Watches events on RabbitMQ, each watcher on a connection and from a queue of its own.
//!
//! The queue is exclusive and deleted with its connection, holds a limited number of messages, and
//! makes room by dropping the oldest: one that refused instead would keep publishers from being
//! confirmed. It is consumed without acknowledgements, so that nothing ever waits for the reader.
//!
//! It is bound to the keys that consumers' queues are bound to, and beside the queue for what no
//! binding wanted. Bound to everything, it would itself be a binding, and what no consumer wants
//! would go to it instead of being kept aside.

mod held;

use std::{collections::BTreeSet, sync::Arc, time::Duration};

use async_trait::async_trait;
use futures::StreamExt;
use lapin::{
    Channel, Consumer,
    options::{BasicConsumeOptions, QueueBindOptions, QueueDeclareOptions},
    types::{AMQPValue, FieldTable},
    uri::AMQPUri,
};
use tokio::task::AbortHandle;

use self::held::Held;
use super::{
    InvalidUrl,
    connection::Link,
    error::{unavailable, within},
    message, topology,
};
use crate::{
    broker::Error,
    tap::{MAX_HELD, Passed, Tap, Taps},
    topology::{EVENTS_EXCHANGE, Subscription, UNROUTED},
};

/// How long it may take until a tap sees events.
const OPEN_TIMEOUT: Duration = Duration::from_secs(10);

/// Most bytes that wait at the broker for a watcher that does not read at all: the process that serves
/// it, stopped by a debugger. Large enough for any burst that is read a moment later.
const MAX_WAITING_BYTES: i64 = 16 * 1024 * 1024;

/// Opens taps on a RabbitMQ server or cluster.
pub struct AmqpTaps {
    uri: AMQPUri,
    connection_name: String,
    keys: BTreeSet<&'static str>,
}

impl AmqpTaps {
    /// Taps on the broker at `url`. Nothing is connected before one is opened. `subscriptions` are those
    /// whose queues are there before anything is published: an event that only some other queue is bound
    /// to is not seen.
    pub fn new(url: &str, connection_name: &str, subscriptions: &[Subscription]) -> Result<Self, InvalidUrl> {
        let keys = subscriptions
            .iter()
            .flat_map(|subscription| &subscription.routing_keys);
        Ok(Self {
            uri: super::parse(url)?,
            connection_name: format!("{connection_name} watching"),
            keys: keys.copied().collect(),
        })
    }
}

#[async_trait]
impl Taps for AmqpTaps {
    async fn open(&self) -> Result<Box<dyn Tap>, Error> {
        let link = Link::open(self.uri.clone(), self.connection_name.clone());
        let opening = async {
            let channel = link.channel().await?;
            consume(&channel, &self.keys).await
        };
        let consumer = within(OPEN_TIMEOUT, opening).await?;
        let held = Arc::new(Held::default());
        let filling = tokio::spawn(fill(Arc::clone(&held), consumer)).abort_handle();
        Ok(Box::new(AmqpTap {
            held,
            filling,
            _link: link,
        }))
    }
}

/// Declares a queue that only this connection sees, and receives from it.
async fn consume(channel: &Channel, keys: &BTreeSet<&'static str>) -> Result<Consumer, Error> {
    topology::declare_events(channel).await?;
    let mut limits = FieldTable::default();
    let max_length = i64::try_from(MAX_HELD).unwrap_or(i64::MAX);
    for (name, limit) in [
        ("x-max-length", max_length),
        ("x-max-length-bytes", MAX_WAITING_BYTES),
    ] {
        limits.insert(name.into(), AMQPValue::LongLongInt(limit));
    }
    limits.insert("x-overflow".into(), AMQPValue::LongString("drop-head".into()));
    let options = QueueDeclareOptions {
        exclusive: true,
        auto_delete: true,
        ..QueueDeclareOptions::default()
    };
    // The number tells watchers apart; an exclusive queue cannot be shared by mistake.
    let name = format!("waybill.tail.{:016x}", fastrand::u64(..));
    let declared = channel.queue_declare(name.as_str().into(), options, limits).await;
    declared.map_err(unavailable)?;
    let bindings = keys.iter().map(|key| (EVENTS_EXCHANGE, *key));
    for (exchange, key) in bindings.chain([(UNROUTED, "")]) {
        let (options, none) = (QueueBindOptions::default(), FieldTable::default());
        let binding = channel.queue_bind(name.as_str().into(), exchange.into(), key.into(), options, none);
        binding.await.map_err(unavailable)?;
    }
    let options = BasicConsumeOptions {
        no_ack: true,
        exclusive: true,
        ..BasicConsumeOptions::default()
    };
    let consuming = channel.basic_consume(name.as_str().into(), "".into(), options, FieldTable::default());
    consuming.await.map_err(unavailable)
}

/// Takes whatever comes, at once, until nothing comes any more: the driver would hold it without limit.
async fn fill(held: Arc<Held>, mut consumer: Consumer) {
    let ended = loop {
        match consumer.next().await {
            Some(Ok(delivery)) => held.push(message::received(delivery).0),
            Some(Err(error)) => break unavailable(error),
            None => break Error::Unavailable("broker cancelled the watch".to_owned()),
        }
    };
    held.end(ended);
}

/// One watcher's events. With it goes its connection, and with that its queue.
struct AmqpTap {
    held: Arc<Held>,
    filling: AbortHandle,
    _link: Link,
}

#[async_trait]
impl Tap for AmqpTap {
    async fn next(&mut self) -> Result<Passed, Error> {
        self.held.take().await
    }
}

impl Drop for AmqpTap {
    fn drop(&mut self) {
        // The driver keeps a connection for as long as somebody receives on it.
        self.filling.abort();
    }
}
