//! Adapters for a machine with nothing else installed: store, outbox, inbox and broker on SQLite.
//!
//! They keep the promises of the real parts: what was answered survives a `kill -9`.

mod database;
pub mod inbox;
pub mod outbox;
mod stored_message;

pub use database::Database;
pub use inbox::SqliteInbox;
pub use outbox::SqliteOutbox;
pub use rusqlite;
