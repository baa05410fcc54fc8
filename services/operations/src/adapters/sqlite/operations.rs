//! Operations, and who works on them.

use std::time::{Duration, SystemTime};

use async_trait::async_trait;
use uuid::Uuid;
use waybill::{
    clock::unix_millis,
    embedded::rusqlite::{self, Connection, OptionalExtension, Row, params},
    grpc::page::{Cursor, Page},
    store::Result,
};

use super::{SqliteOperations, rows};
use crate::{
    adapters::record::StoredOperation,
    domain::operation::Operation,
    ports::operations::{Operations, Work},
};

const CREATE: &str = "
    INSERT INTO operation (id, create_ms, ended, revision, data) VALUES (?1, ?2, ?3, ?4, ?5)
    ON CONFLICT DO NOTHING";

const GET: &str = "SELECT data FROM operation WHERE id = ?1";

const LIST: &str = "
    SELECT data FROM operation INDEXED BY operation_by_time WHERE (create_ms, id) < (?1, ?2)
    ORDER BY create_ms DESC, id DESC LIMIT ?3";

const SAVE: &str = "
    UPDATE operation SET ended = ?2, revision = ?3, data = ?4 WHERE id = ?1 AND revision = ?3 - 1";

const RUNNING: &str = "
    SELECT data FROM operation INDEXED BY operation_running WHERE ended = 0 ORDER BY create_ms, id LIMIT ?1";

const LEAD: &str = "
    INSERT INTO work_lease (only_row, holder, until_ms) VALUES (1, ?1, ?3)
    ON CONFLICT (only_row) DO UPDATE SET holder = ?1, until_ms = ?3
        WHERE holder = ?1 OR until_ms <= ?2";

const FORGET: &str = "
    DELETE FROM dead_letter WHERE id IN (
        SELECT id FROM dead_letter INDEXED BY letters_to_forget
        WHERE phase = 1 AND was_discarded = 0 AND changed_ms < ?1 LIMIT ?2)";

/// Before this, every operation stands.
const FIRST: Cursor = Cursor {
    time_ms: i64::MAX,
    id: Uuid::max(),
};

#[async_trait]
impl Operations for SqliteOperations {
    async fn create(&self, operation: &Operation) -> Result<Option<Operation>> {
        let operation = operation.clone();
        let data = rows::json(&StoredOperation::from(&operation));
        self.0
            .write(move |connection| {
                let id = operation.order.id;
                let created = connection.prepare_cached(CREATE)?.execute(params![
                    id.as_bytes(),
                    unix_millis(operation.order.time),
                    operation.end.is_some(),
                    operation.revision,
                    data
                ])?;
                if created == 1 {
                    Ok(None)
                } else {
                    get(connection, id)
                }
            })
            .await
    }

    async fn get(&self, id: Uuid) -> Result<Option<Operation>> {
        self.0.read(move |connection| get(connection, id)).await
    }

    async fn list(&self, page: Page) -> Result<Vec<Operation>> {
        let before = page.after.unwrap_or(FIRST);
        let limit = i64::try_from(page.size + 1).unwrap_or(i64::MAX);
        self.0
            .read(move |connection| {
                let mut statement = connection.prepare_cached(LIST)?;
                let parameters = params![before.time_ms, before.id.as_bytes(), limit];
                statement.query_map(parameters, operation)?.collect()
            })
            .await
    }

    async fn save(&self, operation: &Operation) -> Result<bool> {
        let operation = operation.clone();
        let data = rows::json(&StoredOperation::from(&operation));
        self.0
            .write(move |connection| {
                let saved = connection.prepare_cached(SAVE)?.execute(params![
                    operation.order.id.as_bytes(),
                    operation.end.is_some(),
                    operation.revision,
                    data
                ])?;
                Ok(saved == 1)
            })
            .await
    }
}

fn get(connection: &Connection, id: Uuid) -> rusqlite::Result<Option<Operation>> {
    connection
        .prepare_cached(GET)?
        .query_row([id.as_bytes()], operation)
        .optional()
}

fn operation(row: &Row<'_>) -> rusqlite::Result<Operation> {
    let stored: StoredOperation = rows::from_json(row, 0)?;
    stored.try_into().map_err(|error| rows::unreadable(0, error))
}

#[async_trait]
impl Work for SqliteOperations {
    async fn running(&self, limit: usize) -> Result<Vec<Operation>> {
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        self.0
            .read(move |connection| {
                let mut statement = connection.prepare_cached(RUNNING)?;
                statement.query_map([limit], operation)?.collect()
            })
            .await
    }

    async fn try_lead(&self, holder: &str, now: SystemTime, lease: Duration) -> Result<bool> {
        let holder = holder.to_owned();
        let (now, until) = (unix_millis(now), unix_millis(now + lease));
        self.0
            .write_repeatable(move |connection| {
                let led = connection
                    .prepare_cached(LEAD)?
                    .execute(params![holder, now, until])?;
                Ok(led == 1)
            })
            .await
    }

    async fn forget_replayed(&self, before: SystemTime, limit: usize) -> Result<u64> {
        let (before, limit) = (unix_millis(before), i64::try_from(limit).unwrap_or(i64::MAX));
        self.0
            .write(move |connection| {
                let forgotten = connection
                    .prepare_cached(FORGET)?
                    .execute(params![before, limit])?;
                Ok(forgotten as u64)
            })
            .await
    }
}
