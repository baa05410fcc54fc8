//! The embedded adapters: the suites that every adapter passes, and what SQLite alone must show.

#[path = "embedded/inbox.rs"]
mod inbox;
#[path = "embedded/outbox.rs"]
mod outbox;
