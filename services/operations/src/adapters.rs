//! Where the service meets the world.

pub mod events;
pub mod gauge;
pub mod grpc;
pub mod mongo;
mod record;
pub mod sqlite;
