//! From a dead-letter queue into the store: nothing is lost, and nothing counts twice.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use async_trait::async_trait;
use tokio_util::sync::CancellationToken;
use waybill::grpc::page::Page;
use waybill::{
    broker::{self, Acknowledgement, Batch, Broker, Deliveries},
    clock::{ManualClock, SystemClock},
    embedded::EmbeddedBroker,
    message::Message,
    publisher::{Destination, Publication, Publisher},
    store,
    topology::Subscription,
};
use waybill_operations::{
    adapters::events::DeadLetterQueue,
    domain::dead_letter::{Failed, Phase},
    ports::{Stores, dead_letters::Intake},
};
use waybill_testkit::wait;

use crate::support::{
    letters::{at, consumer, event, given_up, of},
    stores::Stored,
};

/// A broker that loses its first acknowledgements.
struct Forgetful {
    broker: EmbeddedBroker,
    acks_lost: Arc<AtomicUsize>,
}

const LOST: usize = 2;

#[async_trait]
impl Broker for Forgetful {
    async fn declare(&self, subscription: &Subscription) -> Result<(), broker::Error> {
        self.broker.declare(subscription).await
    }

    async fn subscribe(&self, subscription: &Subscription) -> Result<Box<dyn Deliveries>, broker::Error> {
        Ok(Box::new(Received {
            deliveries: self.broker.subscribe(subscription).await?,
            acks_lost: Arc::clone(&self.acks_lost),
        }))
    }

    fn publisher(&self) -> Arc<dyn Publisher> {
        self.broker.publisher()
    }

    async fn check(&self) -> Result<(), broker::Error> {
        self.broker.check().await
    }
}

struct Received {
    deliveries: Box<dyn Deliveries>,
    acks_lost: Arc<AtomicUsize>,
}

#[async_trait]
impl Deliveries for Received {
    async fn next(&mut self, max: usize) -> Result<Batch, broker::Error> {
        let mut batch = self.deliveries.next(max).await?;
        if self.acks_lost.fetch_add(1, Ordering::SeqCst) < LOST {
            batch.acknowledgement = Box::new(Lost);
        }
        Ok(batch)
    }
}

struct Lost;

#[async_trait]
impl Acknowledgement for Lost {
    async fn ack(self: Box<Self>) -> Result<(), broker::Error> {
        Err(broker::Error::Unavailable("the connection is gone".into()))
    }
}

/// A store that is away at first.
struct Away {
    intake: Arc<dyn Intake>,
    asked: AtomicUsize,
}

#[async_trait]
impl Intake for Away {
    async fn record(&self, failures: &[Failed]) -> store::Result<()> {
        if self.asked.fetch_add(1, Ordering::SeqCst) < 2 {
            return Err(store::Error::Unavailable("away".into()));
        }
        self.intake.record(failures).await
    }
}

async fn publish(broker: &dyn Broker, queue: String, messages: Vec<Message>) {
    let publications = messages.into_iter().map(|message| Publication {
        destination: Destination::Queue(queue.clone()),
        message,
    });
    for result in broker.publisher().publish(publications.collect()).await {
        result.unwrap();
    }
}

async fn letters(stores: &Stores, consumer: &str) -> Vec<(String, u64)> {
    let page = Page {
        size: 100,
        after: None,
    };
    let found = stores
        .dead_letters
        .list(Phase::Open, &of(consumer), page)
        .await
        .unwrap();
    found
        .into_iter()
        .map(|letter| (letter.failure.reason, letter.attempts))
        .collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn every_dead_letter_is_kept_once_through_outages_of_both_sides() {
    let folder = tempfile::tempdir().unwrap();
    let broker = EmbeddedBroker::open(&folder.path().join("broker.db"), Arc::new(SystemClock)).await;
    let broker = Arc::new(Forgetful {
        broker: broker.unwrap(),
        acks_lost: Arc::default(),
    });
    let stored = Stored::sqlite();
    let subscription = Subscription::new(consumer());
    let (consumer, dead) = (subscription.queue.clone(), subscription.dead_letter_queue());
    broker.declare(&subscription).await.unwrap();
    let mut messages: Vec<_> = (0..3)
        .map(|n| given_up(event("o-1"), &consumer, "A", n))
        .collect();
    // One without an id, and one that is no event at all.
    messages[1].properties.message_id = None;
    messages.push(Message::default());
    publish(broker.as_ref(), dead.clone(), messages).await;

    let intake = Arc::new(Away {
        intake: Arc::clone(&stored.stores.intake),
        asked: AtomicUsize::new(0),
    });
    let clock = Arc::new(ManualClock::new(at(10)));
    let stop = CancellationToken::new();
    let running = DeadLetterQueue::new(Arc::clone(&broker) as _, subscription, intake, clock);
    let running = tokio::spawn(running.run(stop.clone()));
    wait::until("every acknowledgement has come through", async || {
        (broker.acks_lost.load(Ordering::SeqCst) > LOST).then_some(())
    })
    .await;
    let expected = [("UNKNOWN", 1), ("A", 1), ("A", 1), ("A", 1)].map(|(reason, n)| (reason.to_owned(), n));
    wait::until("all are there", async || {
        (letters(&stored.stores, &consumer).await == expected).then_some(())
    })
    .await;
    stop.cancel();
    running.await.unwrap();

    // Nothing is left in the queue: whoever subscribes now waits in vain.
    let mut left = broker.broker.subscribe(&Subscription::new(dead)).await.unwrap();
    let nothing = tokio::time::timeout(Duration::from_millis(500), left.next(10)).await;
    assert!(nothing.is_err(), "{nothing:?}");
}
