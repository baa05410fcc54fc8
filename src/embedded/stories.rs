//! Stories in a SQLite file.

use std::sync::Arc;

use async_trait::async_trait;
use rusqlite::{Connection, params};

use super::{Database, duration_millis};
use crate::{
    clock::{Clock, unix_millis},
    store::{Error, Result},
    story::{Attempt, MAX_TOLD, RETENTION, Stories},
};

/// Migrations of the file.
pub const MIGRATIONS: &[&str] = &["
    CREATE TABLE attempt (
        id INTEGER PRIMARY KEY,
        subject TEXT NOT NULL,
        start_time_ms INTEGER NOT NULL,
        recorded_ms INTEGER NOT NULL,
        told TEXT NOT NULL
    ) STRICT;
    CREATE INDEX attempt_by_subject ON attempt (subject, start_time_ms);
    CREATE INDEX attempt_by_age ON attempt (recorded_ms);"];

/// Forgotten in one write, so that it stays short: more than a write records.
const MAX_FORGOTTEN: u32 = 1000;

const OF: &str = "SELECT told FROM attempt WHERE subject = ?1 ORDER BY start_time_ms, id LIMIT ?2";

/// Keeps attempts in a database whose schema is [`MIGRATIONS`].
pub struct SqliteStories {
    database: Database,
    clock: Arc<dyn Clock>,
}

impl SqliteStories {
    /// Stories in `database`.
    pub fn new(database: Database, clock: Arc<dyn Clock>) -> Self {
        Self { database, clock }
    }
}

#[async_trait]
impl Stories for SqliteStories {
    async fn record(&self, attempts: &[Attempt]) -> Result<()> {
        let rows: Vec<_> = attempts
            .iter()
            .map(|attempt| (attempt.subject.clone(), attempt.start_time_ms, to_json(attempt)))
            .collect();
        let now = unix_millis(self.clock.now());
        // A power failure may cost the latest: they are no promise, and a sync would cost the others.
        let write = self.database.write_repeatable(move |c| insert(c, &rows, now));
        write.await
    }

    async fn of(&self, subject: &str) -> Result<Vec<Attempt>> {
        let subject = subject.to_owned();
        let limit = i64::try_from(MAX_TOLD).unwrap_or(i64::MAX);
        let read = self.database.read(move |c| {
            c.prepare_cached(OF)?
                .query_map(params![subject, limit], |row| row.get(0))?
                .collect::<rusqlite::Result<Vec<String>>>()
        });
        let told = read.await?;
        told.iter().map(|told| from_json(told)).collect()
    }
}

fn insert(connection: &Connection, rows: &[(String, i64, String)], now_ms: i64) -> rusqlite::Result<()> {
    let mut insert = connection.prepare_cached(
        "INSERT INTO attempt (subject, start_time_ms, recorded_ms, told) VALUES (?1, ?2, ?3, ?4)",
    )?;
    for (subject, start_time_ms, told) in rows {
        insert.execute(params![subject, start_time_ms, now_ms, told])?;
    }
    connection
        .prepare_cached(
            "DELETE FROM attempt WHERE id IN
             (SELECT id FROM attempt WHERE recorded_ms < ?1 ORDER BY recorded_ms LIMIT ?2)",
        )?
        .execute(params![
            now_ms.saturating_sub(duration_millis(RETENTION)),
            MAX_FORGOTTEN
        ])
        .map(drop)
}

fn to_json(attempt: &Attempt) -> String {
    serde_json::to_string(attempt).expect("an attempt has text for keys")
}

fn from_json(told: &str) -> Result<Attempt> {
    serde_json::from_str(told).map_err(|error| Error::Failed(format!("an attempt cannot be read: {error}")))
}
