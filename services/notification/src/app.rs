//! The use cases.

pub mod notify;
