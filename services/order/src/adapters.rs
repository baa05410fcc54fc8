//! Adapters: what drives the use cases, and what they drive.

mod contract;
pub mod events;
pub mod grpc;
pub mod mongo;
mod record;
pub mod sqlite;

#[cfg(test)]
pub(crate) mod conformance;
#[cfg(test)]
pub(crate) mod memory;
