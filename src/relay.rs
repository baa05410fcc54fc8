//! Carries events from an outbox to the broker.
//!
//! Two ways in, one way out. A writer *offers* the entries it has just stored, so that they are
//! published at once and without reading them back. A *sweep* finds what was not published that way:
//! entries of a process that died, or offered while the broker was away. Of several instances on
//! one database a lease lets one sweep at a time. Either way entries are published in batches, and
//! those that the broker confirmed are cleared in one round trip. A crash in between publishes an
//! event twice; inboxes drop the second.

use std::{sync::Arc, time::Duration};

use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;
use tracing::{debug, warn};

use crate::{
    clock::Clock,
    outbox::{Entry, Outbox},
    publisher::{Destination, Publication, Publisher},
};

/// Entries published and cleared together: large enough to share the round trips, small enough that
/// a crash in between repeats little.
pub const BATCH: usize = 256;

/// Entries offered and not yet published. Beyond it the sweep does the work: memory stays bounded
/// while the broker is slow.
pub const MAX_OFFERED: usize = 8192;

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
    offered: mpsc::Receiver<Entry>,
}

/// Through which a writer offers what it has stored.
#[derive(Debug, Clone)]
pub struct RelayHandle {
    offers: mpsc::Sender<Entry>,
}

impl RelayHandle {
    /// Offers stored entries for publishing now. It never waits: what finds no room is swept later.
    pub fn offer(&self, entries: impl IntoIterator<Item = Entry>) {
        for entry in entries {
            if self.offers.try_send(entry).is_err() {
                break;
            }
        }
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
        let (offers, offered) = mpsc::channel(MAX_OFFERED);
        let relay = Self {
            outbox,
            publisher,
            clock,
            instance: instance.into(),
            offered,
        };
        (relay, RelayHandle { offers })
    }

    /// Publishes until `stop`, and then what has been offered by that time.
    pub async fn run(mut self, stop: CancellationToken) {
        let mut offered = std::mem::replace(&mut self.offered, mpsc::channel(1).1);
        tokio::join!(self.publish_offered(&mut offered, &stop), self.sweep(&stop));
    }

    async fn publish_offered(&self, offered: &mut mpsc::Receiver<Entry>, stop: &CancellationToken) {
        let mut batch = Vec::with_capacity(BATCH);
        loop {
            tokio::select! {
                biased;
                received = offered.recv_many(&mut batch, BATCH) => if received == 0 { return },
                () = stop.cancelled() => return,
            }
            let confirmed = self.publish(&batch).await;
            if confirmed == 0 && stop.is_cancelled() {
                // The broker is away: what is left stays in the outbox, and stopping must end.
                return;
            }
            batch.clear();
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
                debug!(entries = entries.len(), "sweeping the outbox");
                self.publish(&entries).await == entries.len() && entries.len() == BATCH
            }
            Err(error) => {
                warn!(%error, "outbox cannot be swept now");
                false
            }
        }
    }

    /// Publishes entries and clears those that were confirmed. Answers how many those were.
    async fn publish(&self, entries: &[Entry]) -> usize {
        let publications = entries
            .iter()
            .map(|entry| Publication {
                destination: Destination::Events,
                message: entry.message.clone(),
            })
            .collect();
        let results = self.publisher.publish(publications).await;
        let mut confirmed = Vec::with_capacity(entries.len());
        let mut first_error = None;
        for (entry, result) in entries.iter().zip(results) {
            match result {
                Ok(()) => confirmed.push(entry.clone()),
                Err(error) => first_error = first_error.or(Some(error)),
            }
        }
        if let Some(error) = first_error {
            let left = entries.len() - confirmed.len();
            warn!(left, %error, "events were not published, they stay in the outbox");
        }
        if !confirmed.is_empty()
            && let Err(error) = self.outbox.clear(&confirmed).await
        {
            warn!(entries = confirmed.len(), %error, "published events could not be cleared, they will be published again");
        }
        confirmed.len()
    }
}
