//! Failures in, letters out.

use async_trait::async_trait;
use uuid::Uuid;
use waybill::{
    clock::from_unix_millis,
    embedded::rusqlite::{self, Connection, OptionalExtension, params_from_iter},
    grpc::page::Page,
    message::Message,
    store::Result,
};

use super::{
    SqliteOperations,
    query::Query,
    rows::{self, LETTER, MESSAGE},
};
use crate::{
    domain::{
        dead_letter::{DeadLetter, Failed, Phase},
        filter::{Cause, Filter},
    },
    ports::dead_letters::{DeadLetters, Intake},
};

const WAITING: &str = "
    SELECT count(*) FROM json_each(?1) JOIN dead_letter ON dead_letter.id = unhex(value)
    WHERE state = 'WAITING'";

#[async_trait]
impl Intake for SqliteOperations {
    async fn record(&self, failures: &[Failed]) -> Result<()> {
        let failures = failures.to_vec();
        self.0
            .write(move |connection| {
                failures
                    .iter()
                    .try_for_each(|failed| record_one(connection, failed))
            })
            .await
    }
}

fn record_one(connection: &Connection, failed: &Failed) -> rusqlite::Result<()> {
    let known = connection
        .prepare_cached(&format!("SELECT {LETTER} FROM dead_letter WHERE id = ?1"))?
        .query_row([failed.dead_letter.id.as_bytes()], rows::letter)
        .optional()?;
    let letter = match known {
        None => Some(failed.dead_letter.clone()),
        Some(known) => known.failed_again(failed),
    };
    letter.map_or(Ok(()), |letter| rows::save(connection, &letter, failed))
}

#[async_trait]
impl DeadLetters for SqliteOperations {
    async fn get(&self, id: Uuid) -> Result<Option<(DeadLetter, Message)>> {
        self.0
            .read(move |connection| {
                connection
                    .prepare_cached(&format!(
                        "SELECT {LETTER}, {MESSAGE} FROM dead_letter WHERE id = ?1"
                    ))?
                    .query_row([id.as_bytes()], rows::letter_and_message)
                    .optional()
            })
            .await
    }

    async fn list(&self, phase: Phase, filter: &Filter, page: Page) -> Result<Vec<DeadLetter>> {
        let (sql, query) = list(phase, filter, page);
        self.0
            .read(move |connection| {
                let mut statement = connection.prepare_cached(&sql)?;
                let found = statement.query_map(params_from_iter(query.values), rows::letter)?;
                found.collect()
            })
            .await
    }

    async fn causes(&self, filter: &Filter, limit: usize) -> Result<Vec<Cause>> {
        let (sql, query) = causes(filter, limit);
        self.0
            .read(move |connection| {
                let mut statement = connection.prepare_cached(&sql)?;
                let found = statement.query_map(params_from_iter(query.values), |row| {
                    Ok(Cause {
                        consumer: row.get(0)?,
                        event_type: row.get(1)?,
                        reason: row.get(2)?,
                        count: row.get::<_, u32>(3)?.into(),
                        oldest: from_unix_millis(row.get(4)?),
                        newest: from_unix_millis(row.get(5)?),
                    })
                })?;
                found.collect()
            })
            .await
    }

    async fn waiting(&self, ids: &[Uuid]) -> Result<u64> {
        let ids = hex(ids);
        self.0
            .read(move |connection| {
                let count: u32 = connection
                    .prepare_cached(WAITING)?
                    .query_row([ids], |row| row.get(0))?;
                Ok(count.into())
            })
            .await
    }
}

/// Ids as a JSON array of hexadecimal digits.
pub(super) fn hex(ids: &[Uuid]) -> String {
    let ids: Vec<_> = ids.iter().map(|id| id.simple().to_string()).collect();
    rows::json(&ids)
}

fn list(phase: Phase, filter: &Filter, page: Page) -> (String, Query) {
    let mut query = Query::of(phase, filter, page.after);
    let limit = query.bind(i64::try_from(page.size + 1).unwrap_or(i64::MAX));
    let from = &query.from;
    let sql = format!("SELECT {LETTER} FROM {from} ORDER BY last_failure_ms DESC, id DESC LIMIT {limit}");
    (sql, query)
}

fn causes(filter: &Filter, limit: usize) -> (String, Query) {
    let mut query = Query::of(Phase::Open, filter, None);
    let limit = query.bind(i64::try_from(limit).unwrap_or(i64::MAX));
    let from = &query.from;
    let sql = format!(
        "SELECT consumer, event_type, reason, count(*), min(last_failure_ms), max(last_failure_ms)
         FROM (SELECT consumer, event_type, reason, last_failure_ms FROM {from}
               ORDER BY last_failure_ms DESC, id DESC LIMIT {limit})
         GROUP BY consumer, event_type, reason"
    );
    (sql, query)
}

#[cfg(test)]
mod tests {
    use waybill::grpc::page::Cursor;

    use super::{super::MIGRATIONS, *};

    fn plan(sql: &str) -> String {
        let connection = Connection::open_in_memory().unwrap();
        connection.execute_batch(MIGRATIONS[0]).unwrap();
        let mut statement = connection.prepare(&format!("EXPLAIN QUERY PLAN {sql}")).unwrap();
        let steps = statement.raw_query().mapped(|row| row.get::<_, String>(3));
        steps.collect::<rusqlite::Result<Vec<_>>>().unwrap().join("; ")
    }

    /// Every set of things that letters may be looked for by.
    fn filters() -> Vec<Filter> {
        let set = |n: u32, bit: u32| (n & (1 << bit) != 0).then(|| "x".to_owned());
        let time = |n: u32, bit: u32| (n & (1 << bit) != 0).then(|| from_unix_millis(1));
        let filter = |n| Filter {
            consumer: set(n, 0),
            event_type: set(n, 1),
            reason: set(n, 2),
            order_id: set(n, 3),
            failed_since: time(n, 4),
            failed_before: time(n, 5),
        };
        (0..64).map(filter).collect()
    }

    #[test]
    fn every_list_is_read_in_the_order_of_an_index_from_where_its_page_starts() {
        let after = Some(Cursor {
            time_ms: 1,
            id: Uuid::nil(),
        });
        for filter in filters() {
            for after in [None, after] {
                let plan = plan(&list(Phase::Open, &filter, Page { size: 1, after }).0);
                assert!(
                    plan.starts_with("SEARCH dead_letter USING INDEX letters_by_"),
                    "{plan}"
                );
                assert!(
                    plan.contains("last_failure_ms") && !plan.contains("TEMP B-TREE"),
                    "{plan}"
                );
            }
            let plan = plan(&causes(&filter, 1).0);
            assert!(plan.contains("SEARCH dead_letter USING "), "{plan}");
        }
    }
}
