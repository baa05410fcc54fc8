//! Where the service meets the world.

pub mod events;
pub mod grpc;
pub mod mail;
pub mod mongo;
pub mod sqlite;
