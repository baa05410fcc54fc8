use std::sync::Arc;

use tempfile::TempDir;
use waybill::embedded::SqliteOutbox;

use super::*;
use crate::adapters::conformance::{self, Subject};

fn database() -> (TempDir, Database) {
    let folder = tempfile::tempdir().unwrap();
    let database = Database::open(&folder.path().join("order.db"), MIGRATIONS).unwrap();
    (folder, database)
}

#[tokio::test]
async fn it_does_what_every_repository_must() {
    let (_folder, database) = database();
    let store = Arc::new(SqliteOrderRepository::new(database.clone()));
    conformance::run(&Subject {
        repository: store.clone(),
        queries: store,
        outbox: Arc::new(SqliteOutbox::new(database)),
    })
    .await;
}

#[tokio::test]
async fn every_query_uses_an_index() {
    let (_folder, database) = database();
    let one = |condition| format!("SELECT {COLUMNS} FROM orders WHERE {condition}");
    for query in [
        one("order_id = :key"),
        one("request_id = :key"),
        one("cancel_request_id = :key"),
        rows::list(),
    ] {
        let explain = format!("EXPLAIN QUERY PLAN {query}");
        let plan: Vec<String> = database
            .read(move |c| {
                let mut statement = c.prepare(&explain)?;
                statement.raw_query().mapped(|row| row.get("detail")).collect()
            })
            .await
            .unwrap();
        let plan = plan.join("; ");
        assert!(
            plan.contains("USING INDEX") && !plan.contains("TEMP B-TREE"),
            "{query}: {plan}"
        );
    }
}
