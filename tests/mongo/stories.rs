//! Stories on MongoDB.

use std::sync::Arc;

use waybill::{
    clock::SystemClock,
    mongo::{MongoStories, bson::Document},
    story::{RETENTION, Stories},
};
use waybill_testkit::conformance::stories::{self as suite, attempt};

use crate::fixture;

macro_rules! conforms {
    ($($check:ident),* $(,)?) => {$(
        #[tokio::test]
        async fn $check() {
            let (database, commands) = fixture::watched_database().await;
            suite::$check(&MongoStories::new(&database, Arc::new(SystemClock))).await;
            commands.assert_indexed().await;
        }
    )*};
}

conforms!(
    one_aggregates_attempts_by_when_they_began,
    what_happened_twice_is_told_twice,
    a_story_has_an_end,
);

#[tokio::test]
async fn the_server_forgets_what_is_too_old() {
    let database = fixture::database().await;
    let stories = MongoStories::new(&database, Arc::new(SystemClock));
    stories.record(&[attempt("o-1", 1)]).await.unwrap();
    let attempts = database.collection::<Document>("attempts");
    let mut indexes = attempts.list_indexes().await.unwrap();
    let mut expiry = Vec::new();
    while indexes.advance().await.unwrap() {
        let index = indexes.deserialize_current().unwrap();
        expiry.extend(index.options.and_then(|options| options.expire_after));
    }
    assert_eq!(expiry, [RETENTION]);
}
