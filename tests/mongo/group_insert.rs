//! Inserts that share a round trip, each with an answer of its own.

use futures::future::join_all;
use waybill::mongo::{
    GroupInsert, Inserted, MAX_GROUP,
    bson::{Document, doc},
};

use crate::fixture;

const COLLECTION: &str = "things";

#[tokio::test]
async fn many_at_once_take_few_round_trips_and_each_hears_of_its_own() {
    const KEYS: usize = 400;
    let (database, commands) = fixture::watched_database().await;
    let inserts = GroupInsert::into(&database.collection(COLLECTION));
    // Each tenth key comes twice: whichever is second, in the same group or in another, is told so.
    let keys = (0..KEYS).flat_map(|key| std::iter::repeat_n(key, if key % 10 == 0 { 2 } else { 1 }));
    let documents: Vec<_> = keys.map(|key| doc! {"_id": key.to_string()}).collect();
    let inserting = documents.iter().map(|document| inserts.insert(document));
    let results: Vec<_> = join_all(inserting)
        .await
        .into_iter()
        .map(Result::unwrap)
        .collect();

    let count = |wanted| results.iter().filter(|result| **result == wanted).count();
    assert_eq!(
        (count(Inserted::New), count(Inserted::Duplicate)),
        (KEYS, KEYS / 10)
    );
    let stored = database.collection::<Document>(COLLECTION);
    assert_eq!(stored.count_documents(doc! {}).await.unwrap(), KEYS as u64);
    let inserts_sent = commands.names().iter().filter(|name| *name == "insert").count();
    // As many as there are full groups, and a few that began before others had come.
    assert!(
        inserts_sent <= 2 * documents.len().div_ceil(MAX_GROUP),
        "{inserts_sent}"
    );
}

#[tokio::test]
async fn one_alone_goes_at_once_and_takes_one_round_trip() {
    let (database, commands) = fixture::watched_database().await;
    let inserts = GroupInsert::into(&database.collection(COLLECTION));
    for key in ["a", "b"] {
        assert_eq!(inserts.insert(&doc! {"_id": key}).await.unwrap(), Inserted::New);
    }
    assert_eq!(commands.names(), ["insert", "insert"]);
}

#[tokio::test]
async fn a_document_that_is_too_large_fails_alone() {
    let database = fixture::database().await;
    let inserts = GroupInsert::into(&database.collection(COLLECTION));
    let large = doc! {"_id": "large", "text": "x".repeat(17 * 1024 * 1024)};
    let small = doc! {"_id": "small"};
    let (large, small) = tokio::join!(inserts.insert(&large), inserts.insert(&small));
    assert!(!large.unwrap_err().is_transient());
    assert_eq!(small.unwrap(), Inserted::New);
}
