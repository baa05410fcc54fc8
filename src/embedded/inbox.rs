//! The inbox of a consumer that keeps its state in a SQLite file.

use std::{fmt, sync::Arc, time::Duration};

use async_trait::async_trait;
use rusqlite::{Connection, params};
use tokio_util::sync::CancellationToken;

use super::{Database, duration_millis, purge};
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
        purge::all(|| self.remove(retention)).await
    }

    /// [Purges](Self::purge) now and then, until `stop`.
    pub async fn keep(self: Arc<Self>, retention: Duration, stop: CancellationToken) {
        purge::now_and_then(&self.consumer, || self.remove(retention), stop).await;
    }

    async fn remove(&self, retention: Duration) -> Result<usize> {
        let before = unix_millis(self.clock.now()).saturating_sub(duration_millis(retention));
        let consumer = self.consumer.clone();
        self.database
            .write(move |c| {
                c.prepare_cached(
                    "DELETE FROM inbox WHERE (consumer, event_id) IN
                     (SELECT consumer, event_id FROM inbox
                      WHERE consumer = ?1 AND handled_ms < ?2 LIMIT ?3)",
                )?
                .execute(params![consumer, before, purge::BATCH])
            })
            .await
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
