//! The outbox.

use waybill::{
    clock::{Clock, SystemClock},
    mongo::{
        Database, MongoOutbox,
        bson::{Document, doc},
        mongodb::Collection,
        outbox::{FIELD, to_bson},
    },
    outbox::Entry,
};
use waybill_testkit::conformance::outbox as conformance;

use crate::fixture;

/// The aggregates and their outbox, with its index.
async fn outbox_of(database: &Database) -> (Collection<Document>, MongoOutbox) {
    let aggregates = database.collection("aggregates");
    let outbox = MongoOutbox::new(aggregates.clone());
    outbox.indexes().ensure().await.unwrap();
    (aggregates, outbox)
}

/// Stores entries of one owner, as a repository does.
async fn put(aggregates: &Collection<Document>, entries: Vec<Entry>) {
    let unpublished = to_bson(&entries, SystemClock.now());
    aggregates
        .insert_one(doc! {"_id": &entries[0].owner, FIELD: unpublished})
        .await
        .unwrap();
}

/// Runs checks of the suite, each on an outbox of its own.
macro_rules! conformance {
    ($($check:ident),*) => {$(
        #[tokio::test]
        async fn $check() {
            let (aggregates, outbox) = outbox_of(&fixture::database().await).await;
            conformance::$check(&outbox, async |entries| put(&aggregates, entries).await).await;
        }
    )*};
}

conformance!(
    oldest_first,
    one_writes_order,
    only_what_is_old_enough,
    nothing_is_lost_of_a_message,
    clearing,
    backlog
);

#[tokio::test]
async fn one_leads() {
    let (_, outbox) = outbox_of(&fixture::database().await).await;
    conformance::one_leads(&outbox).await;
}

#[tokio::test]
async fn one_of_many_leads() {
    let (_, outbox) = outbox_of(&fixture::database().await).await;
    conformance::one_of_many_leads(&outbox).await;
}
