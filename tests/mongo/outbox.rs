//! The outbox.

use std::time::Duration;

use waybill::{
    clock::{Clock, SystemClock},
    mongo::{
        Collection, Database, MongoOutbox,
        bson::{Document, doc},
        outbox::{FIELD, to_bson},
    },
    outbox::{Entry, Outbox},
};
use waybill_testkit::conformance::outbox::{self as conformance, of_one_owner};

use crate::fixture;

const HOUR: Duration = Duration::from_hours(1);

/// The aggregates and their outbox, with its index.
pub(crate) async fn outbox_of(database: &Database) -> (Collection<Document>, MongoOutbox) {
    let aggregates = database.collection("aggregates");
    let outbox = MongoOutbox::new(aggregates.clone());
    outbox.indexes().ensure().await.unwrap();
    (aggregates, outbox)
}

/// Stores entries of one owner, as a repository does.
pub(crate) async fn put(aggregates: &Collection<Document>, entries: Vec<Entry>) {
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
            let (database, commands) = fixture::watched_database().await;
            let (aggregates, outbox) = outbox_of(&database).await;
            conformance::$check(&outbox, async |entries| put(&aggregates, entries).await).await;
            commands.assert_indexed().await;
        }
    )*};
}

conformance!(
    oldest_first,
    one_writes_order,
    only_what_is_old_enough,
    nothing_is_lost_of_a_message,
    clearing,
    two_versions_of_one_event,
    backlog
);

#[tokio::test]
async fn one_leads() {
    let (database, commands) = fixture::watched_database().await;
    let (_, outbox) = outbox_of(&database).await;
    conformance::one_leads(&outbox).await;
    commands.assert_indexed().await;
}

#[tokio::test]
async fn one_of_many_leads() {
    let (_, outbox) = outbox_of(&fixture::database().await).await;
    conformance::one_of_many_leads(&outbox).await;
}

#[tokio::test]
async fn an_event_that_cannot_be_read_does_not_hold_up_the_others() {
    let (aggregates, outbox) = outbox_of(&fixture::database().await).await;
    let stored = of_one_owner(2);
    let mut elements = to_bson(&stored, SystemClock.now());
    let first = elements.as_array_mut().unwrap()[0].as_document_mut().unwrap();
    first.insert("message", "no message");
    aggregates
        .insert_one(doc! {"_id": &stored[0].owner, FIELD: elements})
        .await
        .unwrap();
    let pending = outbox.pending(SystemClock.now() + HOUR, 10).await.unwrap();
    assert_eq!(pending, stored[1..]);
}

#[tokio::test]
async fn an_update_adds_events_behind_those_that_wait() {
    let (aggregates, outbox) = outbox_of(&fixture::database().await).await;
    let stored = of_one_owner(2);
    let owner = &stored[0].owner;
    put(&aggregates, stored[..1].to_vec()).await;
    let more = to_bson(&stored[1..], SystemClock.now());
    aggregates
        .update_one(doc! {"_id": owner}, doc! {"$push": {FIELD: {"$each": more}}})
        .await
        .unwrap();
    let pending = outbox.pending(SystemClock.now() + HOUR, 10).await.unwrap();
    assert_eq!(pending, stored);
}
