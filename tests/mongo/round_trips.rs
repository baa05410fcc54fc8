//! What the adapters cost: the commands that they send, and what the server does for them.

use std::{sync::Arc, time::Duration};

use waybill::{
    clock::{Clock, IdGenerator, ManualClock, SystemClock, UuidV7Generator},
    inbox::{Entry, Inbox},
    mongo::{
        Collection,
        bson::{Document, doc},
    },
    outbox::{Key, Outbox},
};
use waybill_testkit::conformance::{inbox::Count, outbox::of_one_owner};

use crate::{fixture, inbox, outbox};

const HOUR: Duration = Duration::from_hours(1);

fn entries(n: usize) -> Vec<Entry<Count>> {
    let ids = UuidV7Generator::default();
    let entry = |n| Entry {
        event_id: ids.next_id(),
        effect: Count {
            counter: format!("counter-{n}"),
            fails: false,
        },
    };
    (0..n).map(entry).collect()
}

#[tokio::test]
async fn a_batch_of_new_events_takes_three_round_trips() {
    let (database, commands) = fixture::watched_database().await;
    let clock = Arc::new(ManualClock::new(SystemClock.now()));
    let inbox = inbox::inbox_with(&database, "consumer", clock.clone());
    inbox.indexes().ensure().await.unwrap();
    commands.reset();
    assert_eq!(inbox.commit(&entries(256)).await.unwrap(), 256);
    let usual = ["insert", "update", "commitTransaction"];
    assert_eq!(commands.names()[0], "update", "the session is recorded");
    assert_eq!(commands.names()[1..], usual);

    commands.reset();
    assert_eq!(inbox.commit(&entries(256)).await.unwrap(), 256);
    assert_eq!(commands.names(), usual);

    commands.reset();
    clock.advance(Duration::from_secs(1));
    assert_eq!(inbox.commit(&entries(256)).await.unwrap(), 256);
    assert_eq!(
        commands.names()[0],
        "update",
        "once a second it is recorded that it lives"
    );
}

#[tokio::test]
async fn a_batch_with_handled_events_takes_three_more() {
    let (database, commands) = fixture::watched_database().await;
    let clock = Arc::new(ManualClock::new(SystemClock.now()));
    let inbox = inbox::inbox_with(&database, "consumer", clock);
    let entries = entries(256);
    inbox.commit(&entries[..100]).await.unwrap();
    commands.reset();
    assert_eq!(inbox.commit(&entries).await.unwrap(), 156);
    let again = ["insert", "update", "commitTransaction"];
    assert_eq!(commands.names()[..3], ["insert", "abortTransaction", "find"]);
    assert_eq!(commands.names()[3..], again);

    commands.reset();
    assert_eq!(inbox.commit(&entries).await.unwrap(), 0);
    assert_eq!(commands.names(), ["insert", "abortTransaction", "find"]);
}

#[tokio::test]
async fn everything_an_outbox_does_is_one_round_trip() {
    let (database, commands) = fixture::watched_database().await;
    let (aggregates, outbox) = outbox::outbox_of(&database).await;
    let now = SystemClock.now();
    for _ in 0..150 {
        outbox::put(&aggregates, of_one_owner(1)).await;
    }
    let entries = of_one_owner(3);

    commands.reset();
    outbox::put(&aggregates, entries.clone()).await;
    outbox.indexes().ensure().await.unwrap();
    outbox.try_lead("me", now, HOUR).await.unwrap();
    outbox.pending(now + HOUR, 256).await.unwrap();
    outbox.clear(&Key::of(&entries)).await.unwrap();
    outbox.backlog().await.unwrap();
    assert_eq!(
        commands.names(),
        ["insert", "update", "find", "update", "aggregate"]
    );
}

/// The server's plan for a command on aggregates, as text.
async fn plan(aggregates: &Collection<Document>, command: Document) -> String {
    let database = aggregates.client().database(&aggregates.namespace().db);
    let explained = database.run_command(doc! {"explain": command}).await;
    explained.unwrap().to_string()
}

#[tokio::test]
async fn unpublished_events_are_found_by_the_index_alone() {
    let (database, commands) = fixture::watched_database().await;
    let (aggregates, outbox) = outbox::outbox_of(&database).await;
    for _ in 0..20 {
        let published = of_one_owner(1);
        outbox::put(&aggregates, published.clone()).await;
        outbox.clear(&Key::of(&published)).await.unwrap();
    }
    outbox::put(&aggregates, of_one_owner(1)).await;

    outbox.pending(SystemClock.now(), 256).await.unwrap();
    let sweep = plan(&aggregates, commands.last()).await;
    outbox.backlog().await.unwrap();
    let count = plan(&aggregates, commands.last()).await;
    for plan in [sweep, count] {
        assert!(plan.contains(r#""stage": "IXSCAN""#), "{plan}");
        assert!(plan.contains(r#""indexName": "unpublished""#), "{plan}");
        assert!(!plan.contains(r#""stage": "COLLSCAN""#), "{plan}");
        assert!(!plan.contains(r#""stage": "SORT""#), "{plan}");
    }
}
