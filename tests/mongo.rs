//! The MongoDB adapters against a real server.

#[path = "mongo/database.rs"]
mod database;
#[path = "mongo/fixture.rs"]
mod fixture;
#[path = "mongo/group_insert.rs"]
mod group_insert;
#[path = "mongo/inbox.rs"]
mod inbox;
#[path = "mongo/outage.rs"]
mod outage;
#[path = "mongo/outbox.rs"]
mod outbox;
#[path = "mongo/round_trips.rs"]
mod round_trips;
#[path = "mongo/stories.rs"]
mod stories;
