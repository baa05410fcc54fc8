//! Carries events from an outbox to the broker.
//!
//! Two ways in, one way out. A writer *offers* the entries it has just stored, so that they are
//! published at once and without reading them back. A *sweep* finds what was not published that way:
//! entries of a process that died, or offered while the broker was away. Of several instances on
//! one database a lease lets one sweep at a time. Either way entries are published in batches, and
//! those that the broker confirmed are cleared in one round trip, while the next are published. A crash
//! in between publishes an event twice; inboxes drop the second.

use std::{sync::Arc, time::Duration};

use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};
use tokio_util::sync::CancellationToken;
use tracing::{debug, warn};

use crate::{
    clock::Clock,
    outbox::{Entry, Key, Outbox},
    publisher::{Destination, Publication, Publisher},
    telemetry::trace,
};

/// Entries published and cleared together: large enough to share the round trips, small enough that
/// a crash in between repeats little.
pub const BATCH: usize = 256;

/// Entries that are published and wait to be cleared. With more of them publishing waits: a crash would
/// repeat them.
const MAX_CONFIRMED: usize = BATCH;

/// Entries offered and not yet published. Beyond it the sweep does the work: memory stays bounded
/// while the broker is slow.
pub const MAX_OFFERED: usize = 8192;

/// Bytes of the bodies of those: as many entries of common size (1 KB) fit, but not as many of the
/// largest (100 KB), which would fill a small container.
pub const MAX_OFFERED_BYTES: usize = 16 * 1024 * 1024;

/// How often a sweep looks.
const SWEEP_INTERVAL: Duration = Duration::from_secs(1);

/// Age from which the sweep takes an entry: by then whoever stored it has published it, or will not.
const SWEEP_AGE: Duration = Duration::from_secs(3);

/// How long an instance that died holds up the sweep.
const SWEEP_LEASE: Duration = Duration::from_secs(5);

/// Publishes what is in one outbox.
pub struct Relay {
    outbox: Arc<dyn Outbox>,
    publisher: Arc<dyn Publisher>,
    clock: Arc<dyn Clock>,
    instance: String,
    offered: mpsc::Receiver<Offered>,
}

/// An entry that waits, and the room that it takes.
struct Offered {
    entry: Entry,
    _room: OwnedSemaphorePermit,
}

/// Through which a writer offers what it has stored.
#[derive(Debug, Clone)]
pub struct RelayHandle {
    offers: mpsc::Sender<Offered>,
    room: Arc<Semaphore>,
}

impl RelayHandle {
    /// Offers stored entries for publishing now. It never waits: what finds no room is swept later.
    pub fn offer(&self, entries: impl IntoIterator<Item = Entry>) {
        for entry in entries {
            trace::stored(&entry.message);
            let bytes = u32::try_from(entry.message.body.len()).unwrap_or(u32::MAX);
            let Ok(room) = Arc::clone(&self.room).try_acquire_many_owned(bytes) else {
                break;
            };
            if self.offers.try_send(Offered { entry, _room: room }).is_err() {
                break;
            }
        }
    }

    fn new() -> (Self, mpsc::Receiver<Offered>) {
        let (offers, offered) = mpsc::channel(MAX_OFFERED);
        let room = Arc::new(Semaphore::new(MAX_OFFERED_BYTES));
        (Self { offers, room }, offered)
    }
}

impl Relay {
    /// A relay from `outbox` to `publisher`, and the handle for its writers. `instance` is this
    /// process's name for the lease.
    pub fn new(
        outbox: Arc<dyn Outbox>,
        publisher: Arc<dyn Publisher>,
        clock: Arc<dyn Clock>,
        instance: impl Into<String>,
    ) -> (Self, RelayHandle) {
        let (handle, offered) = RelayHandle::new();
        let relay = Self {
            outbox,
            publisher,
            clock,
            instance: instance.into(),
            offered,
        };
        (relay, handle)
    }

