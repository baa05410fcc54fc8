//! A durable broker in a SQLite file, for one machine: the topology of [`topology`](crate::topology)
//! with the same promises.
//!
//! Any number of processes may open the file. Publishing answers when the messages are on disk;
//! concurrent publishers share a commit. A message is in its queue until it is acknowledged: what a
//! subscriber has is only claimed, and comes back when the subscriber is dropped, or within
//! seconds when its process dies.

mod claims;
pub(super) mod passing;
mod pattern;
mod publish;
mod queues;
mod subscriber;
mod waits;

use std::{
    collections::{BTreeSet, HashMap, HashSet},
    fmt,
    path::Path,
    sync::{Arc, Mutex, MutexGuard, Weak},
    time::Duration,
};

use async_trait::async_trait;
use tokio::{sync::Notify, time::MissedTickBehavior};
use tracing::warn;

pub(super) use self::queues::SCHEMA;
use self::{publish::Prepared, subscriber::Subscriber};
use super::{Database, duration_millis};
use crate::{
    broker::{Broker, Deliveries, Error},
    clock::{Clock, unix_millis},
    publisher::{self, Publication, Publisher},
    store,
    topology::{MAX_QUEUE_LENGTH, Subscription},
};

/// How long the messages of a process that died stay claimed. Long enough for a machine that is
/// out of breath to renew in time; if it cannot, its messages are delivered twice, not lost.
const LEASE: Duration = Duration::from_secs(5);

/// How often the broker looks for messages that are due and claims that ran out.
const PULSE_INTERVAL: Duration = Duration::from_millis(200);

/// Pulses between two renewals of what is claimed: 1 s, a fifth of [`LEASE`].
const PULSES_PER_RENEWAL: u32 = 5;

/// The broker. Clones share it.
#[derive(Clone)]
pub struct EmbeddedBroker {
    inner: Arc<Inner>,
}

impl fmt::Debug for EmbeddedBroker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("EmbeddedBroker")
            .field(&self.inner.database)
            .finish()
    }
}

impl EmbeddedBroker {
    /// Opens the broker's file, making it if need be. Must be called within a tokio runtime, where
    /// it looks after waiting messages until the last clone and the last subscriber are dropped.
    pub async fn open(path: &Path, clock: Arc<dyn Clock>) -> store::Result<Self> {
        Self::open_with_limit(path, clock, MAX_QUEUE_LENGTH).await
    }

    /// [Opens](Self::open) it with another limit than [`MAX_QUEUE_LENGTH`] on each queue.
    pub async fn open_with_limit(
        path: &Path,
        clock: Arc<dyn Clock>,
        max_queue_length: u32,
    ) -> store::Result<Self> {
        let database = Database::open(path, SCHEMA)?;
        database.write(queues::declare_unrouted).await?;
        let inner = Arc::new(Inner {
            database,
            clock,
            max_queue_length,
            news: Mutex::default(),
            held: Mutex::default(),
        });
        tokio::spawn(pulse(Arc::downgrade(&inner)));
        Ok(Self { inner })
    }

    /// Messages in a queue, those included that subscribers have; `None` if there is no such queue.
    pub async fn depth(&self, queue: &str) -> store::Result<Option<u64>> {
        let queue = queue.to_owned();
        let found = self
            .inner
            .database
            .read(move |c| queues::by_name(c, &queue))
            .await?;
        Ok(found.map(|queue| u64::try_from(queue.length).unwrap_or(0)))
    }
}

#[async_trait]
impl Broker for EmbeddedBroker {
    async fn declare(&self, subscription: &Subscription) -> Result<(), Error> {
        let subscription = subscription.clone();
        self.inner
            .database
            .write(move |c| queues::declare(c, &subscription))
            .await
            .map_err(unavailable)
    }

    async fn subscribe(&self, subscription: &Subscription) -> Result<Box<dyn Deliveries>, Error> {
        let name = subscription.queue.clone();
        let queue = self
            .inner
            .database
            .read(move |c| queues::by_name(c, &name))
            .await
            .map_err(unavailable)?
            .ok_or_else(|| Error::Unavailable(format!("queue {} is not declared", subscription.queue)))?;
        let broker = Arc::clone(&self.inner);
        Ok(Box::new(Subscriber::new(broker, queue.id, subscription.prefetch)))
    }

