//! The checks that every store passes. Each uses consumers of its own, so that they share a database.

pub(crate) mod batches;
pub(crate) mod letters;
pub(crate) mod operations;
