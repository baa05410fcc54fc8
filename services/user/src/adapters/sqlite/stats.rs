//! Statistics in SQLite: one row a user, and one a user and currency.
//!
//! Units and nanos of a sum grow apart and are brought together when they are read, so a sum is exact
//! and may reach 9.2 × 10^18 units (`i64`). A change that would go beyond fails and leaves what was there.

use async_trait::async_trait;
use uuid::Uuid;
use waybill::{
    clock::{from_unix_millis, unix_millis},
    embedded::{
        Database,
        rusqlite::{self, Connection, OptionalExtension, Row, params, types::Type},
    },
    store::Result,
};

use crate::{
    domain::{
        amount::{Amount, Currency},
        stats::{OrderStats, StatsChange},
    },
    ports::StatsRepository,
};

/// The tables. `STRICT` makes a sum that overflows an error, where SQLite would go on with a float.
pub(super) const SCHEMA: &str = "
    CREATE TABLE order_stats (
        user_id BLOB PRIMARY KEY,
        placed INTEGER NOT NULL,
        cancelled INTEGER NOT NULL,
        last_order_ms INTEGER
    ) STRICT, WITHOUT ROWID;
    CREATE TABLE order_totals (
        user_id BLOB NOT NULL,
        currency TEXT NOT NULL,
        units INTEGER NOT NULL,
        nanos INTEGER NOT NULL,
        PRIMARY KEY (user_id, currency)
    ) STRICT, WITHOUT ROWID;";

const ADD_STATS: &str = "
    INSERT INTO order_stats (user_id, placed, cancelled, last_order_ms) VALUES (?1, ?2, ?3, ?4)
    ON CONFLICT (user_id) DO UPDATE SET
        placed = placed + excluded.placed,
        cancelled = cancelled + excluded.cancelled,
        last_order_ms = max(ifnull(last_order_ms, excluded.last_order_ms),
                            ifnull(excluded.last_order_ms, last_order_ms))";

const ADD_TOTAL: &str = "
    INSERT INTO order_totals (user_id, currency, units, nanos) VALUES (?1, ?2, ?3, ?4)
    ON CONFLICT (user_id, currency) DO UPDATE SET
        units = units + excluded.units,
        nanos = nanos + excluded.nanos";

const STATS: &str = "SELECT placed, cancelled, last_order_ms FROM order_stats WHERE user_id = ?1";

const TOTALS: &str = "SELECT currency, units, nanos FROM order_totals WHERE user_id = ?1";

/// Adds to statistics, in the caller's transaction: the effects of a
/// [`SqliteInbox`](waybill::embedded::SqliteInbox).
pub fn apply(connection: &Connection, changes: &[StatsChange]) -> rusqlite::Result<()> {
    let mut add_stats = connection.prepare_cached(ADD_STATS)?;
    let mut add_total = connection.prepare_cached(ADD_TOTAL)?;
    for StatsChange { user_id, added } in StatsChange::merge(changes) {
        let last_order_ms = added.last_order_time.map(unix_millis);
        add_stats.execute(params![
            user_id.as_bytes(),
            added.placed,
            added.cancelled,
            last_order_ms
        ])?;
        for (currency, amount) in added.spent {
            let (units, nanos) = amount
                .parts()
                .ok_or_else(|| rusqlite::Error::ToSqlConversionFailure("sum is too large".into()))?;
            add_total.execute(params![user_id.as_bytes(), currency.as_str(), units, nanos])?;
        }
    }
    Ok(())
}

/// Statistics in a database whose schema is that of [`MIGRATIONS`](super::MIGRATIONS).
#[derive(Debug, Clone)]
pub struct SqliteStatsRepository {
    database: Database,
}

impl SqliteStatsRepository {
    /// The statistics in `database`.
    pub fn new(database: Database) -> Self {
        Self { database }
    }
}

#[async_trait]
impl StatsRepository for SqliteStatsRepository {
    async fn find(&self, user_id: Uuid) -> Result<Option<OrderStats>> {
        self.database.read(move |c| find(c, user_id)).await
    }
}

fn find(connection: &Connection, user_id: Uuid) -> rusqlite::Result<Option<OrderStats>> {
    // One transaction, so that counts and sums are of the same moment.
    let transaction = connection.unchecked_transaction()?;
    let stats = transaction
        .prepare_cached(STATS)?
        .query_row([user_id.as_bytes()], |row| {
            Ok(OrderStats {
                placed: row.get(0)?,
                cancelled: row.get(1)?,
                last_order_time: row.get::<_, Option<i64>>(2)?.map(from_unix_millis),
                ..OrderStats::default()
            })
        })
        .optional()?;
    let Some(mut stats) = stats else {
        return Ok(None);
    };
    stats.spent = transaction
        .prepare_cached(TOTALS)?
        .query_map([user_id.as_bytes()], total)?
        .collect::<rusqlite::Result<_>>()?;
    Ok(Some(stats))
}

fn total(row: &Row<'_>) -> rusqlite::Result<(Currency, Amount)> {
    let currency = Currency::parse(row.get_ref(0)?.as_str()?)
        .ok_or_else(|| rusqlite::Error::FromSqlConversionFailure(0, Type::Text, "no currency code".into()))?;
    Ok((currency, Amount::new(row.get(1)?, row.get(2)?)))
}
