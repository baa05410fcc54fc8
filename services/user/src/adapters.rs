//! Where the service meets the world: calls, events, databases.

pub mod events;
pub mod grpc;
pub mod memory;
pub mod mongo;
pub mod sqlite;
