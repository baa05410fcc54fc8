//! The outbox of a service that keeps its state in a SQLite file.
//!
//! A repository calls [`insert`] in the write that stores the aggregate, so that both are kept or
//! neither. An entry counts as stored when its event happened: both are of the same write.

use std::time::{Duration, SystemTime};

use async_trait::async_trait;
use rusqlite::{Connection, params};

use super::{Database, stored_message};
use crate::{
    clock::{from_unix_millis, unix_millis},
    envelope::Envelope,
    message::Message,
    outbox::{Backlog, Entry, Key, MAX_COUNTED, Outbox},
    store::Result,
};

/// The tables, as a migration for [`Database::open`].
pub const SCHEMA: &str = "
    CREATE TABLE outbox (
        position INTEGER PRIMARY KEY,
        stored_ms INTEGER NOT NULL,
        owner TEXT NOT NULL,
        event_id TEXT NOT NULL,
        message BLOB NOT NULL,
        UNIQUE (event_id, owner)
    ) STRICT;
    CREATE INDEX outbox_by_age ON outbox (stored_ms, position);
    CREATE TABLE outbox_lease (
        only_row INTEGER PRIMARY KEY CHECK (only_row = 1),
        holder TEXT NOT NULL,
        until_ms INTEGER NOT NULL
    ) STRICT;";

/// The oldest entries stored before `?1`, at most `?2`.
const PENDING: &str = "
    SELECT owner, message FROM outbox
    WHERE stored_ms < ?1 ORDER BY stored_ms, position LIMIT ?2";

/// Removes the entries of `?1`, a JSON array of owner and key (the column `event_id`).
const CLEAR: &str = "
    DELETE FROM outbox WHERE (owner, event_id) IN
    (SELECT value ->> 0, value ->> 1 FROM json_each(?1))";

/// Stores entries, in the caller's transaction.
pub fn insert(connection: &Connection, entries: &[Entry]) -> rusqlite::Result<()> {
    let mut statement = connection
        .prepare_cached("INSERT INTO outbox (stored_ms, owner, event_id, message) VALUES (?1, ?2, ?3, ?4)")?;
    for entry in entries {
        statement.execute(params![
            event_millis(&entry.message),
            entry.owner,
            entry.name(),
            entry.message.to_bytes(),
        ])?;
    }
    Ok(())
}

/// When the event happened, in milliseconds since the Unix epoch; 0, and so first in line, for a
/// message that does not say.
fn event_millis(message: &Message) -> i64 {
    Envelope::from_message(message).map_or(0, |envelope| unix_millis(envelope.time))
}

/// What the relay needs of a SQLite database whose schema includes [`SCHEMA`].
#[derive(Debug, Clone)]
pub struct SqliteOutbox {
    database: Database,
}

impl SqliteOutbox {
    /// The outbox in `database`.
    pub fn new(database: Database) -> Self {
        Self { database }
    }
}

#[async_trait]
impl Outbox for SqliteOutbox {
    async fn pending(&self, before: SystemTime, limit: usize) -> Result<Vec<Entry>> {
        let before = unix_millis(before);
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        self.database
            .read(move |c| {
                c.prepare_cached(PENDING)?
                    .query_map([before, limit], |row| {
                        Ok(Entry {
                            owner: row.get(0)?,
                            message: stored_message::read(row, 1)?,
                        })
                    })?
                    .collect()
            })
            .await
    }

    async fn clear(&self, entries: &[Key]) -> Result<()> {
        let keys = entries.iter().map(|key| (&key.owner, key.name()));
        let keys = serde_json::json!(keys.collect::<Vec<_>>()).to_string();
        self.database
            .write_repeatable(move |c| c.prepare_cached(CLEAR)?.execute([keys]).map(drop))
            .await
    }

    async fn backlog(&self) -> Result<Backlog> {
        self.database
            .read(|c| {
                c.prepare_cached(
                    "SELECT (SELECT count(*) FROM (SELECT 1 FROM outbox LIMIT ?1)),
                            (SELECT min(stored_ms) FROM outbox)",
                )?
                .query_row([MAX_COUNTED.cast_signed()], |row| {
                    Ok(Backlog {
                        depth: row.get::<_, i64>(0)?.cast_unsigned(),
                        oldest: row.get::<_, Option<i64>>(1)?.map(from_unix_millis),
                    })
                })
            })
            .await
    }

    async fn try_lead(&self, holder: &str, now: SystemTime, lease: Duration) -> Result<bool> {
        let holder = holder.to_owned();
        let (now, until) = (unix_millis(now), unix_millis(now + lease));
        self.database
            .write_repeatable(move |c| {
                c.prepare_cached(
                    "INSERT INTO outbox_lease (only_row, holder, until_ms) VALUES (1, ?1, ?3)
                     ON CONFLICT DO UPDATE SET holder = ?1, until_ms = ?3
                     WHERE holder = ?1 OR until_ms <= ?2",
                )?
                .execute(params![holder, now, until])
                .map(|changed| changed == 1)
            })
            .await
    }
}
