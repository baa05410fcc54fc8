//! The server goes away, and comes back.

use std::{sync::Arc, time::Duration};

use futures::future::join_all;
use tokio_util::sync::CancellationToken;
use waybill::{
    clock::{Clock, IdGenerator, SystemClock, UuidV7Generator},
    inbox::{Entry, Inbox},
    mongo::{Client, MongoInbox, until_ensured},
    outbox::Outbox,
    store::Error,
};
use waybill_testkit::{
    conformance::{inbox::Count, outbox::entry},
    mongodb::PrivateServer,
    wait,
};

use crate::{
    inbox::{Counters, inbox},
    outbox::{outbox_of, put},
};

/// Enough that the server is killed while commits are under way.
const BATCHES: usize = 60;

fn batch(n: usize, ids: &UuidV7Generator) -> Vec<Entry<Count>> {
    let counters = (0..8).map(|i| format!("{n}-{i}"));
    counters
        .chain(["all".to_owned()])
        .map(|counter| Entry {
            event_id: ids.next_id(),
            effect: Count {
                counter,
                fails: false,
            },
        })
        .collect()
}

/// Commits each batch until it is committed, as a consumer does, and tells after each.
async fn commit_all(
    inbox: MongoInbox<Count>,
    batches: Arc<Vec<Vec<Entry<Count>>>>,
    committed: tokio::sync::watch::Sender<usize>,
) {
    for batch in batches.iter() {
        loop {
            match inbox.commit(batch).await {
                Ok(_) => break,
                Err(Error::Unavailable(_)) => {}
                Err(error) => panic!("{error}"),
            }
        }
        committed.send_modify(|n| *n += 1);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn each_effect_happens_once_while_the_server_is_killed() {
    let mut server = PrivateServer::start().await;
    let database = Client::new(&server.url()).await.unwrap().database("test");
    let ids = UuidV7Generator::default();
    let batches = Arc::new((0..BATCHES).map(|n| batch(n, &ids)).collect::<Vec<_>>());

    // Two instances that are handed the same events.
    let (committed, mut progress) = tokio::sync::watch::channel(0);
    let instances = [(); 2].map(|()| {
        let inbox = inbox(&database, "consumer");
        tokio::spawn(commit_all(inbox, Arc::clone(&batches), committed.clone()))
    });
    for quarter in 1..4 {
        let reached = progress.wait_for(|n| *n >= 2 * BATCHES * quarter / 4);
        tokio::time::timeout(wait::PATIENCE, reached)
            .await
            .unwrap()
            .unwrap();
        server.restart().await;
    }
    for instance in instances {
        instance.await.unwrap();
    }

    let counters = Counters::of(&database);
    for counter in batches.iter().flatten().map(|entry| &entry.effect.counter) {
        let expected = if counter == "all" { BATCHES as u64 } else { 1 };
        assert_eq!(counters.counted(counter).await, expected, "{counter}");
    }
}

#[tokio::test]
async fn whatever_is_asked_of_a_server_that_is_away_says_so() {
    let mut server = PrivateServer::start().await;
    let database = Client::new(&server.url()).await.unwrap().database("test");
    let (aggregates, outbox) = outbox_of(&database).await;
    let inbox = inbox(&database, "consumer");
    let entry = entry(SystemClock.now());
    put(&aggregates, vec![entry.clone()]).await;
    let batch = batch(0, &UuidV7Generator::default());

    server.kill();
    let now = SystemClock.now();
    let lease = Duration::from_secs(5);
    let asked: [futures::future::BoxFuture<'_, Result<(), Error>>; 7] = [
        Box::pin(async { database.check().await }),
        Box::pin(async { inbox.commit(&batch).await.map(drop) }),
        Box::pin(async { inbox.indexes().ensure().await }),
        Box::pin(async { outbox.pending(now, 1).await.map(drop) }),
        Box::pin(async { outbox.clear(&[entry.key()]).await }),
        Box::pin(async { outbox.backlog().await.map(drop) }),
        Box::pin(async { outbox.try_lead("me", now, lease).await.map(drop) }),
    ];
    for (n, answer) in join_all(asked).await.into_iter().enumerate() {
        assert!(matches!(answer, Err(Error::Unavailable(_))), "{n}: {answer:?}");
    }

    server.restart().await;
    let left = wait::until("the database answers again", || async {
        outbox.pending(SystemClock.now() + lease, 1).await.ok()
    });
    assert_eq!(left.await, [entry]);
    assert_eq!(inbox.commit(&batch).await.unwrap(), batch.len());
}

#[tokio::test]
async fn indexes_are_made_when_the_server_is_there() {
    let mut server = PrivateServer::start().await;
    server.kill();
    let database = Client::new(&server.url()).await.unwrap().database("test");
    let indexes = inbox(&database, "consumer").indexes();
    let stop = CancellationToken::new();
    let ensured = tokio::spawn(until_ensured(vec![indexes.clone()], stop.clone()));
    assert!(indexes.ensure().await.unwrap_err().is_transient());

    server.restart().await;
    tokio::time::timeout(wait::PATIENCE, ensured)
        .await
        .unwrap()
        .unwrap();
    let records = database.collection::<waybill::mongo::bson::Document>("inbox");
    let names = records.list_index_names().await.unwrap();
    assert_eq!(names, ["_id_", "expiry", "handled"]);

    server.kill();
    let unreachable = inbox(&database, "other").indexes();
    let ensuring = tokio::spawn(until_ensured(vec![unreachable], stop.clone()));
    stop.cancel();
    tokio::time::timeout(wait::PATIENCE, ensuring)
        .await
        .expect("it ends when it is told to")
        .unwrap();
}
