//! The order service: places, cancels, shows and watches orders.
//!
//! `domain` knows the rules, `ports` what the use cases in `app` need, `adapters` everything with a
//! name of its own: gRPC, MongoDB, SQLite. [`service`] puts them together.

// The rules
pub mod domain;

// What is done with them, and what that needs
pub mod app;
pub mod ports;

// With whom
pub mod adapters;
mod service;

pub use service::{NAME, publishes, service, subscriptions};
