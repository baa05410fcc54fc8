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
    gather::gather,
    outbox::{Entry, Key, Outbox},
    pace::Pace,
    publisher::{Destination, Publication, Publisher},
    telemetry::trace,
};

/// Entries published and cleared together: large enough to share the round trips, small enough that
/// a crash in between repeats little.
pub const BATCH: usize = 256;

/// Entries that are published and wait to be cleared. With more of them publishing waits: a crash would
/// repeat them.
const MAX_CONFIRMED: usize = BATCH;

/// How long confirmed entries are gathered to be cleared, unless there are [`ENOUGH`] of them before: nobody waits
/// for that, and at a few hundred events a second a clearing for each would be one of the database's most frequent
/// writes.
const GATHER: Duration = Duration::from_millis(50);

/// Entries that are cleared without waiting for more, with what else is there by then. A write that somebody does wait
/// for stands behind a clearing, so it should not be longer than it must; where so much is published that it
/// falls behind, it is.
const ENOUGH: usize = BATCH / 4;

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
        let mut pace = Pace::default();
        loop {
            stop.run_until_cancelled(pace.next_round()).await;
            tokio::select! {
                biased;
                received = offered.recv_many(&mut batch, BATCH) => if received == 0 { return },
                () = stop.cancelled() => return,
            }
            pace.begins(batch.len(), BATCH);
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
        while gather(&mut confirmed, &mut keys, ENOUGH, GATHER).await {
            while keys.len() < BATCH
                && let Ok(key) = confirmed.try_recv()
            {
                keys.push(key);
            }
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
mod tests;
