//! Letters on their way through a batch.

use async_trait::async_trait;
use uuid::Uuid;
use waybill::{
    clock::{from_unix_millis, unix_millis},
    embedded::rusqlite::{self, Connection, params, params_from_iter, types::Value},
    message::Message,
    store::Result,
};

use super::{
    SqliteOperations,
    letters::hex,
    query::Query,
    rows::{self, LETTER, MESSAGE},
};
use crate::{
    adapters::record::StoredAction,
    domain::{
        dead_letter::{Action, DeadLetter, MAX_ACTIONS, Phase},
        filter::{Filter, Selection},
        operation::Kind,
    },
    ports::batches::{Batches, Left, Mark, Sending},
};

const IN_BATCH: &str = "SELECT count(*) FROM dead_letter INDEXED BY letters_by_batch WHERE batch = ?1";

const LEFT: &str = "
    SELECT count(*) FILTER (WHERE state IN ('MARKED', 'STAGED')), count(*) FILTER (WHERE state = 'REFUSED')
    FROM dead_letter INDEXED BY letters_by_batch WHERE batch = ?1";

const MARK_IDS: &str = "
    UPDATE dead_letter SET state = 'MARKED', operation = ?2, batch = ?3
    WHERE id IN (SELECT unhex(value) FROM json_each(?1)) AND state = 'WAITING' AND operation IS NOT ?2";

/// What is staged already only gets another id.
const RESTAGE: &str = "
    UPDATE dead_letter INDEXED BY letters_by_batch SET staging = ?2 WHERE batch = ?1 AND state = 'STAGED'";

const FORWARDED: &str = "
    UPDATE dead_letter SET state = ?3
    WHERE id IN (SELECT unhex(value) FROM json_each(?1)) AND staging = ?2 AND state = 'STAGED'";

const REPLAYED: &str = "
    UPDATE dead_letter INDEXED BY letters_by_batch
    SET phase = 1, state = 'REPLAYED', batch = NULL, staging = NULL, changed_ms = ?2
    WHERE batch = ?1 AND state = 'FORWARDED'";

const WAITS_AGAIN: &str = "
    UPDATE dead_letter INDEXED BY letters_by_batch SET state = 'WAITING', batch = NULL, staging = NULL
    WHERE batch = ?1 AND state = 'REFUSED'";

/// Marks up to `?N` letters that match and wait.
fn mark_matching(mark: &Mark, filter: &Filter) -> (String, Vec<Value>) {
    let after_until = from_unix_millis(unix_millis(mark.until).saturating_add(1));
    let filter = Filter {
        failed_before: Some(
            filter
                .failed_before
                .map_or(after_until, |before| before.min(after_until)),
        ),
        ..filter.clone()
    };
    let mut query = Query::of(Phase::Open, &filter, None);
    let operation = query.bind(mark.operation.as_bytes().to_vec());
    query.and(&format!("state = 'WAITING' AND operation IS NOT {operation}"));
    let batch = query.bind(mark.batch.as_bytes().to_vec());
    let limit = query.bind(i64::try_from(mark.limit).unwrap_or(i64::MAX));
    let from = &query.from;
    let sql = format!(
        "UPDATE dead_letter SET state = 'MARKED', operation = {operation}, batch = {batch}
         WHERE id IN (SELECT id FROM {from} ORDER BY last_failure_ms, id LIMIT {limit})"
    );
    (sql, query.values)
}

/// Moves marked letters of `?1` on, each remembering the action `?2`; `set` says where.
fn marked_on(set: &str) -> String {
    format!(
        "UPDATE dead_letter INDEXED BY letters_by_batch SET {set}, actions = json_insert(
             CASE WHEN json_array_length(actions) < {MAX_ACTIONS} THEN actions ELSE json_remove(actions, '$[0]') END,
             '$[#]', json(?2))
         WHERE batch = ?1 AND state = 'MARKED'"
    )
}

fn stage_marked() -> String {
    marked_on("state = 'STAGED', staging = ?3")
}

fn discard() -> String {
    marked_on("phase = 2, state = 'DISCARDED', batch = NULL, was_discarded = 1, changed_ms = ?3")
}

