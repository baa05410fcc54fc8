//! What every adapter of a port must do, as suites that run against any of them.

pub mod broker;
pub mod inbox;
pub mod outbox;
pub mod stories;
