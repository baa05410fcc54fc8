//! Notifications in SQLite.

use std::{
    sync::Arc,
    time::{Duration, SystemTime},
};

use async_trait::async_trait;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;
use waybill::{
    clock::{Clock, from_unix_millis, unix_millis},
    embedded::{
        Database, purge,
        rusqlite::{self, OptionalExtension, Row, params, types::Type},
    },
    grpc::page::{Cursor, Page},
    store::Result,
};

use crate::{
    domain::notification::{Kind, Notification, State},
    ports::notifications::{Filter, Notifications},
};

const RECORD: &str = "
    INSERT INTO notifications (id, kind, state, user_id, order_id, subject, message_id, create_time_ms)
    VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8) ON CONFLICT DO NOTHING";

const ABOUT: &str = "SELECT * FROM notifications WHERE order_id = ?1";

const GET: &str = "SELECT * FROM notifications WHERE id = ?1";

const LIST_USER: &str = "
    SELECT * FROM notifications WHERE user_id = ?1 AND (create_time_ms, id) < (?2, ?3)
    ORDER BY create_time_ms DESC, id DESC LIMIT ?4";

const LIST_ORDER: &str = "
    SELECT * FROM notifications WHERE order_id = ?1 AND (create_time_ms, id) < (?2, ?3)
    ORDER BY create_time_ms DESC, id DESC LIMIT ?4";

const PURGE: &str = "
    DELETE FROM notifications WHERE id IN
    (SELECT id FROM notifications WHERE create_time_ms < ?1 LIMIT ?2)";

/// Before this, every record stands.
const FIRST: Cursor = Cursor {
    time_ms: i64::MAX,
    id: Uuid::max(),
};

/// Notifications in a SQLite table.
#[derive(Debug, Clone)]
pub struct SqliteNotifications(Database);

impl SqliteNotifications {
    /// Notifications in a database that has this adapter's [schema](super::MIGRATIONS).
    pub fn new(database: Database) -> Self {
        Self(database)
    }

    /// Forgets, now and then until `stop`, what is older than `retention`.
    pub async fn keep(self, retention: Duration, clock: Arc<dyn Clock>, stop: CancellationToken) {
        let remove = || self.remove_before(clock.now() - retention);
        purge::now_and_then("notifications", remove, stop).await;
    }

    /// Forgets some of those that were made before `time`, [`purge::BATCH`] at most. Answers how many.
    pub async fn remove_before(&self, time: SystemTime) -> Result<usize> {
        let before = unix_millis(time);
        self.0
            .write(move |connection| {
                let mut purge = connection.prepare_cached(PURGE)?;
                purge.execute(params![before, purge::BATCH])
            })
            .await
    }
}

#[async_trait]
impl Notifications for SqliteNotifications {
    async fn record(&self, notifications: &[Notification]) -> Result<()> {
        let notifications = notifications.to_vec();
        self.0
            .write(move |connection| {
                let mut record = connection.prepare_cached(RECORD)?;
                for n in &notifications {
                    record.execute(params![
                        n.id.as_bytes(),
                        n.kind.as_str(),
                        n.state.as_str(),
                        n.user_id.as_bytes(),
                        n.order_id.as_bytes(),
                        n.subject,
                        n.message_id,
                        unix_millis(n.create_time),
                    ])?;
                }
                Ok(())
            })
            .await
    }

    async fn about(&self, order_ids: &[Uuid]) -> Result<Vec<Notification>> {
        let order_ids = order_ids.to_vec();
        self.0
            .read(move |connection| {
                let mut about = connection.prepare_cached(ABOUT)?;
                let mut found = Vec::new();
                for order_id in &order_ids {
                    for one in about.query_map([order_id.as_bytes()], notification)? {
                        found.push(one?);
                    }
                }
                Ok(found)
            })
            .await
    }

    async fn get(&self, id: Uuid) -> Result<Option<Notification>> {
        self.0
            .read(move |connection| {
                let mut get = connection.prepare_cached(GET)?;
                get.query_row([id.as_bytes()], notification).optional()
            })
            .await
    }

    async fn list(&self, filter: Filter, page: Page) -> Result<Vec<Notification>> {
        let (sql, key) = match filter {
            Filter::User(id) => (LIST_USER, id),
            Filter::Order(id) => (LIST_ORDER, id),
        };
        let before = page.after.unwrap_or(FIRST);
        let limit = i64::try_from(page.size + 1).unwrap_or(i64::MAX);
        self.0
            .read(move |connection| {
                let mut list = connection.prepare_cached(sql)?;
                let rows = list.query_map(
                    params![key.as_bytes(), before.time_ms, before.id.as_bytes(), limit],
                    notification,
                )?;
                rows.collect()
            })
            .await
    }
}

fn notification(row: &Row<'_>) -> rusqlite::Result<Notification> {
    let uuid = |column| row.get(column).map(Uuid::from_bytes);
    Ok(Notification {
        id: uuid("id")?,
        kind: word(row, "kind", Kind::from_word)?,
        state: word(row, "state", State::from_word)?,
        user_id: uuid("user_id")?,
        order_id: uuid("order_id")?,
        subject: row.get("subject")?,
        message_id: row.get("message_id")?,
        create_time: from_unix_millis(row.get("create_time_ms")?),
    })
}

fn word<T>(row: &Row<'_>, column: &str, read: fn(&str) -> Option<T>) -> rusqlite::Result<T> {
    let word: String = row.get(column)?;
    read(&word).ok_or_else(|| {
        let text = format!("{column} {word:?} is not known");
        rusqlite::Error::FromSqlConversionFailure(
            row.as_ref().column_index(column).unwrap_or(0),
            Type::Text,
            text.into(),
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::adapters::sqlite::MIGRATIONS;

    fn plan(sql: &str) -> String {
        let connection = rusqlite::Connection::open_in_memory().unwrap();
        connection.execute_batch(&MIGRATIONS.concat()).unwrap();
        let mut statement = connection.prepare(&format!("EXPLAIN QUERY PLAN {sql}")).unwrap();
        let steps = statement.raw_query().mapped(|row| row.get::<_, String>(3));
        steps.collect::<rusqlite::Result<Vec<_>>>().unwrap().join("; ")
    }

    #[test]
    fn every_query_is_answered_by_an_index() {
        assert_eq!(plan(GET), "SEARCH notifications USING PRIMARY KEY (id=?)");
        assert_eq!(
            plan(ABOUT),
            "SEARCH notifications USING INDEX notifications_by_order (order_id=?)"
        );
        let of_order = plan(LIST_ORDER);
        assert!(
            of_order.starts_with("SEARCH notifications USING INDEX notifications_by_order"),
            "{of_order}"
        );
        assert!(
            plan(PURGE).contains("USING COVERING INDEX notifications_by_age (create_time_ms<?)"),
            "{}",
            plan(PURGE)
        );
        // In the order of the index, from where the page starts.
        assert_eq!(
            plan(LIST_USER),
            "SEARCH notifications USING INDEX notifications_by_user (user_id=? AND (create_time_ms,id)<(?,?))"
        );
    }
}
