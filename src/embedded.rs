//! Adapters for a machine with nothing else installed: store, outbox, inbox and broker on SQLite.
//!
//! They keep the promises of the real parts: what was answered survives a `kill -9`.

mod broker;
mod database;
pub mod inbox;
pub mod outbox;
pub mod purge;
mod stored_message;
pub mod stories;
mod taps;

use std::time::Duration;

pub use broker::EmbeddedBroker;
pub use database::Database;
#[doc(hidden)]
pub use database::statements::{Statements, watch as watch_statements};
pub use inbox::SqliteInbox;
pub use outbox::SqliteOutbox;
pub use rusqlite;
pub use stories::SqliteStories;
pub use taps::EmbeddedTaps;

/// `duration` in whole milliseconds, as rows hold it.
fn duration_millis(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)
}

/// Every step of the plan that SQLite makes for `sql`, with its parameters unset.
#[cfg(test)]
fn query_plan(connection: &rusqlite::Connection, sql: &str) -> Vec<String> {
    let mut statement = connection.prepare(&format!("EXPLAIN QUERY PLAN {sql}")).unwrap();
    let steps = statement.raw_query().mapped(|row| row.get(3));
    steps.collect::<rusqlite::Result<_>>().unwrap()
}
