//! What every broker must do, done by the one on SQLite.

use std::sync::Arc;

use tempfile::TempDir;
use waybill::broker::Broker;

use crate::broker::open;

async fn fresh() -> (Arc<dyn Broker>, TempDir) {
    let folder = tempfile::tempdir().unwrap();
    (Arc::new(open(folder.path()).await), folder)
}

waybill_testkit::broker_conformance!(fresh);
