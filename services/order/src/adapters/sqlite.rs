//! Orders in a SQLite file. The order and its event are written in one transaction.

mod rows;

use async_trait::async_trait;
use uuid::Uuid;
use waybill::{
    clock::unix_millis,
    embedded::{
        Database, outbox,
        rusqlite::{self, Connection, OptionalExtension, named_params},
    },
    message::Message,
    outbox::Entry,
    store::Result,
};

use self::rows::{COLUMNS, StoredOrder};
use super::record::OrderRecord;
use crate::{
    domain::Order,
    ports::{Insert, OrderQueries, OrderRepository, Position, Recorded, Request, Update},
};

/// The schema, in steps that are only ever added to.
pub const MIGRATIONS: &[&str] = &[outbox::SCHEMA, rows::SCHEMA];

/// Keeps orders in a SQLite file whose schema is [`MIGRATIONS`].
#[derive(Debug, Clone)]
pub struct SqliteOrderRepository {
    database: Database,
}

impl SqliteOrderRepository {
    /// The orders in `database`.
    pub fn new(database: Database) -> Self {
        Self { database }
    }

    /// The one order for which `condition` holds, where `:key` stands for `key`.
    async fn one(&self, condition: &'static str, key: Uuid) -> Result<Option<StoredOrder>> {
        self.database.read(move |c| find(c, condition, key)).await
    }
}

#[async_trait]
impl OrderRepository for SqliteOrderRepository {
    async fn insert(&self, order: &Order, request: Request, event: Message) -> Result<Insert> {
        let record = OrderRecord::of(order)?;
        let entry = entry(order.id(), event);
        let stored = entry.clone();
        let first = self
            .database
            .write(move |c| {
                if rows::insert(c, &record, request)? {
                    outbox::insert(c, &[entry])?;
                    return Ok(None);
                }
                find(c, "request_id = :key", request.id)
            })
            .await?;
        Ok(match first {
            None => Insert::Stored(stored),
            Some(first) => Insert::Repeated(Recorded {
                fingerprint: first.fingerprint,
                order: first.record.into_order()?,
            }),
        })
    }

    async fn cancel(&self, order: &Order, request: Request, event: Message) -> Result<Update> {
        let (order_id, version) = (order.id(), order.version());
        let (time, reason) = (order.update_time(), order.cancel_reason().to_owned());
        let entry = entry(order_id, event);
        self.database
            .write(move |c| {
                let used: Option<[u8; 16]> = c
                    .prepare_cached("SELECT order_id FROM orders WHERE cancel_request_id = ?1")?
                    .query_row([request.id.as_bytes()], |row| row.get(0))
                    .optional()?;
                if used.is_some_and(|other| other != *order_id.as_bytes()) {
                    return Ok(Update::RequestUsed);
                }
                let updated = c.prepare_cached(rows::CANCEL)?.execute(named_params! {
                    ":order_id": order_id.as_bytes(),
                    ":version": version,
                    ":request_id": request.id.as_bytes(),
                    ":fingerprint": request.fingerprint,
                    ":time_ms": unix_millis(time),
                    ":reason": reason,
                })?;
                if updated == 0 {
                    return Ok(Update::Moved);
                }
                outbox::insert(c, std::slice::from_ref(&entry))?;
                Ok(Update::Stored(entry))
            })
            .await
    }

    async fn cancelled_by(&self, request_id: Uuid) -> Result<Option<Recorded>> {
        let Some(stored) = self.one("cancel_request_id = :key", request_id).await? else {
            return Ok(None);
        };
        let fingerprint = stored.cancel_fingerprint.unwrap_or_default();
        let order = stored.record.into_order()?;
        Ok(Some(Recorded { order, fingerprint }))
    }
}

#[async_trait]
impl OrderQueries for SqliteOrderRepository {
    async fn find(&self, order_id: Uuid) -> Result<Option<Order>> {
        let stored = self.one("order_id = :key", order_id).await?;
        stored.map(|stored| stored.record.into_order()).transpose()
    }

    async fn list(&self, user_id: Uuid, after: Option<Position>, limit: usize) -> Result<Vec<Order>> {
        let (before_ms, before_id) = after.map_or((i64::MAX, Uuid::max()), |position| {
            (unix_millis(position.create_time), position.order_id)
        });
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        let stored: Vec<StoredOrder> = self
            .database
            .read(move |c| {
                c.prepare_cached(&rows::list())?
                    .query_map(
                        named_params! {
                            ":user_id": user_id.as_bytes(),
                            ":before_ms": before_ms,
                            ":before_id": before_id.as_bytes(),
                            ":limit": limit,
                        },
                        StoredOrder::read,
                    )?
                    .collect()
            })
            .await?;
        stored
            .into_iter()
            .map(|order| order.record.into_order())
            .collect()
    }

    async fn versions(&self, order_ids: &[Uuid]) -> Result<Vec<(Uuid, i64)>> {
        let order_ids = order_ids.to_vec();
        self.database
            .read(move |c| {
                let mut statement = c.prepare_cached("SELECT version FROM orders WHERE order_id = ?1")?;
                let mut versions = Vec::with_capacity(order_ids.len());
                for id in order_ids {
                    let version = statement
                        .query_row([id.as_bytes()], |row| row.get(0))
                        .optional()?;
                    versions.extend(version.map(|version| (id, version)));
                }
                Ok(versions)
            })
            .await
    }
}

fn find(c: &Connection, condition: &str, key: Uuid) -> rusqlite::Result<Option<StoredOrder>> {
    c.prepare_cached(&format!("SELECT {COLUMNS} FROM orders WHERE {condition}"))?
        .query_row(named_params! {":key": key.as_bytes()}, StoredOrder::read)
        .optional()
}

fn entry(order_id: Uuid, message: Message) -> Entry {
    Entry {
        owner: order_id.to_string(),
        message,
    }
}

#[cfg(test)]
mod tests;
