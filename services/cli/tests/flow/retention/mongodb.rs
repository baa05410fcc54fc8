//! Lifetimes on MongoDB, where the server forgets by indexes.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::{Duration, SystemTime},
};

use futures::TryStreamExt;
use mongodb::{
    Client as Driver, Collection,
    bson::{Document, doc},
};
use waybill::clock::{Clock, SystemClock, from_unix_millis, unix_millis};

use super::{an_order_comes_and_goes, table};
use crate::support::{client::Client, process::Process, stack::Stack};

/// The collections of a platform, by service and name.
async fn collections(driver: &Driver) -> BTreeMap<String, Collection<Document>> {
    let prefix = driver.default_database().expect("the URL has a path");
    let prefix = format!("{}_", prefix.name());
    let mut collections = BTreeMap::new();
    for database in driver.list_database_names().await.unwrap() {
        let Some(service) = database.strip_prefix(&prefix) else {
            continue;
        };
        let database = driver.database(&database);
        for name in database.list_collection_names().await.unwrap() {
            collections.insert(format!("{service}.{name}"), database.collection(&name));
        }
    }
    collections
}

/// By which field the server forgets documents, and how long after the time in it.
async fn expiry(collection: &Collection<Document>) -> Option<(String, Duration)> {
    let mut indexes = collection.list_indexes().await.unwrap();
    let mut expiry = None;
    while let Some(index) = indexes.try_next().await.unwrap() {
        if let Some(after) = index.options.and_then(|options| options.expire_after) {
            let field = index.keys.keys().next().expect("an index has keys").clone();
            assert_eq!(expiry.replace((field, after)), None, "{}", collection.name());
        }
    }
    expiry
}

/// How long documents live that were stored since `start`: those of `stated` that are found.
async fn found_lifetimes(
    collection: &Collection<Document>,
    stated: &BTreeSet<Duration>,
    start: SystemTime,
) -> BTreeSet<Duration> {
    let Some((field, after)) = expiry(collection).await else {
        return BTreeSet::new();
    };
    let documents: Vec<_> = collection
        .find(doc! {})
        .await
        .unwrap()
        .try_collect()
        .await
        .unwrap();
    let (start, end) = (from_unix_millis(unix_millis(start)), SystemClock.now());
    let lifetime = |document: Document| {
        let time = document.get_datetime(&field).unwrap().timestamp_millis();
        let forgotten = from_unix_millis(time) + after;
        let lifetimes = stated.iter().copied();
        let mut fitting = lifetimes.filter(|period| (start + *period..=end + *period).contains(&forgotten));
        fitting.next().unwrap_or_else(|| {
            panic!(
                "{} lives as long as nothing stated: {document}",
                collection.name()
            )
        })
    };
    documents.into_iter().map(lifetime).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn mongodb_keeps_what_is_stated_for_as_long() {
    let start = SystemClock.now();
    let stack = Stack::real().await;
    let up = Process::start(&stack, &["up"]).ready().await;
    an_order_comes_and_goes(&Client::of(up.channel())).await;
    // What is still being told is told before it ends.
    assert!(up.terminate().await.success());

    let driver = Driver::with_uri_str(stack.database()).await.unwrap();
    let collections = collections(&driver).await;
    let found: BTreeSet<_> = collections.keys().cloned().collect();
    assert_eq!(found, table::all(|row| &row.mongodb));
    for (name, collection) in &collections {
        let stated = table::lifetimes(name, |row| &row.mongodb);
        let found = found_lifetimes(collection, &stated, start).await;
        assert_eq!(found, stated, "{name}");
    }
}
