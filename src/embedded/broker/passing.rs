//! Events as they pass, for whoever watches: kept while a tap is open, and no more than a tap holds.
//!
//! An event is noted in the transaction that stores it in its queues, so that a tap sees it whichever
//! process published it. Numbers have no gaps, which is how a tap knows what it has missed.

use rusqlite::{Connection, OptionalExtension};

use super::super::stored_message;
use crate::{message::Message, tap::MAX_HELD};

/// The tables, for the broker's file. `AUTOINCREMENT` never uses a number twice.
pub(super) const SCHEMA: &str = "
    CREATE TABLE tap (
        id INTEGER PRIMARY KEY,
        until_ms INTEGER NOT NULL
    ) STRICT;
    CREATE TABLE passed (
        id INTEGER PRIMARY KEY AUTOINCREMENT,
        message BLOB NOT NULL
    ) STRICT;";

/// Whether anybody watches at `now_ms`. A tap whose process died without a word counts for seconds.
pub(super) fn is_watched(connection: &Connection, now_ms: i64) -> rusqlite::Result<bool> {
    connection
        .prepare_cached("SELECT EXISTS (SELECT 1 FROM tap WHERE until_ms >= ?1)")?
        .query_row([now_ms], |row| row.get(0))
}

/// Notes an event, by its bytes, and drops what is then one too many.
pub(super) fn note(connection: &Connection, message: &[u8]) -> rusqlite::Result<()> {
    connection
        .prepare_cached("INSERT INTO passed (message) VALUES (?1)")?
        .execute([message])?;
    let oldest = connection.last_insert_rowid() - i64::try_from(MAX_HELD).unwrap_or(i64::MAX);
    connection
        .prepare_cached("DELETE FROM passed WHERE id <= ?1")?
        .execute([oldest])
        .map(drop)
}

/// Opens the tap `id` until `until_ms`, if it is not renewed. Answers the number of the last event that
/// passed before.
pub(in crate::embedded) fn open(
    connection: &Connection,
    id: i64,
    now_ms: i64,
    until_ms: i64,
) -> rusqlite::Result<i64> {
    connection.execute("DELETE FROM tap WHERE until_ms < ?1", [now_ms])?;
    forget_if_unwatched(connection)?;
    connection.execute("INSERT INTO tap (id, until_ms) VALUES (?1, ?2)", [id, until_ms])?;
    let last = connection
        .query_row(
            "SELECT seq FROM sqlite_sequence WHERE name = 'passed'",
            [],
            |row| row.get(0),
        )
        .optional()?;
    Ok(last.unwrap_or(0))
}

/// Keeps a tap until `until_ms`. `false` when it had run out at `now_ms`, so that events may have passed
/// without being noted.
pub(in crate::embedded) fn renew(
    connection: &Connection,
    id: i64,
    now_ms: i64,
    until_ms: i64,
) -> rusqlite::Result<bool> {
    let renewed = connection
        .prepare_cached("UPDATE tap SET until_ms = ?3 WHERE id = ?1 AND until_ms >= ?2")?
        .execute([id, now_ms, until_ms])?;
    Ok(renewed > 0)
}

/// Closes a tap. With the last one goes what was noted.
pub(in crate::embedded) fn close(connection: &Connection, id: i64) -> rusqlite::Result<()> {
    connection.execute("DELETE FROM tap WHERE id = ?1", [id])?;
    forget_if_unwatched(connection)
}

fn forget_if_unwatched(connection: &Connection) -> rusqlite::Result<()> {
    connection
        .execute("DELETE FROM passed WHERE NOT EXISTS (SELECT 1 FROM tap)", [])
        .map(drop)
}

/// Events after number `last`, oldest first, at most `limit`, each with its number.
pub(in crate::embedded) fn after(
    connection: &Connection,
    last: i64,
    limit: u32,
) -> rusqlite::Result<Vec<(i64, Message)>> {
    connection
        .prepare_cached("SELECT id, message FROM passed WHERE id > ?1 ORDER BY id LIMIT ?2")?
        .query_map([last, limit.into()], |row| {
            Ok((row.get(0)?, stored_message::read(row, 1)?))
        })?
        .collect()
}
