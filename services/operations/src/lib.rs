//! The operations service: it keeps what consumers gave up, shows it, and sends it back or sets it aside.
//!
//! A queue is a poor place to look for something: reading it reorders it, and nothing in it can be
//! searched. So the service moves every consumer's dead letters into a database with an index for
//! every question, and answers from there.
//!
//! [`domain`] ← [`ports`] ← [`app`] ← [`adapters`] ← [`service`].

pub mod adapters;
pub mod app;
pub mod domain;
pub mod ports;
mod wiring;

pub use wiring::service;