    /// Publishes until `stop`, and then what has been offered by that time.
    pub async fn run(mut self, stop: CancellationToken) {
        let offered = std::mem::replace(&mut self.offered, mpsc::channel(1).1);
        let (confirming, confirmed) = mpsc::channel(MAX_CONFIRMED);
        tokio::join!(
            self.publish_offered(offered, confirming, &stop),
            self.clear_confirmed(confirmed),
            self.sweep(&stop)
        );
    }

    async fn publish_offered(
        &self,
        mut offered: mpsc::Receiver<Offered>,
        confirming: mpsc::Sender<Key>,
        stop: &CancellationToken,
    ) {
        let mut batch = Vec::with_capacity(BATCH);
        loop {
            tokio::select! {
                biased;
                received = offered.recv_many(&mut batch, BATCH) => if received == 0 { return },
                () = stop.cancelled() => return,
            }
            let entries = batch.drain(..).map(|offered| offered.entry).collect();
            let confirmed = self.publish(entries).await;
            if confirmed.is_empty() && stop.is_cancelled() {
                // The broker is away: what is left stays in the outbox, and stopping must end.
                return;
            }
            for key in confirmed {
                confirming
                    .send(key)
                    .await
                    .expect("it is received until this ends");
            }
        }
    }

    /// Clears what was confirmed, until no more comes.
    async fn clear_confirmed(&self, mut confirmed: mpsc::Receiver<Key>) {
        let mut keys = Vec::with_capacity(BATCH);
        while confirmed.recv_many(&mut keys, BATCH).await > 0 {
            self.clear(&keys).await;
            keys.clear();
        }
    }

    async fn sweep(&self, stop: &CancellationToken) {
        while !stop.is_cancelled() {
            while !stop.is_cancelled() && self.sweep_once().await {}
            stop.run_until_cancelled(tokio::time::sleep(SWEEP_INTERVAL)).await;
        }
    }

    /// Publishes one batch of what was left behind. `true` when more may be there.
    async fn sweep_once(&self) -> bool {
        let now = self.clock.now();
        let entries = match self.outbox.try_lead(&self.instance, now, SWEEP_LEASE).await {
            Ok(true) => self.outbox.pending(now - SWEEP_AGE, BATCH).await,
            Ok(false) => return false,
            Err(error) => Err(error),
        };
        match entries {
            Ok(entries) if entries.is_empty() => false,
            Ok(entries) => {
                let swept = entries.len();
                debug!(entries = swept, "sweeping the outbox");
                let confirmed = self.publish(entries).await;
                self.clear(&confirmed).await;
                confirmed.len() == swept && swept == BATCH
            }
            Err(error) => {
                warn!(%error, "outbox cannot be swept now");
                false
            }
        }
    }

    /// Publishes entries. Answers with those that were confirmed.
    async fn publish(&self, entries: Vec<Entry>) -> Vec<Key> {
        let keys = Key::of(&entries);
        let publications = entries
            .into_iter()
            .map(|entry| Publication {
                destination: Destination::Events,
                message: entry.message,
            })
            .collect();
        let results = self.publisher.publish(publications).await;
        let mut confirmed = Vec::with_capacity(keys.len());
        let mut left = 0;
        let mut first_error = None;
        for (key, result) in keys.into_iter().zip(results) {
            match result {
                Ok(()) => confirmed.push(key),
                Err(error) => {
                    left += 1;
                    first_error.get_or_insert(error);
                }
            }
        }
        if let Some(error) = first_error {
            warn!(left, %error, "events were not published, they stay in the outbox");
        }
        confirmed
    }

    async fn clear(&self, confirmed: &[Key]) {
        if !confirmed.is_empty()
            && let Err(error) = self.outbox.clear(confirmed).await
        {
            warn!(entries = confirmed.len(), %error, "published events could not be cleared, they will be published again");
        }
    }
}

