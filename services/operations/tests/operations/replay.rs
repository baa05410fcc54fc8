//! Letters on their way back: each to its consumer alone, as if it had never failed, and once, whatever
//! happens in between.

mod interrupted;

use std::{
    collections::BTreeSet,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use async_trait::async_trait;
use waybill::{
    broker::Broker,
    dead_letter::{
        ATTEMPTS, FAILED_CONSUMER, FAILURE_REASON, FIRST_FAILURE_TIME, LAST_ATTEMPT, LAST_FAILURE_TIME,
        ORIGINAL_ROUTING_KEY, STAGING_ID, attempt,
    },
    publisher::{Error, Publication, Publisher},
    topology::Subscription,
};
use waybill_operations::domain::{
    dead_letter::State,
    filter::{Filter, Selection},
    operation::{Kind, MAX_BATCH, REPLAYED_RETENTION},
};
use waybill_testkit::wait;

use crate::support::{
    letters::{consumer, id, new},
    office::Office,
    stores::Stored,
};

async fn goes_back_to_its_consumer_alone(office: Office) {
    // Another consumer of the same event, and one whose queue has its own letters.
    let other = Subscription::new(consumer());
    office.broker.declare(&other).await.unwrap();
    let failures = office.keep(3).await;
    let operation = office.begin(Kind::Replay).await;
    let _working = office.work_well();
    let ended = office.ended(operation).await;
    assert_eq!((ended.matched, ended.done, ended.refused), (3, 3, 0));

    for message in office.consumed(3).await {
        assert_eq!(attempt(&message), 1, "its attempts start again");
        for gone in [
            ATTEMPTS,
            FAILURE_REASON,
            FAILED_CONSUMER,
            FIRST_FAILURE_TIME,
            LAST_FAILURE_TIME,
        ] {
            assert!(!message.headers.contains_key(gone), "{gone}");
        }
        for kept in [
            LAST_ATTEMPT,
            ORIGINAL_ROUTING_KEY,
            STAGING_ID,
            "traceparent",
            "cloudEvents_id",
        ] {
            assert!(message.headers.contains_key(kept), "{kept}");
        }
        let before = failures
            .iter()
            .find(|failed| failed.message.properties == message.properties)
            .expect("every property is kept");
        assert_eq!(message.body, before.message.body);
    }
    let mut elsewhere = office.broker.subscribe(&other).await.unwrap();
    let nothing = tokio::time::timeout(std::time::Duration::from_millis(300), elsewhere.next(1)).await;
    assert!(nothing.is_err());
    for failed in &failures {
        let letter = office.letter(failed).await;
        assert_eq!(letter.state, State::Replayed);
        assert_eq!(letter.actions[0].actor, "ada");
    }
    // Replaying what was replayed changes nothing.
    let ids = failures.iter().map(|failed| failed.dead_letter.id).collect();
    let again = office.begin_with(Kind::Replay, Selection::Ids(ids)).await;
    let ended = office.ended(again).await;
    assert_eq!((ended.matched, ended.done), (0, 0));
    office.consumed(0).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_letter_goes_back_to_its_consumer_alone_on_sqlite() {
    goes_back_to_its_consumer_alone(Office::new(Stored::sqlite()).await).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_letter_goes_back_to_its_consumer_alone_on_mongodb() {
    goes_back_to_its_consumer_alone(Office::new(Stored::mongo().await).await).await;
}

async fn two_at_once(office: Office) {
    let failures = office.keep(50).await;
    let ids: Vec<_> = failures.iter().map(|failed| failed.dead_letter.id).collect();
    let (one, two) = tokio::join!(
        office.begin_with(Kind::Replay, Selection::Ids(ids)),
        office.begin(Kind::Replay)
    );
    // Two processes believe to be the one that works.
    let _working = [office.work_well(), office.work_well()];
    let done = office.ended(one).await.done + office.ended(two).await.done;
    assert_eq!(done, 50);
    let sent = office.consumed(50).await;
    let ids: BTreeSet<_> = sent
        .iter()
        .map(|message| message.properties.message_id.clone())
        .collect();
    assert_eq!(ids.len(), 50, "none is sent twice");
}

#[tokio::test(flavor = "multi_thread")]
async fn two_replays_at_once_send_each_letter_once_on_sqlite() {
    two_at_once(Office::new(Stored::sqlite()).await).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn two_replays_at_once_send_each_letter_once_on_mongodb() {
    two_at_once(Office::new(Stored::mongo().await).await).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn more_than_a_batch_is_sent_in_batches() {
    let office = Office::new(Stored::sqlite()).await;
    let count = MAX_BATCH + 5;
    office.keep(count.try_into().unwrap()).await;
    let operation = office.begin(Kind::Replay).await;
    let _working = office.work_well();
    assert_eq!(office.ended(operation).await.done, count as u64);
    office.consumed(count).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_no_queue_takes_waits_again_and_the_operation_says_so() {
    let office = Office::new(Stored::sqlite()).await;
    office.keep(1).await;
    let lost = new("waybill.nobody", "A", 0);
    office
        .stores()
        .intake
        .record(std::slice::from_ref(&lost))
        .await
        .unwrap();
    let operation = office
        .begin_with(Kind::Replay, Selection::Filter(Filter::default()))
        .await;
    let _working = office.work_well();
    let ended = office.ended(operation).await;
    assert_eq!((ended.done, ended.refused), (1, 1));
    assert_eq!(ended.refusal, "no queue takes routing key waybill.nobody");
    assert_eq!(office.letter(&lost).await.state, State::Waiting);
}

/// A broker that is away, or full, for a while.
struct Away {
    publisher: Arc<dyn Publisher>,
    asked: AtomicUsize,
}

#[async_trait]
impl Publisher for Away {
    async fn publish(&self, batch: Vec<Publication>) -> Vec<Result<(), Error>> {
        match self.asked.fetch_add(1, Ordering::SeqCst) {
            0 => batch
                .iter()
                .map(|_| Err(Error::Unavailable("away".into())))
                .collect(),
            1 => batch.iter().map(|_| Err(Error::Refused)).collect(),
            _ => self.publisher.publish(batch).await,
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_broker_that_is_away_is_waited_for() {
    let office = Office::new(Stored::sqlite()).await;
    office.keep(3).await;
    let operation = office.begin(Kind::Replay).await;
    let away = Away {
        publisher: office.broker.publisher(),
        asked: AtomicUsize::new(0),
    };
    let _working = office.work(office.stores().clone(), Arc::new(away));
    let ended = office.ended(operation).await;
    assert_eq!((ended.done, ended.refused), (3, 0));
    office.consumed(3).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_discarded_goes_nowhere_and_says_who_and_why() {
    let office = Office::new(Stored::sqlite()).await;
    let failures = office.keep(3).await;
    let operation = office.begin(Kind::Discard).await;
    let _working = office.work_well();
    assert_eq!(office.ended(operation).await.done, 3);
    office.consumed(0).await;
    for failed in &failures {
        let (letter, message) = office
            .stores()
            .dead_letters
            .get(failed.dead_letter.id)
            .await
            .unwrap()
            .unwrap();
        assert_eq!(letter.state, State::Discarded);
        let [action] = letter.actions.try_into().unwrap();
        assert_eq!((action.actor.as_str(), action.reason.as_str()), ("ada", "mended"));
        assert_eq!((action.operation, action.kind), (operation, Kind::Discard));
        assert_eq!(message, failed.message);
    }
    // What is set aside is not sent back by accident.
    let ids = failures
        .iter()
        .map(|failed| failed.dead_letter.id)
        .chain([id()])
        .collect();
    let replay = office.begin_with(Kind::Replay, Selection::Ids(ids)).await;
    assert_eq!(office.ended(replay).await.done, 0);
}

async fn what_was_replayed_is_forgotten_in_time(office: Office) {
    const HOUR: Duration = Duration::from_hours(1);
    let mut replayed = Vec::new();
    for _ in 0..2 {
        office.clock.advance(HOUR);
        replayed.extend(office.keep(1).await);
        let operation = office.begin(Kind::Replay).await;
        let working = office.work_well();
        office.ended(operation).await;
        working.kill().await;
    }
    // The first is then half an hour too old, and the second has half an hour left.
    office.clock.advance(REPLAYED_RETENTION.saturating_sub(HOUR / 2));
    let _working = office.work_well();
    let letter = async |n: usize| {
        let id = replayed[n].dead_letter.id;
        office.stores().dead_letters.get(id).await.unwrap()
    };
    let forgotten = async || letter(0).await.is_none().then_some(());
    wait::until("the first is forgotten", forgotten).await;
    assert!(letter(1).await.is_some(), "the second is not");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_replayed_is_forgotten_in_time_on_sqlite() {
    what_was_replayed_is_forgotten_in_time(Office::new(Stored::sqlite()).await).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_replayed_is_forgotten_in_time_on_mongodb() {
    what_was_replayed_is_forgotten_in_time(Office::new(Stored::mongo().await).await).await;
}
