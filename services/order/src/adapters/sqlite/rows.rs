//! The table of orders, and how its rows are read and written.

use uuid::Uuid;
use waybill::{
    clock::{from_unix_millis, unix_millis},
    embedded::rusqlite::{self, Connection, Row, named_params, types::Type},
};

use crate::{
    adapters::record::{Cancellation, OrderRecord},
    ports::{Fingerprint, Request},
};

/// The table. Its key is the placement's request id: that is what makes a repeated request one order.
pub(super) const SCHEMA: &str = "
    CREATE TABLE orders (
        request_id BLOB PRIMARY KEY,
        fingerprint BLOB NOT NULL,
        order_id BLOB NOT NULL UNIQUE,
        user_id BLOB NOT NULL,
        currency TEXT NOT NULL,
        items TEXT NOT NULL,
        version INTEGER NOT NULL,
        create_time_ms INTEGER NOT NULL,
        cancel_request_id BLOB UNIQUE,
        cancel_fingerprint BLOB,
        cancel_time_ms INTEGER,
        cancel_reason TEXT
    ) STRICT;
    CREATE INDEX orders_by_user ON orders (user_id, create_time_ms DESC, order_id DESC);";

/// What [`StoredOrder::read`] reads.
pub(super) const COLUMNS: &str = "order_id, user_id, currency, items, create_time_ms, \
    fingerprint, cancel_fingerprint, cancel_time_ms, cancel_reason";

/// Cancels an order that is at the version before.
pub(super) const CANCEL: &str = "
    UPDATE orders SET version = :version, cancel_request_id = :request_id,
        cancel_fingerprint = :fingerprint, cancel_time_ms = :time_ms, cancel_reason = :reason
    WHERE order_id = :order_id AND version = :version - 1";

const INSERT: &str = "
    INSERT INTO orders (request_id, fingerprint, order_id, user_id, currency, items, version, create_time_ms)
    VALUES (:request_id, :fingerprint, :order_id, :user_id, :currency, :items, 1, :create_time_ms)
    ON CONFLICT (request_id) DO NOTHING";

/// One page of a user's orders.
pub(super) fn list() -> String {
    format!(
        "SELECT {COLUMNS} FROM orders
         WHERE user_id = :user_id AND (create_time_ms, order_id) < (:before_ms, :before_id)
         ORDER BY create_time_ms DESC, order_id DESC LIMIT :limit"
    )
}

/// Stores an order that was placed. `false` when the request's id has placed one before.
pub(super) fn insert(c: &Connection, record: &OrderRecord, request: Request) -> rusqlite::Result<bool> {
    let items = serde_json::to_string(&record.items)
        .map_err(|error| rusqlite::Error::ToSqlConversionFailure(error.into()))?;
    let inserted = c.prepare_cached(INSERT)?.execute(named_params! {
        ":request_id": request.id.as_bytes(),
        ":fingerprint": request.fingerprint,
        ":order_id": record.order_id.as_bytes(),
        ":user_id": record.user_id.as_bytes(),
        ":currency": record.currency,
        ":items": items,
        ":create_time_ms": unix_millis(record.create_time),
    })?;
    Ok(inserted == 1)
}

/// An order with the fingerprints of the requests that made it what it is.
pub(super) struct StoredOrder {
    pub(super) record: OrderRecord,
    pub(super) fingerprint: Fingerprint,
    pub(super) cancel_fingerprint: Option<Fingerprint>,
}

impl StoredOrder {
    /// Reads a row of [`COLUMNS`].
    pub(super) fn read(row: &Row<'_>) -> rusqlite::Result<Self> {
        let items: String = row.get("items")?;
        let items = serde_json::from_str(&items)
            .map_err(|error| rusqlite::Error::FromSqlConversionFailure(3, Type::Text, error.into()))?;
        let cancel_time_ms: Option<i64> = row.get("cancel_time_ms")?;
        let cancel_reason: Option<String> = row.get("cancel_reason")?;
        Ok(Self {
            record: OrderRecord {
                order_id: Uuid::from_bytes(row.get("order_id")?),
                user_id: Uuid::from_bytes(row.get("user_id")?),
                currency: row.get("currency")?,
                items,
                create_time: from_unix_millis(row.get("create_time_ms")?),
                cancellation: cancel_time_ms.map(|ms| Cancellation {
                    time: from_unix_millis(ms),
                    reason: cancel_reason.unwrap_or_default(),
                }),
            },
            fingerprint: row.get("fingerprint")?,
            cancel_fingerprint: row.get("cancel_fingerprint")?,
        })
    }
}