#[cfg(test)]
mod tests {
    use std::{
        sync::{
            Mutex,
            atomic::{AtomicUsize, Ordering},
        },
        time::SystemTime,
    };

    use async_trait::async_trait;

    use super::*;
    use crate::{
        clock::SystemClock, message::Message, outbox::Backlog, publisher, store, topology::MAX_BODY_BYTES,
    };

    /// An outbox in which clearing takes as long as it is told to.
    struct Slow {
        may_clear: Semaphore,
        cleared: Mutex<Vec<Key>>,
    }

    #[async_trait]
    impl Outbox for Slow {
        async fn pending(&self, _: SystemTime, _: usize) -> store::Result<Vec<Entry>> {
            Ok(Vec::new())
        }

        async fn clear(&self, entries: &[Key]) -> store::Result<()> {
            self.may_clear.acquire().await.unwrap().forget();
            self.cleared.lock().unwrap().extend_from_slice(entries);
            Ok(())
        }

        async fn backlog(&self) -> store::Result<Backlog> {
            Ok(Backlog::default())
        }

        async fn try_lead(&self, _: &str, _: SystemTime, _: Duration) -> store::Result<bool> {
            Ok(false)
        }
    }

    /// A broker that takes everything, and counts it.
    #[derive(Default)]
    struct Counting(AtomicUsize);

    #[async_trait]
    impl Publisher for Counting {
        async fn publish(&self, batch: Vec<Publication>) -> Vec<Result<(), publisher::Error>> {
            self.0.fetch_add(batch.len(), Ordering::Relaxed);
            vec![Ok(()); batch.len()]
        }
    }

    fn entry(owner: usize, body_bytes: usize) -> Entry {
        Entry {
            owner: owner.to_string(),
            message: Message {
                body: vec![0; body_bytes].into(),
                ..Message::default()
            },
        }
    }

    #[tokio::test]
    async fn entries_that_wait_take_no_more_than_their_room() {
        let (handle, mut offered) = RelayHandle::new();
        let entry = entry(0, MAX_BODY_BYTES);
        handle.offer(vec![entry.clone(); 2 * MAX_OFFERED_BYTES / MAX_BODY_BYTES]);
        assert_eq!(offered.len(), MAX_OFFERED_BYTES / MAX_BODY_BYTES);
        drop(offered.recv().await);
        handle.offer([entry.clone(), entry]);
        assert_eq!(offered.len(), MAX_OFFERED_BYTES / MAX_BODY_BYTES);
    }

    #[tokio::test(start_paused = true)]
    async fn what_is_being_cleared_does_not_hold_up_the_next_until_it_is_much() {
        let outbox = Arc::new(Slow {
            may_clear: Semaphore::new(0),
            cleared: Mutex::default(),
        });
        let broker = Arc::new(Counting::default());
        let (relay, handle) = Relay::new(
            Arc::clone(&outbox) as _,
            Arc::clone(&broker) as _,
            Arc::new(SystemClock),
            "i",
        );
        let stop = CancellationToken::new();
        let running = tokio::spawn(relay.run(stop.clone()));

        let offered: Vec<_> = (0..10 * BATCH).map(|owner| entry(owner, 1)).collect();
        handle.offer(offered.clone());
        tokio::time::sleep(Duration::from_mins(1)).await;
        // What is being cleared, what waits for that, and what waits for room to wait.
        let published = broker.0.load(Ordering::Relaxed);
        assert!((BATCH + 1..=3 * BATCH).contains(&published), "{published}");
        assert_eq!(outbox.cleared.lock().unwrap().len(), 0);

        outbox.may_clear.add_permits(offered.len());
        tokio::time::sleep(Duration::from_mins(1)).await;
        assert_eq!(*outbox.cleared.lock().unwrap(), Key::of(&offered));
        stop.cancel();
        running.await.unwrap();
    }
}
