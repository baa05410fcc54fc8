//! The broker on SQLite, beyond what every broker must do.

use std::{path::Path, sync::Arc, time::Duration};

use bytes::Bytes;
use waybill::{
    broker::{self, Batch, Broker, Deliveries},
    clock::{Clock, ManualClock, SystemClock, from_unix_millis},
    embedded::{EmbeddedBroker, rusqlite::Connection},
    message::Message,
    publisher::{Destination, Error, Publication, Publisher},
    retry::RetryPolicy,
    topology::{DELIVERY_LIMIT, MAX_BODY_BYTES, Subscription, UNROUTED},
};
use waybill_testkit::wait;

use crate::folder::Folder;

const KEY: &str = "order.created.v1";
pub(crate) const QUEUE: &str = "waybill.test.queue";

pub(crate) fn subscription() -> Subscription {
    Subscription {
        routing_keys: vec![KEY],
        ..Subscription::new(QUEUE)
    }
}

pub(crate) fn event(id: impl ToString) -> Publication {
    let mut message = Message {
        routing_key: KEY.to_owned(),
        body: Bytes::from_static(b"body"),
        ..Message::default()
    };
    message.properties.message_id = Some(id.to_string());
    Publication {
        destination: Destination::Events,
        message,
    }
}

fn to_queue(queue: impl Into<String>, mut publication: Publication) -> Publication {
    publication.destination = Destination::Queue(queue.into());
    publication
}

pub(crate) fn ids(batch: &Batch) -> Vec<&str> {
    batch
        .messages
        .iter()
        .map(|message| message.properties.message_id.as_deref().unwrap_or_default())
        .collect()
}

pub(crate) async fn open(folder: &Path) -> EmbeddedBroker {
    EmbeddedBroker::open(&folder.join("broker.db"), Arc::new(SystemClock))
        .await
        .unwrap()
}

pub(crate) async fn fixture() -> (Folder, EmbeddedBroker) {
    let folder = Folder::new();
    let broker = open(folder.path()).await;
    broker.declare(&subscription()).await.unwrap();
    (folder, broker)
}

pub(crate) async fn publish(broker: &EmbeddedBroker, batch: Vec<Publication>) {
    for result in broker.publish(batch).await {
        result.unwrap();
    }
}

pub(crate) async fn receive(deliveries: &mut dyn Deliveries) -> Batch {
    let next = tokio::time::timeout(wait::PATIENCE, deliveries.next(1000));
    next.await.expect("a message comes").unwrap()
}

#[tokio::test]
async fn a_message_that_nobody_wants_is_kept_apart() {
    let (_folder, broker) = fixture().await;
    let mut stray = event("stray");
    stray.message.routing_key = "nobody.wants.this".to_owned();
    publish(&broker, vec![stray.clone(), event(1)]).await;
    let mut unrouted = broker.subscribe(&Subscription::new(UNROUTED)).await.unwrap();
    assert_eq!(receive(unrouted.as_mut()).await.messages, [stray.message]);
    assert_eq!(broker.depth(QUEUE).await.unwrap(), Some(1));
}

#[tokio::test]
async fn bindings_may_be_patterns_and_a_queue_gets_a_message_once() {
    let (_folder, broker) = fixture().await;
    let all = Subscription {
        routing_keys: vec!["order.#", "*.created.*"],
        ..Subscription::new("waybill.test.all")
    };
    broker.declare(&all).await.unwrap();
    publish(&broker, vec![event(1)]).await;
    assert_eq!(broker.depth(&all.queue).await.unwrap(), Some(1));
    assert_eq!(broker.depth(QUEUE).await.unwrap(), Some(1));
}

#[tokio::test]
async fn what_cannot_be_taken_is_said_and_its_neighbours_are_taken() {
    let (_folder, broker) = fixture().await;
    let mut large = event("large");
    large.message.body = vec![0; MAX_BODY_BYTES + 1].into();
    let results = broker
        .publish(vec![
            event(1),
            large.clone(),
            to_queue("no.such.queue", event(2)),
            to_queue(QUEUE, large),
        ])
        .await;
    let too_large = Error::TooLarge {
        bytes: MAX_BODY_BYTES + 1,
        max: MAX_BODY_BYTES,
    };
    assert_eq!(
        results,
        [
            Ok(()),
            Err(too_large),
            Err(Error::Unroutable("no.such.queue".into())),
            Ok(())
        ]
    );
}

