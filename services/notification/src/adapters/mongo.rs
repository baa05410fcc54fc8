//! The ports on one MongoDB database.

mod contacts;
mod notifications;

use bson::{Uuid as BsonUuid, doc};
use mongodb::{IndexModel, options::IndexOptions};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;
use waybill::{
    backoff::Backoff,
    mongo::{Database, store_error},
    store,
};

pub use contacts::MongoContacts;
pub use notifications::MongoNotifications;

/// Makes the indexes that the queries need, as soon as the database can be reached.
pub async fn ensure_indexes(database: Database, stop: CancellationToken) {
    let mut backoff = Backoff::default();
    while let Some(Err(error)) = stop.run_until_cancelled(make_indexes(&database)).await {
        tracing::warn!(%error, "indexes cannot be made now, will try again");
        stop.run_until_cancelled(backoff.wait()).await;
    }
}

/// Makes the indexes that the queries need; those that are there stay as they are.
pub async fn make_indexes(database: &Database) -> store::Result<()> {
    // One of a kind for an order; also serves the list of an order, which has two documents at most.
    let by_order = IndexModel::builder()
        .keys(doc! {"order_id": 1, "kind": 1})
        .options(IndexOptions::builder().unique(true).build())
        .build();
    let by_user = IndexModel::builder()
        .keys(doc! {"user_id": 1, "create_time": -1, "_id": -1})
        .build();
    database
        .collection::<bson::Document>(notifications::COLLECTION)
        .create_indexes([by_order, by_user])
        .await
        .map(drop)
        .map_err(store_error)
}

fn bson_uuid(id: Uuid) -> BsonUuid {
    BsonUuid::from_bytes(id.into_bytes())
}

fn bson_uuids(ids: &[Uuid]) -> Vec<BsonUuid> {
    ids.iter().copied().map(bson_uuid).collect()
}
