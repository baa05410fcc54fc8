//! A service of your own: a loyalty point for every order, each counted once.

use std::{error::Error, sync::Arc};

use waybill::{
    config::Settings,
    contract::order::v1::OrderCreated,
    embedded::{SqliteInbox, inbox, rusqlite},
    envelope::Envelope,
    failure::Failure,
    inbox::InboxHandler,
    platform::{Database, Platform},
    shutdown, telemetry,
    topology::Subscription,
};

/// The tables, each statement run once: the inbox's, and our own.
const MIGRATIONS: &[&str] = &[
    inbox::SCHEMA,
    "CREATE TABLE points (user_id TEXT PRIMARY KEY, points INTEGER NOT NULL) STRICT",
];

/// What an event changes: here, whose points. An event that cannot be read is a dead letter.
fn effect(envelope: &Envelope) -> Result<String, Failure> {
    Ok(envelope.decode::<OrderCreated>()?.user_id)
}

/// Applies a batch in the transaction that also records its events as handled.
fn award(transaction: &rusqlite::Connection, users: &[String]) -> rusqlite::Result<()> {
    let mut add = transaction
        .prepare_cached("INSERT INTO points VALUES (?1, 1) ON CONFLICT DO UPDATE SET points = points + 1")?;
    for user_id in users {
        add.execute([user_id])?;
    }
    Ok(())
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let settings = Settings::load(Vec::new(), None)?;
    let _telemetry = telemetry::init(&settings, "loyalty")?;
    let stop = shutdown::on_signal()?;
    let platform = Platform::open(&settings, "loyalty").await?;
    let Database::Sqlite(database) = platform.database("loyalty", MIGRATIONS)? else {
        return Err("this example keeps its points in SQLite; leave --database alone".into());
    };
    let queue = Subscription::new("waybill.loyalty.points").to::<OrderCreated>();
    let inbox = SqliteInbox::new(database, &queue.queue, platform.clock.clone(), award);
    let handler = InboxHandler::new(Arc::new(inbox), effect);
    Ok(platform.consumer(queue, Arc::new(handler)).run(stop).await?)
}
