//! A database of its own on a real server, with or without someone who watches the commands.

use waybill::mongo::{Client, Database};
use waybill_testkit::mongodb::{Commands, Databases};

/// The database of one test.
pub(crate) async fn database() -> Database {
    let databases = Databases::new().await;
    Client::new(databases.url()).await.unwrap().database("test")
}

/// The database of one test, and the commands that it is sent.
pub(crate) async fn watched_database() -> (Database, Commands) {
    let (options, commands) = Databases::new().await.watched().await;
    (Client::with_options(options).unwrap().database("test"), commands)
}
