//! The service's use cases on a broker and a store of a test's own.

use std::sync::Arc;

use tempfile::TempDir;
use tokio::{sync::Notify, task::JoinHandle};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;
use waybill::{
    broker::Broker,
    clock::{ManualClock, SystemClock, UuidV7Generator},
    embedded::EmbeddedBroker,
    message::Message,
    publisher::Publisher,
    topology::Subscription,
};
use waybill_operations::{
    app::{Begin, Worker},
    domain::{
        dead_letter::{DeadLetter, Failed},
        filter::Selection,
        operation::{Kind, MAX_RATE, Operation, Order},
    },
    ports::Stores,
};
use waybill_testkit::wait;

use super::{
    letters::{at, consumer, id, new, of},
    stores::Stored,
};

/// When operations are asked for: after every failure.
pub(crate) const ASKED_MS: i64 = 60_000;

/// A consumer whose letters are kept.
pub(crate) struct Office {
    pub(crate) broker: Arc<EmbeddedBroker>,
    pub(crate) stored: Stored,
    pub(crate) consumer: Subscription,
    pub(crate) clock: Arc<ManualClock>,
    _folder: TempDir,
}

impl Office {
    pub(crate) async fn new(stored: Stored) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let broker = EmbeddedBroker::open(&folder.path().join("broker.db"), Arc::new(SystemClock)).await;
        let broker = Arc::new(broker.unwrap());
        let consumer = Subscription::new(consumer());
        broker.declare(&consumer).await.unwrap();
        Self {
            broker,
            stored,
            consumer,
            clock: Arc::new(ManualClock::new(at(ASKED_MS))),
            _folder: folder,
        }
    }

    pub(crate) fn stores(&self) -> &Stores {
        &self.stored.stores
    }

    /// Keeps new letters of its consumer.
    pub(crate) async fn keep(&self, count: i64) -> Vec<Failed> {
        let failures: Vec<_> = (0..count).map(|n| new(&self.consumer.queue, "A", n)).collect();
        self.stores().intake.record(&failures).await.unwrap();
        failures
    }

    /// Asks for something to be done with all of its consumer's letters.
    pub(crate) async fn begin(&self, kind: Kind) -> Uuid {
        self.begin_with(kind, Selection::Filter(of(&self.consumer.queue)))
            .await
    }

    pub(crate) async fn begin_with(&self, kind: Kind, selection: Selection) -> Uuid {
        let order = Order {
            id: id(),
            fingerprint: [0; 32],
            kind,
            selection,
            actor: "ada".into(),
            reason: "mended".into(),
            rate: MAX_RATE,
            time: at(ASKED_MS),
        };
        let begin = Begin::new(self.stores().clone(), Arc::new(Notify::new()));
        begin.begin(order).await.unwrap().order.id
    }

    /// A process that works on operations, over whatever stands before store and broker.
    pub(crate) fn work(&self, stores: Stores, publisher: Arc<dyn Publisher>) -> Working {
        let stop = CancellationToken::new();
        let worker = Worker::new(
            stores,
            publisher,
            Arc::clone(&self.clock) as _,
            Arc::new(UuidV7Generator::default()),
            id().to_string(),
            Arc::new(Notify::new()),
        );
        Working(tokio::spawn(worker.run(stop)))
    }

    /// A process that works as it should.
    pub(crate) fn work_well(&self) -> Working {
        self.work(self.stores().clone(), self.broker.publisher())
    }

    /// Waits until an operation has ended.
    pub(crate) async fn ended(&self, id: Uuid) -> Operation {
        wait::until("the operation has ended", async || {
            let operation = self.stores().operations.get(id).await.unwrap().unwrap();
            operation.end.is_some().then_some(operation)
        })
        .await
    }

    pub(crate) async fn letter(&self, failed: &Failed) -> DeadLetter {
        let found = self
            .stores()
            .dead_letters
            .get(failed.dead_letter.id)
            .await
            .unwrap();
        found.unwrap().0
    }

    /// Takes `count` messages out of the consumer's queue, and makes sure that there are no more.
    pub(crate) async fn consumed(&self, count: usize) -> Vec<Message> {
        let mut deliveries = self.broker.subscribe(&self.consumer).await.unwrap();
        let mut messages = Vec::new();
        while messages.len() < count {
            let next = tokio::time::timeout(wait::PATIENCE, deliveries.next(100)).await;
            let batch = next.expect("as many come").unwrap();
            messages.extend(batch.messages);
            batch.acknowledgement.ack().await.unwrap();
        }
        assert_eq!(messages.len(), count);
        // What this process publishes is there at once: what has not come by now is not there.
        let more = tokio::time::timeout(std::time::Duration::from_millis(300), deliveries.next(100)).await;
        assert!(more.is_err(), "{more:?}");
        messages
    }
}

/// A process that works; dropping it kills it, some time soon.
pub(crate) struct Working(JoinHandle<()>);

impl Working {
    /// Kills it, and waits until it is dead: the clock may then be moved on without its taking a lease
    /// by the new time.
    pub(crate) async fn kill(mut self) {
        self.0.abort();
        let ended = (&mut self.0).await;
        assert!(
            ended.is_err_and(|error| error.is_cancelled()),
            "it worked until then"
        );
    }
}

impl Drop for Working {
    fn drop(&mut self) {
        self.0.abort();
    }
}
