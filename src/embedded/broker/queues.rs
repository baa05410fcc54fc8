//! The broker's tables, and what a declaration writes into them.

use rusqlite::{Connection, OptionalExtension, Row, params};

use super::{super::duration_millis, passing};
use crate::topology::{Subscription, UNROUTED};

/// Migrations of a broker's file.
///
/// A message in several queues is a row in each. `message_by_queue` is what a subscriber claims
/// from: it holds nothing but queue and id, so that a long backlog costs a claim nothing. `length`
/// is kept because counting ten million rows for each publish would not do.
pub(in crate::embedded) const SCHEMA: &[&str] = &[TABLES, passing::SCHEMA];

const TABLES: &str = "
    CREATE TABLE queue (
        id INTEGER PRIMARY KEY,
        name TEXT NOT NULL UNIQUE,
        length INTEGER NOT NULL DEFAULT 0,
        dead_letter_queue INTEGER,
        hands_back_to INTEGER,
        wait_ms INTEGER
    ) STRICT;
    CREATE TABLE binding (
        queue INTEGER NOT NULL,
        pattern TEXT NOT NULL,
        PRIMARY KEY (queue, pattern)
    ) STRICT, WITHOUT ROWID;
    CREATE TABLE message (
        id INTEGER PRIMARY KEY,
        queue INTEGER NOT NULL,
        due_ms INTEGER,
        returns INTEGER NOT NULL DEFAULT 0,
        message BLOB NOT NULL
    ) STRICT;
    CREATE INDEX message_by_queue ON message (queue);
    CREATE INDEX message_by_due ON message (due_ms) WHERE due_ms IS NOT NULL;
    CREATE TABLE batch (
        id INTEGER PRIMARY KEY,
        until_ms INTEGER NOT NULL
    ) STRICT;
    CREATE TABLE claim (
        message INTEGER PRIMARY KEY,
        batch INTEGER NOT NULL
    ) STRICT;
    CREATE INDEX claim_by_batch ON claim (batch);";

/// What a publisher needs to know of a queue.
#[derive(Debug, Clone, Copy)]
pub(super) struct Queue {
    pub(super) id: i64,
    /// Messages in it, claimed ones included.
    pub(super) length: i64,
    /// How long it holds a message, if it is a wait queue.
    pub(super) wait_ms: Option<i64>,
}

/// Declares what catches messages that no binding wants.
pub(super) fn declare_unrouted(connection: &Connection) -> rusqlite::Result<()> {
    declared(connection, UNROUTED).map(drop)
}

/// Declares a subscription's queue, bindings, wait queues and dead-letter queue. Bindings and wait
/// queues of an earlier declaration stay: what they still hold is handed back.
pub(super) fn declare(connection: &Connection, subscription: &Subscription) -> rusqlite::Result<()> {
    let queue = declared(connection, &subscription.queue)?;
    let dead = declared(connection, &subscription.dead_letter_queue())?;
    connection
        .prepare_cached(
            "UPDATE queue SET dead_letter_queue = ?2 WHERE id = ?1 AND dead_letter_queue IS NOT ?2",
        )?
        .execute([queue, dead])?;
    for pattern in &subscription.routing_keys {
        connection
            .prepare_cached("INSERT INTO binding (queue, pattern) VALUES (?1, ?2) ON CONFLICT DO NOTHING")?
            .execute(params![queue, pattern])?;
    }
    let mut insert = connection.prepare_cached(
        "INSERT INTO queue (name, hands_back_to, wait_ms) VALUES (?1, ?2, ?3) ON CONFLICT DO NOTHING",
    )?;
    for delay in subscription.retry.delays() {
        insert.execute(params![
            subscription.wait_queue(delay),
            queue,
            duration_millis(delay)
        ])?;
    }
    Ok(())
}

/// The id of the queue of that name, which is made if need be.
fn declared(connection: &Connection, name: &str) -> rusqlite::Result<i64> {
    connection
        .prepare_cached("INSERT INTO queue (name) VALUES (?1) ON CONFLICT DO NOTHING")?
        .execute([name])?;
    connection
        .prepare_cached("SELECT id FROM queue WHERE name = ?1")?
        .query_row([name], |row| row.get(0))
}

/// Every binding: its pattern and its queue, those of one queue together.
pub(super) fn bindings(connection: &Connection) -> rusqlite::Result<Vec<(String, Queue)>> {
    connection
        .prepare_cached(
            "SELECT queue.id, length, wait_ms, pattern FROM binding JOIN queue ON queue.id = binding.queue
             ORDER BY binding.queue",
        )?
        .query_map([], |row| Ok((row.get(3)?, queue(row)?)))?
        .collect()
}

/// The queue of that name.
pub(super) fn by_name(connection: &Connection, name: &str) -> rusqlite::Result<Option<Queue>> {
    connection
        .prepare_cached("SELECT id, length, wait_ms FROM queue WHERE name = ?1")?
        .query_row([name], queue)
        .optional()
}

fn queue(row: &Row<'_>) -> rusqlite::Result<Queue> {
    Ok(Queue {
        id: row.get(0)?,
        length: row.get(1)?,
        wait_ms: row.get(2)?,
    })
}

/// Adds `by`, which may be negative, to what a queue is known to hold.
pub(super) fn grow(connection: &Connection, queue: i64, by: i64) -> rusqlite::Result<()> {
    connection
        .prepare_cached("UPDATE queue SET length = length + ?2 WHERE id = ?1")?
        .execute([queue, by])
        .map(drop)
}
