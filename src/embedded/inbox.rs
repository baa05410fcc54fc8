//! The inbox of a consumer that keeps its state in a SQLite file.

use std::{fmt, sync::Arc, time::Duration};

use async_trait::async_trait;
use rusqlite::{Connection, params};
use tokio_util::sync::CancellationToken;
use tracing::{debug, warn};

use super::{Database, duration_millis};
use crate::{
    clock::{Clock, unix_millis},
    inbox::{Entry, Inbox},
    store::Result,
};

/// The table, as a migration for [`Database::open`].
pub const SCHEMA: &str = "
    CREATE TABLE inbox (
        consumer TEXT NOT NULL,
        event_id BLOB NOT NULL,
        handled_ms INTEGER NOT NULL,
        PRIMARY KEY (consumer, event_id)
    ) STRICT, WITHOUT ROWID;
    CREATE INDEX inbox_by_age ON inbox (consumer, handled_ms);";

/// How often [`SqliteInbox::keep`] looks for records that are too old.
const PURGE_INTERVAL: Duration = Duration::from_hours(1);

/// Records removed in one write, so that handling never waits long behind it.
const PURGE_BATCH: u32 = 1000;

/// Commits effects, each once, to a SQLite database whose schema includes [`SCHEMA`].
pub struct SqliteInbox<E> {
    database: Database,
    consumer: String,
    clock: Arc<dyn Clock>,
    effects: Arc<Effects<E>>,
}

type Effects<E> = dyn Fn(&Connection, &[E]) -> rusqlite::Result<()> + Send + Sync;

impl<E> fmt::Debug for SqliteInbox<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("SqliteInbox").field(&self.consumer).finish()
    }
}

impl<E> SqliteInbox<E> {
    /// The inbox of `consumer`. `effects` applies, in the transaction that it is given, the effects
    /// of events that were not handled before, in the order of their batch; if it fails, nothing is kept.
    pub fn new<F>(database: Database, consumer: impl Into<String>, clock: Arc<dyn Clock>, effects: F) -> Self
    where
        F: Fn(&Connection, &[E]) -> rusqlite::Result<()> + Send + Sync + 'static,
    {
        Self {
            database,
            consumer: consumer.into(),
            clock,
            effects: Arc::new(effects),
        }
    }

    /// Forgets every event handled longer than `retention` ago. Answers how many.
    pub async fn purge(&self, retention: Duration) -> Result<usize> {
        let before = unix_millis(self.clock.now()).saturating_sub(duration_millis(retention));
        let mut purged = 0;
        loop {
            let consumer = self.consumer.clone();
            let removed = self
                .database
                .write(move |c| {
                    c.prepare_cached(
                        "DELETE FROM inbox WHERE (consumer, event_id) IN
                         (SELECT consumer, event_id FROM inbox
                          WHERE consumer = ?1 AND handled_ms < ?2 LIMIT ?3)",
                    )?
                    .execute(params![consumer, before, PURGE_BATCH])
                })
                .await?;
            purged += removed;
            if removed < PURGE_BATCH as usize {
                return Ok(purged);
            }
        }
    }

    /// [Purges](Self::purge) now and then, until `stop`.
    pub async fn keep(self: Arc<Self>, retention: Duration, stop: CancellationToken) {
        let purging = async {
            loop {
                match self.purge(retention).await {
                    Ok(purged) => debug!(consumer = self.consumer, purged, "purged the inbox"),
                    Err(error) => warn!(consumer = self.consumer, %error, "inbox cannot be purged now"),
                }
                tokio::time::sleep(PURGE_INTERVAL).await;
            }
        };
        stop.run_until_cancelled(purging).await;
    }
}

#[async_trait]
impl<E: Clone + Send + Sync + 'static> Inbox<E> for SqliteInbox<E> {
    async fn commit(&self, entries: &[Entry<E>]) -> Result<usize> {
        let entries = entries.to_vec();
        let consumer = self.consumer.clone();
        let handled = unix_millis(self.clock.now());
        let effects = Arc::clone(&self.effects);
        self.database
            .write(move |c| {
                let mut record = c.prepare_cached(
                    "INSERT INTO inbox (consumer, event_id, handled_ms) VALUES (?1, ?2, ?3)
                     ON CONFLICT DO NOTHING",
                )?;
                let mut new = Vec::with_capacity(entries.len());
                for entry in entries {
                    let id = entry.event_id.as_bytes();
                    if record.execute(params![consumer, id, handled])? == 1 {
                        new.push(entry.effect);
                    }
                }
                if !new.is_empty() {
                    effects(c, &new)?;
                }
                Ok(new.len())
            })
            .await
    }
}
