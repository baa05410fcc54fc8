//! Messages in wait queues, which go back to their queue when they are due.

use std::collections::BTreeSet;

use rusqlite::Connection;

use super::queues;

/// Messages moved in one transaction, so that nobody waits long behind it.
const MAX_MOVED: u32 = 1000;

const ANYTHING_DUE: &str = "
    SELECT EXISTS (SELECT 1 FROM message WHERE due_ms <= ?1)
        OR EXISTS (SELECT 1 FROM batch WHERE until_ms < ?1)";

/// The messages that are due at `?1`, at most `?2`, with where they are and where they go.
const DUE: &str = "
    SELECT message.id, queue.id, queue.hands_back_to
    FROM message JOIN queue ON queue.id = message.queue
    WHERE due_ms <= ?1 ORDER BY due_ms LIMIT ?2";

/// Whether a message is due or a batch has run out at `now_ms`: a look that costs no write.
pub(super) fn anything_due(connection: &Connection, now_ms: i64) -> rusqlite::Result<bool> {
    connection
        .prepare_cached(ANYTHING_DUE)?
        .query_row([now_ms], |row| row.get(0))
}

/// Moves messages that are due at `now_ms`, the longest overdue first. Answers to which queues.
pub(super) fn hand_back_due(connection: &Connection, now_ms: i64) -> rusqlite::Result<BTreeSet<i64>> {
    let due: Vec<(i64, i64, i64)> = connection
        .prepare_cached(DUE)?
        .query_map([now_ms, i64::from(MAX_MOVED)], |row| {
            Ok((row.get(0)?, row.get(1)?, row.get(2)?))
        })?
        .collect::<rusqlite::Result<_>>()?;
    let mut queues = BTreeSet::new();
    let mut hand_back = connection
        .prepare_cached("UPDATE message SET queue = ?2, due_ms = NULL, returns = 0 WHERE id = ?1")?;
    for (message, from, to) in due {
        hand_back.execute([message, to])?;
        queues::grow(connection, from, -1)?;
        queues::grow(connection, to, 1)?;
        queues.insert(to);
    }
    Ok(queues)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::embedded::query_plan;

    #[test]
    fn looking_for_what_is_due_reads_nothing_else() {
        let connection = Connection::open_in_memory().unwrap();
        connection.execute_batch(queues::SCHEMA[0]).unwrap();
        let search = "message USING INDEX message_by_due (due_ms<?)";
        assert_eq!(query_plan(&connection, DUE)[0], format!("SEARCH {search}"));
        let steps = query_plan(&connection, ANYTHING_DUE).join("; ");
        assert!(steps.contains("message_by_due (due_ms<?)"), "{steps}");
    }
}
