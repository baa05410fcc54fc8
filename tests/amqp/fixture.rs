//! A broker of a test's own, a consumer on it, and messages.

use std::{
    collections::BTreeSet,
    sync::{Arc, Mutex},
};

use async_trait::async_trait;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;
use waybill::{
    amqp::AmqpBroker,
    broker::Broker,
    clock::{Clock, IdGenerator, SystemClock, UuidV7Generator},
    consumer::Consumer,
    context::Context,
    contract::order::v1::OrderCreated,
    envelope::Envelope,
    failure::Outcome,
    handler::{Error, Handler},
    publisher::{self, Destination, Publication},
    retry::RetryPolicy,
    topology::Subscription,
};
use waybill_testkit::{rabbitmq::VirtualHost, wait};

pub(crate) const QUEUE: &str = "waybill.test.orders";

/// A broker on a virtual host, connected.
pub(crate) async fn connected(host: &VirtualHost) -> Arc<dyn Broker> {
    let broker = AmqpBroker::new(host.url(), "test").expect("the URL is one");
    wait::until("connected", async || broker.check().await.ok()).await;
    Arc::new(broker)
}

/// A broker on a virtual host of its own.
pub(crate) async fn fresh() -> (Arc<dyn Broker>, VirtualHost) {
    let host = VirtualHost::fresh().await;
    (connected(&host).await, host)
}

/// A subscription to created orders that never retries.
pub(crate) fn subscription() -> Subscription {
    let once = RetryPolicy {
        max_attempts: 1,
        ..RetryPolicy::default()
    };
    Subscription::new(QUEUE).to::<OrderCreated>().retrying(once)
}

/// Publishes that so many orders were created. Answers each event's id with the publisher's answer.
pub(crate) async fn publish(broker: &dyn Broker, count: usize) -> Vec<(Uuid, Result<(), publisher::Error>)> {
    let ids: Vec<_> = std::iter::repeat_with(|| UuidV7Generator::default().next_id())
        .take(count)
        .collect();
    let publication = |id: &Uuid| {
        let (now, context) = (SystemClock.now(), Context::new("c"));
        let event = Envelope::new(*id, now, "waybill.order", &context, &OrderCreated::default());
        Publication {
            destination: Destination::Events,
            message: event.into_message(),
        }
    };
    let results = broker
        .publisher()
        .publish(ids.iter().map(publication).collect())
        .await;
    ids.into_iter().zip(results).collect()
}

/// Publishes, in batches, until so many more are confirmed, and adds their ids to `confirmed`.
pub(crate) async fn publish_until_confirmed(
    broker: &dyn Broker,
    count: usize,
    confirmed: &mut BTreeSet<Uuid>,
) {
    let enough = confirmed.len() + count;
    wait::until("enough is confirmed", async || {
        let results = publish(broker, 20).await;
        confirmed.extend(
            results
                .iter()
                .filter(|(_, result)| result.is_ok())
                .map(|(id, _)| *id),
        );
        (confirmed.len() >= enough).then_some(())
    })
    .await;
}

/// A consumer at work that remembers which events it has handled.
pub(crate) struct Working {
    handled: Arc<Handled>,
    stop: CancellationToken,
}

#[derive(Default)]
struct Handled(Mutex<BTreeSet<Uuid>>);

#[async_trait]
impl Handler for Handled {
    async fn handle(&self, batch: &[Envelope]) -> Result<Vec<Outcome>, Error> {
        let mut handled = self.0.lock().expect("no holder panics");
        handled.extend(batch.iter().map(|envelope| envelope.id));
        Ok(batch.iter().map(|_| Ok(())).collect())
    }
}

impl Working {
    pub(crate) fn on(broker: &Arc<dyn Broker>) -> Self {
        let handled = Arc::new(Handled::default());
        let stop = CancellationToken::new();
        let consumer = Consumer::new(
            Arc::clone(broker),
            subscription(),
            Arc::clone(&handled) as Arc<dyn Handler>,
            Arc::new(SystemClock),
            "an-instance",
        );
        tokio::spawn(consumer.run(stop.clone()));
        Self { handled, stop }
    }

    /// Waits until all of these have been handled.
    pub(crate) async fn until_handled(&self, ids: &BTreeSet<Uuid>) {
        wait::until("all that was confirmed is handled", async || {
            let handled = self.handled.0.lock().expect("no holder panics");
            ids.is_subset(&handled).then_some(())
        })
        .await;
    }
}

impl Drop for Working {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}