    fn publisher(&self) -> Arc<dyn Publisher> {
        Arc::new(self.clone())
    }

    async fn check(&self) -> Result<(), Error> {
        let probe = self
            .inner
            .database
            .read(|c| c.query_row("SELECT 1", [], |_| Ok(())));
        probe.await.map_err(unavailable)
    }
}

#[async_trait]
impl Publisher for EmbeddedBroker {
    async fn publish(&self, batch: Vec<Publication>) -> Vec<Result<(), publisher::Error>> {
        let count = batch.len();
        let prepared: Vec<_> = batch.into_iter().map(Prepared::new).collect();
        let (now, limit) = (self.inner.now_ms(), i64::from(self.inner.max_queue_length));
        let stored = self
            .inner
            .database
            .write(move |c| publish::store(c, prepared, now, limit))
            .await;
        match stored {
            Ok(published) => {
                self.inner.tell(&published.queues);
                published.results
            }
            Err(error) => vec![Err(publisher::Error::Unavailable(error.to_string())); count],
        }
    }
}

/// What the broker's clones and its subscribers share.
struct Inner {
    database: Database,
    clock: Arc<dyn Clock>,
    max_queue_length: u32,
    /// Wakes the subscribers of each queue.
    news: Mutex<HashMap<i64, Arc<Notify>>>,
    /// Batches that this process has claimed and not yet settled.
    held: Mutex<HashSet<i64>>,
}

impl Inner {
    fn now_ms(&self) -> i64 {
        unix_millis(self.clock.now())
    }

    fn held(&self) -> MutexGuard<'_, HashSet<i64>> {
        self.held.lock().expect("no holder of the lock can panic")
    }

    fn news_of(&self, queue: i64) -> Arc<Notify> {
        let mut news = self.news.lock().expect("no holder of the lock can panic");
        Arc::clone(news.entry(queue).or_default())
    }

    /// Wakes this process's subscribers of these queues.
    fn tell(&self, queues: &BTreeSet<i64>) {
        let news = self.news.lock().expect("no holder of the lock can panic");
        for queue in queues {
            if let Some(news) = news.get(queue) {
                news.notify_waiters();
            }
        }
    }

    /// Hands a batch back, if it is still held. It does not wait for that.
    fn hand_back(self: &Arc<Self>, batch: i64) {
        if self.held().remove(&batch) {
            let inner = Arc::clone(self);
            // Whoever is woken asks the same writer, and so after this.
            self.database
                .write_later(move |c| claims::hand_back(c, batch).map(|queues| inner.tell(&queues)));
        }
    }

    /// Renews what this process has claimed.
    async fn renew(&self) -> store::Result<()> {
        let batches: Vec<_> = self.held().iter().copied().collect();
        if batches.is_empty() {
            return Ok(());
        }
        let until = self.now_ms() + duration_millis(LEASE);
        self.database
            .write_repeatable(move |c| claims::renew(c, &batches, until))
            .await
    }

    /// Hands back messages that are due and batches that ran out.
    async fn hand_back_due(&self) -> store::Result<()> {
        let now = self.now_ms();
        while self.database.read(move |c| waits::anything_due(c, now)).await? {
            let queues = self.database.write_repeatable(move |c| {
                let mut queues = claims::hand_back_expired(c, now)?;
                queues.append(&mut waits::hand_back_due(c, now)?);
                Ok(queues)
            });
            self.tell(&queues.await?);
        }
        Ok(())
    }
}

/// Looks after due messages and claims for as long as there is a broker or a subscriber.
async fn pulse(broker: Weak<Inner>) {
    let mut interval = tokio::time::interval(PULSE_INTERVAL);
    interval.set_missed_tick_behavior(MissedTickBehavior::Delay);
    for count in (0..PULSES_PER_RENEWAL).cycle() {
        interval.tick().await;
        let Some(broker) = broker.upgrade() else { return };
        let renewed = if count == 0 { broker.renew().await } else { Ok(()) };
        if let Err(error) = renewed.and(broker.hand_back_due().await) {
            warn!(%error, "broker cannot hand messages back now");
        }
    }
}

fn unavailable(error: store::Error) -> Error {
    Error::Unavailable(error.to_string())
}
