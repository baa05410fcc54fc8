//! The ports on one SQLite file, and the spool of mails on another.

mod contacts;
mod notifications;
mod spool;

pub use contacts::SqliteContacts;
pub use notifications::SqliteNotifications;
pub(crate) use spool::{Ids, SpooledFile, SqliteSpool};

/// The schema, as steps that are run once each; steps are only added.
pub const MIGRATIONS: &[&str] = &[
    "
    CREATE TABLE contacts (
        user_id BLOB PRIMARY KEY,
        email TEXT NOT NULL,
        display_name TEXT NOT NULL,
        version INTEGER NOT NULL
    ) STRICT, WITHOUT ROWID;
    CREATE TABLE notifications (
        id BLOB PRIMARY KEY,
        kind TEXT NOT NULL,
        state TEXT NOT NULL,
        user_id BLOB NOT NULL,
        order_id BLOB NOT NULL,
        subject TEXT NOT NULL,
        message_id TEXT NOT NULL,
        create_time_ms INTEGER NOT NULL
    ) STRICT, WITHOUT ROWID;
    -- One of a kind for an order; also serves the list of an order, which has two rows at most.
    CREATE UNIQUE INDEX notifications_by_order ON notifications (order_id, kind);
    CREATE INDEX notifications_by_user ON notifications (user_id, create_time_ms DESC, id DESC);
",
    "CREATE INDEX notifications_by_age ON notifications (create_time_ms);",
];