fn staged() -> String {
    format!(
        "SELECT {LETTER}, {MESSAGE} FROM dead_letter INDEXED BY letters_by_batch
         WHERE batch = ?1 AND state = 'STAGED' AND staging = ?2 ORDER BY last_failure_ms, id LIMIT ?3"
    )
}

#[async_trait]
impl Batches for SqliteOperations {
    async fn mark(&self, mark: &Mark) -> Result<u64> {
        let mark = mark.clone();
        self.0.write(move |connection| mark_in(connection, &mark)).await
    }

    async fn stage(&self, batch: Uuid, staging: Uuid, action: &Action) -> Result<()> {
        let action = rows::json(&StoredAction::from(action));
        self.0
            .write(move |connection| {
                let (batch, staging) = (batch.as_bytes(), staging.as_bytes());
                connection
                    .prepare_cached(RESTAGE)?
                    .execute(params![batch, staging])?;
                connection
                    .prepare_cached(&stage_marked())?
                    .execute(params![batch, action, staging])
                    .map(drop)
            })
            .await
    }

    async fn left(&self, batch: Uuid) -> Result<Left> {
        self.0
            .read(move |connection| {
                connection
                    .prepare_cached(LEFT)?
                    .query_row([batch.as_bytes()], |row| {
                        Ok(Left {
                            unsent: row.get::<_, u32>(0)?.into(),
                            refused: row.get::<_, u32>(1)?.into(),
                        })
                    })
            })
            .await
    }

    async fn end(&self, batch: Uuid, kind: Kind, action: &Action) -> Result<()> {
        let (now, action) = (unix_millis(action.time), rows::json(&StoredAction::from(action)));
        self.0
            .write(move |connection| {
                let batch = batch.as_bytes();
                match kind {
                    Kind::Replay => {
                        connection
                            .prepare_cached(REPLAYED)?
                            .execute(params![batch, now])?;
                        connection.prepare_cached(WAITS_AGAIN)?.execute([batch])
                    }
                    Kind::Discard => connection
                        .prepare_cached(&discard())?
                        .execute(params![batch, action, now]),
                }
                .map(drop)
            })
            .await
    }
}

fn mark_in(connection: &Connection, mark: &Mark) -> rusqlite::Result<u64> {
    let in_batch = || {
        let mut count = connection.prepare_cached(IN_BATCH)?;
        count.query_row([mark.batch.as_bytes()], |row| row.get::<_, u32>(0))
    };
    if in_batch()? == 0 {
        match &mark.selection {
            Selection::Ids(ids) => connection.prepare_cached(MARK_IDS)?.execute(params![
                hex(ids),
                mark.operation.as_bytes(),
                mark.batch.as_bytes()
            ])?,
            Selection::Filter(filter) => {
                let (sql, values) = mark_matching(mark, filter);
                connection
                    .prepare_cached(&sql)?
                    .execute(params_from_iter(values))?
            }
        };
    }
    in_batch().map(u64::from)
}

#[async_trait]
impl Sending for SqliteOperations {
    async fn staged(&self, batch: Uuid, staging: Uuid, limit: usize) -> Result<Vec<(DeadLetter, Message)>> {
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        self.0
            .read(move |connection| {
                let mut statement = connection.prepare_cached(&staged())?;
                let found = statement.query_map(
                    params![batch.as_bytes(), staging.as_bytes(), limit],
                    rows::letter_and_message,
                )?;
                found.collect()
            })
            .await
    }

    async fn forwarded(&self, staging: Uuid, ids: &[Uuid]) -> Result<()> {
        self.sent(staging, ids, "FORWARDED").await
    }

    async fn refused(&self, staging: Uuid, ids: &[Uuid]) -> Result<()> {
        self.sent(staging, ids, "REFUSED").await
    }
}

impl SqliteOperations {
    async fn sent(&self, staging: Uuid, ids: &[Uuid], state: &'static str) -> Result<()> {
        let ids = hex(ids);
        self.0
            .write(move |connection| {
                connection
                    .prepare_cached(FORWARDED)?
                    .execute(params![ids, staging.as_bytes(), state])
                    .map(drop)
            })
            .await
    }
}