#[tokio::test]
async fn a_full_queue_refuses_until_there_is_room() {
    let folder = Folder::new();
    let path = folder.path().join("broker.db");
    let broker = EmbeddedBroker::open_with_limit(&path, Arc::new(SystemClock), 2)
        .await
        .unwrap();
    broker.declare(&subscription()).await.unwrap();
    let results = broker.publish(vec![event(1), event(2), event(3)]).await;
    assert_eq!(results, [Ok(()), Ok(()), Err(Error::Refused)]);
    let mut deliveries = broker.subscribe(&subscription()).await.unwrap();
    let batch = receive(deliveries.as_mut()).await;
    assert_eq!(broker.publish(vec![event(4)]).await, [Err(Error::Refused)]);
    batch.acknowledgement.ack().await.unwrap();
    assert_eq!(broker.publish(vec![event(4)]).await, [Ok(())]);
}

#[tokio::test]
async fn a_subscriber_that_is_dropped_hands_back_in_order() {
    let (_folder, broker) = fixture().await;
    publish(&broker, (0..4).map(event).collect()).await;
    let mut one = broker.subscribe(&subscription()).await.unwrap();
    let mut two = broker.subscribe(&subscription()).await.unwrap();
    let first = one.next(2).await.unwrap();
    assert_eq!(ids(&first), ["0", "1"]);
    let second = two.next(1).await.unwrap();
    assert_eq!(ids(&second), ["2"]);
    drop(one);
    drop(first.acknowledgement);
    second.acknowledgement.ack().await.unwrap();
    let mut rest = Vec::new();
    while rest.len() < 3 {
        let batch = receive(two.as_mut()).await;
        rest.extend(ids(&batch).into_iter().map(str::to_owned));
        batch.acknowledgement.ack().await.unwrap();
    }
    assert_eq!(rest, ["0", "1", "3"]);
    assert_eq!(broker.depth(QUEUE).await.unwrap(), Some(0));
}

#[tokio::test]
async fn a_batch_that_was_handed_back_cannot_be_acknowledged() {
    let (_folder, broker) = fixture().await;
    publish(&broker, vec![event(1)]).await;
    let mut deliveries = broker.subscribe(&subscription()).await.unwrap();
    let batch = receive(deliveries.as_mut()).await;
    drop(deliveries);
    let late = batch.acknowledgement.ack().await;
    assert!(matches!(late, Err(broker::Error::Unavailable(_))), "{late:?}");
    assert_eq!(broker.depth(QUEUE).await.unwrap(), Some(1));
}

#[tokio::test]
async fn a_call_that_is_cancelled_loses_nothing() {
    let (_folder, broker) = fixture().await;
    let mut deliveries = broker.subscribe(&subscription()).await.unwrap();
    for round in 0..50 {
        publish(&broker, vec![event(round)]).await;
        // Polled once and dropped: the claim is under way by then.
        let _ = futures::poll!(deliveries.next(10));
        let batch = receive(deliveries.as_mut()).await;
        assert_eq!(ids(&batch), [round.to_string()]);
        batch.acknowledgement.ack().await.unwrap();
    }
    publish(&broker, (0..3).map(event).collect()).await;
    // On a busy machine one poll may be enough; what it got is dropped, and so handed back.
    let _ = futures::poll!(deliveries.next(10));
    for id in ["0", "1", "2"] {
        let batch = deliveries.next(1).await.unwrap();
        assert_eq!(ids(&batch), [id]);
        batch.acknowledgement.ack().await.unwrap();
    }
}

