//! Adapters for a machine with nothing else installed: store, outbox, inbox and broker on SQLite.
//!
//! They keep the promises of the real parts: what was answered survives a `kill -9`.

mod database;

pub use database::Database;
pub use rusqlite;
