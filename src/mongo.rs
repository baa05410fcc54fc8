//! Adapters for MongoDB: outbox and inbox on one database per service.

mod database;

pub use database::{Client, Database, store_error};
pub use {bson, mongodb};
