//! What the tests share: stores in memory, a mailer that does as it is told, events to handle.

pub(crate) mod events;
pub(crate) mod memory;
pub(crate) mod service;
