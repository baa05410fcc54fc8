//! The events that a service has stored and not yet published, as a port over its database.
//!
//! A repository writes an aggregate and its events in one atomic write. From then on the event is
//! in the outbox, and stays there until the [relay](crate::relay) has a broker's word for it.

use std::time::{Duration, SystemTime};

use async_trait::async_trait;

use crate::{message::Message, store::Result};

/// One event in the outbox.
#[derive(Debug, Clone, PartialEq)]
pub struct Entry {
    /// Key of the aggregate in whose write it was stored: where the store looks for it.
    pub owner: String,
    /// The event, as it will be published. Its message id is that of the event.
    pub message: Message,
}

/// What an entry is known by: enough to clear it when its message has gone on.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Key {
    /// That of the entry.
    pub owner: String,
    name: String,
}

impl Entry {
    /// The event id.
    pub fn event_id(&self) -> &str {
        self.message.properties.message_id.as_deref().unwrap_or_default()
    }

    /// Its name within its owner: event id and type, because two versions of one event have the same id.
    pub fn name(&self) -> String {
        let type_name = self.message.properties.type_name.as_deref();
        [self.event_id(), "/", type_name.unwrap_or_default()].concat()
    }

    /// What it is known by.
    pub fn key(&self) -> Key {
        Key {
            owner: self.owner.clone(),
            name: self.name(),
        }
    }
}

impl Key {
    /// Those of `entries`.
    pub fn of(entries: &[Entry]) -> Vec<Self> {
        entries.iter().map(Entry::key).collect()
    }

    /// The name of the entry within its owner.
    pub fn name(&self) -> &str {
        &self.name
    }
}

/// How much waits in an outbox.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Backlog {
    /// Entries, counted up to [`MAX_COUNTED`].
    pub depth: u64,
    /// When the oldest was stored; `None` when there are none.
    pub oldest: Option<SystemTime>,
}

/// Where counting the entries of an outbox ends, so that asking stays cheap when much waits.
pub const MAX_COUNTED: u64 = 10_000;

/// What the relay needs of a database.
#[async_trait]
pub trait Outbox: Send + Sync + 'static {
    /// The oldest entries stored before `before`, at most `limit`.
    async fn pending(&self, before: SystemTime, limit: usize) -> Result<Vec<Entry>>;

    /// Removes entries, in one round trip. Those that are gone already are passed over.
    async fn clear(&self, entries: &[Key]) -> Result<()>;

    /// How much waits.
    async fn backlog(&self) -> Result<Backlog>;

    /// Takes or renews the lease on sweeping for `holder`. `false` while another holds it.
    async fn try_lead(&self, holder: &str, now: SystemTime, lease: Duration) -> Result<bool>;
}
