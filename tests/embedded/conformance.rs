//! What every broker must do, done by the one on SQLite.

use std::sync::Arc;

use waybill::broker::Broker;

use crate::{broker::open, folder::Folder};

async fn fresh() -> (Arc<dyn Broker>, Folder) {
    let folder = Folder::new();
    (Arc::new(open(folder.path()).await), folder)
}

waybill_testkit::broker_conformance!(fresh);
