//! The MongoDB adapters against a real server.

#[path = "mongo/fixture.rs"]
mod fixture;
#[path = "mongo/inbox.rs"]
mod inbox;
#[path = "mongo/outbox.rs"]
mod outbox;