#[tokio::test]
async fn a_message_that_is_handed_back_too_often_becomes_a_dead_letter() {
    let (_folder, broker) = fixture().await;
    publish(&broker, vec![event(1)]).await;
    for _ in 0..=DELIVERY_LIMIT {
        let mut deliveries = broker.subscribe(&subscription()).await.unwrap();
        receive(deliveries.as_mut()).await;
    }
    let dead = Subscription::new(subscription().dead_letter_queue());
    for _ in 0..DELIVERY_LIMIT + 5 {
        let mut deliveries = broker.subscribe(&dead).await.unwrap();
        let batch = receive(deliveries.as_mut()).await;
        assert_eq!(ids(&batch), ["1"]);
        let message = &batch.messages[0];
        assert_eq!(message.header("x-first-death-queue"), Some(QUEUE));
        assert_eq!(message.header("x-first-death-reason"), Some("delivery_limit"));
    }
    assert_eq!(broker.depth(QUEUE).await.unwrap(), Some(0));
    assert_eq!(broker.depth(&dead.queue).await.unwrap(), Some(1));
}

#[tokio::test]
async fn a_wait_queue_hands_back_when_it_is_time_also_after_its_policy_is_gone() {
    let folder = Folder::new();
    let clock = Arc::new(ManualClock::new(from_unix_millis(1_700_000_000_000)));
    let path = folder.path().join("broker.db");
    let broker = EmbeddedBroker::open(&path, Arc::clone(&clock) as Arc<dyn Clock>)
        .await
        .unwrap();
    let old = subscription();
    broker.declare(&old).await.unwrap();
    let (short, long) = (Duration::from_secs(4), Duration::from_secs(16));
    publish(
        &broker,
        vec![
            to_queue(old.wait_queue(long), event("long")),
            to_queue(old.wait_queue(short), event("short")),
        ],
    )
    .await;
    let new = old.retrying(RetryPolicy {
        first_delay: Duration::from_millis(1),
        max_attempts: 2,
        ..RetryPolicy::default()
    });
    broker.declare(&new).await.unwrap();
    let mut deliveries = broker.subscribe(&new).await.unwrap();
    for (wait, expected) in [(short, "short"), (long.saturating_sub(short), "long")] {
        assert_eq!(broker.depth(QUEUE).await.unwrap(), Some(0));
        clock.advance(wait);
        let batch = receive(deliveries.as_mut()).await;
        assert_eq!(ids(&batch), [expected]);
        batch.acknowledgement.ack().await.unwrap();
    }
}

/// Until when the one batch that is out is claimed.
fn claimed_until(path: &Path) -> i64 {
    let connection = Connection::open(path).unwrap();
    connection
        .query_row("SELECT until_ms FROM batch", [], |row| row.get(0))
        .unwrap()
}

#[tokio::test]
async fn what_is_in_hand_for_long_stays_claimed() {
    let folder = Folder::new();
    let clock = Arc::new(ManualClock::new(from_unix_millis(1_700_000_000_000)));
    let path = folder.path().join("broker.db");
    let broker = EmbeddedBroker::open(&path, Arc::clone(&clock) as Arc<dyn Clock>)
        .await
        .unwrap();
    broker.declare(&subscription()).await.unwrap();
    publish(&broker, vec![event(1)]).await;
    let mut deliveries = broker.subscribe(&subscription()).await.unwrap();
    let batch = receive(deliveries.as_mut()).await;
    for _ in 0..4 {
        let until = claimed_until(&path);
        clock.advance(Duration::from_secs(4));
        wait::until("the claim is renewed", async || {
            (claimed_until(&path) >= until + 4000).then_some(())
        })
        .await;
    }
    batch.acknowledgement.ack().await.unwrap();
}

#[tokio::test]
async fn a_backlog_is_received_in_its_order() {
    let (_folder, broker) = fixture().await;
    for chunk in 0..20 {
        publish(&broker, (chunk * 500..(chunk + 1) * 500).map(event).collect()).await;
    }
    let mut deliveries = broker.subscribe(&subscription()).await.unwrap();
    let mut received = 0;
    while received < 10_000 {
        let batch = receive(deliveries.as_mut()).await;
        assert_eq!(ids(&batch)[0], received.to_string());
        received += batch.messages.len();
        batch.acknowledgement.ack().await.unwrap();
    }
    assert_eq!(broker.depth(QUEUE).await.unwrap(), Some(0));
}
