//! Messages that are out: claimed by a subscriber, and then acknowledged or handed back.
//!
//! A batch is a lease on the messages that it claims. Whoever holds it renews it; when its process
//! dies it runs out, and any other process hands its messages back.

use std::collections::BTreeSet;

use rusqlite::{Connection, params};

use super::{super::stored_message, queues};
use crate::{message::Message, topology::DELIVERY_LIMIT};

/// Claims for batch `?2` what is first in queue `?1`, at most `?3`. Claimed messages are at the front
/// of their queue, and few: they are stepped over.
const CLAIM: &str = "
    INSERT INTO claim (message, batch)
    SELECT id, ?2 FROM message
    WHERE queue = ?1 AND NOT EXISTS (SELECT 1 FROM claim WHERE claim.message = message.id)
    ORDER BY id LIMIT ?3";

/// Claims the oldest messages of `queue` that nobody has claimed, at most `max`, for `batch` until
/// `until_ms`. Answers how many.
pub(super) fn claim(
    connection: &Connection,
    queue: i64,
    batch: i64,
    max: usize,
    until_ms: i64,
) -> rusqlite::Result<usize> {
    let claimed = connection.prepare_cached(CLAIM)?.execute(params![
        queue,
        batch,
        i64::try_from(max).unwrap_or(i64::MAX)
    ])?;
    if claimed > 0 {
        connection
            .prepare_cached("INSERT INTO batch (id, until_ms) VALUES (?1, ?2)")?
            .execute([batch, until_ms])?;
    }
    Ok(claimed)
}

/// The messages of a batch, oldest first.
pub(super) fn messages(connection: &Connection, batch: i64) -> rusqlite::Result<Vec<Message>> {
    connection
        .prepare_cached(
            "SELECT message.message FROM claim JOIN message ON message.id = claim.message
             WHERE claim.batch = ?1 ORDER BY claim.message",
        )?
        .query_map([batch], |row| stored_message::read(row, 0))?
        .collect()
}

/// Removes the messages of batch `?1`.
const ACKNOWLEDGE: &str = "DELETE FROM message WHERE id IN (SELECT message FROM claim WHERE batch = ?1)";

/// Removes the messages of a batch, all of one `queue`. `false` when it has run out.
pub(super) fn acknowledge(connection: &Connection, queue: i64, batch: i64) -> rusqlite::Result<bool> {
    let removed = connection.prepare_cached(ACKNOWLEDGE)?.execute([batch])?;
    if removed == 0 {
        return Ok(false);
    }
    end(connection, batch)?;
    queues::grow(connection, queue, -i64::try_from(removed).unwrap_or(i64::MAX))?;
    Ok(true)
}

/// Keeps batches until `until_ms`.
pub(super) fn renew(connection: &Connection, batches: &[i64], until_ms: i64) -> rusqlite::Result<()> {
    let mut renew = connection.prepare_cached("UPDATE batch SET until_ms = ?2 WHERE id = ?1")?;
    for batch in batches {
        renew.execute([*batch, until_ms])?;
    }
    Ok(())
}

/// Hands back every batch that ran out before `now_ms`. Answers which queues have something again.
pub(super) fn hand_back_expired(connection: &Connection, now_ms: i64) -> rusqlite::Result<BTreeSet<i64>> {
    let expired: Vec<i64> = connection
        .prepare_cached("SELECT id FROM batch WHERE until_ms < ?1")?
        .query_map([now_ms], |row| row.get(0))?
        .collect::<rusqlite::Result<_>>()?;
    let mut queues = BTreeSet::new();
    for batch in expired {
        queues.extend(hand_back(connection, batch)?);
    }
    Ok(queues)
}

/// Hands back a batch that was not acknowledged: each message to where it stood in its queue, or to
/// the dead-letter queue if that has happened too often. Answers which queues have something again.
pub(super) fn hand_back(connection: &Connection, batch: i64) -> rusqlite::Result<BTreeSet<i64>> {
    let returned: Vec<(i64, i64, u32)> = connection
        .prepare_cached(
            "UPDATE message SET returns = returns + 1
             WHERE id IN (SELECT message FROM claim WHERE batch = ?1) RETURNING id, queue, returns",
        )?
        .query_map([batch], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))?
        .collect::<rusqlite::Result<_>>()?;
    end(connection, batch)?;
    let mut queues = BTreeSet::new();
    for (message, queue, returns) in returned {
        queues.insert(queue);
        if returns > DELIVERY_LIMIT {
            queues.extend(dead_letter(connection, message, queue)?);
        }
    }
    Ok(queues)
}

fn end(connection: &Connection, batch: i64) -> rusqlite::Result<()> {
    connection
        .prepare_cached("DELETE FROM claim WHERE batch = ?1")?
        .execute([batch])?;
    connection
        .prepare_cached("DELETE FROM batch WHERE id = ?1")?
        .execute([batch])
        .map(drop)
}

/// Moves a message to the dead-letter queue of its queue, if that has one, with the headers that
/// RabbitMQ gives it in that case.
fn dead_letter(connection: &Connection, message: i64, queue: i64) -> rusqlite::Result<Option<i64>> {
    let (name, dead): (String, Option<i64>) = connection
        .prepare_cached("SELECT name, dead_letter_queue FROM queue WHERE id = ?1")?
        .query_row([queue], |row| Ok((row.get(0)?, row.get(1)?)))?;
    let Some(dead) = dead else { return Ok(None) };
    let mut died = connection
        .prepare_cached("SELECT message FROM message WHERE id = ?1")?
        .query_row([message], |row| stored_message::read(row, 0))?;
    for (header, value) in [
        ("x-first-death-queue", name.as_str()),
        ("x-first-death-reason", "delivery_limit"),
    ] {
        died.headers.insert(header.to_owned(), value.into());
    }
    connection
        .prepare_cached("UPDATE message SET queue = ?2, returns = 0, message = ?3 WHERE id = ?1")?
        .execute(params![message, dead, died.to_bytes()])?;
    queues::grow(connection, queue, -1)?;
    queues::grow(connection, dead, 1)?;
    Ok(Some(dead))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::embedded::query_plan;

    #[test]
    fn a_long_queue_costs_a_claim_nothing() {
        let connection = Connection::open_in_memory().unwrap();
        connection.execute_batch(queues::SCHEMA[0]).unwrap();
        let steps = query_plan(&connection, CLAIM);
        assert_eq!(
            steps[0],
            "SEARCH message USING COVERING INDEX message_by_queue (queue=?)"
        );
        assert!(!steps.concat().contains("TEMP B-TREE"), "{steps:?}");
        let steps = query_plan(&connection, ACKNOWLEDGE);
        assert_eq!(steps[0], "SEARCH message USING INTEGER PRIMARY KEY (rowid=?)");
    }
}
