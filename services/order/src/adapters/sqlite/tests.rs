use std::sync::Arc;

use waybill::embedded::SqliteOutbox;
use waybill_testkit::sqlite::Watched;

use super::*;
use crate::adapters::conformance::{self, Subject};

#[tokio::test]
async fn it_does_what_every_repository_must() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("order.db");
    let _watched = Watched::new(&path);
    let database = Database::open(&path, MIGRATIONS).unwrap();
    let store = Arc::new(SqliteOrderRepository::new(database.clone()));
    conformance::run(&Subject {
        repository: store.clone(),
        queries: store,
        outbox: Arc::new(SqliteOutbox::new(database)),
    })
    .await;
}
