//! The embedded adapters: the suites that every adapter passes, and what SQLite alone must show.

#[path = "embedded/broker.rs"]
mod broker;
#[path = "embedded/conformance.rs"]
mod conformance;
#[path = "embedded/folder.rs"]
mod folder;
#[path = "embedded/inbox.rs"]
mod inbox;
#[path = "embedded/outbox.rs"]
mod outbox;
#[path = "embedded/peer.rs"]
mod peer;
#[path = "embedded/processes.rs"]
mod processes;
#[path = "embedded/stories.rs"]
mod stories;
#[path = "embedded/taps.rs"]
mod taps;
