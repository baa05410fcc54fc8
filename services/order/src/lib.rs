//! The order service: places, cancels, shows and watches orders.
//!
//! `domain` knows the rules, `ports` what the use cases in `app` need, `adapters` everything with a
//! name of its own: gRPC, MongoDB, SQLite. [`service`] puts them together.

pub mod adapters;
pub mod app;
pub mod domain;
pub mod ports;
mod service;

pub use service::{NAME, service, subscriptions};
