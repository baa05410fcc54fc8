//! The service's state in a SQLite file.

mod stats;
mod users;

use waybill::embedded::{inbox, outbox};

pub use stats::{SqliteStatsRepository, apply};
pub use users::SqliteUserRepository;

/// What makes the schema, in order, for [`Database::open`](waybill::embedded::Database::open).
pub const MIGRATIONS: &[&str] = &[outbox::SCHEMA, inbox::SCHEMA, users::rows::SCHEMA, stats::SCHEMA];
