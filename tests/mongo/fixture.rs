//! A database of its own on a real server, with or without someone watching the commands.

use waybill::mongo::{Client, Database};
use waybill_testkit::mongodb::Databases;

/// The database of one test.
pub(crate) async fn database() -> Database {
    let databases = Databases::new().await;
    Client::new(databases.url()).await.unwrap().database("test")
}
