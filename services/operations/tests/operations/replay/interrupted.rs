//! A process that dies at every single call of a port, before it or after it: another one finishes.

use std::collections::BTreeSet;

use waybill::broker::Broker;
use waybill_operations::domain::{dead_letter::State, operation::Kind};

use crate::support::{
    cut::{AFTER_THE_LEASE, Cut, Last, mortal, mortal_publisher},
    office::Office,
    stores::Stored,
};

/// More calls than an operation of one batch takes.
const MAX_CALLS: usize = 40;

/// Dies after `calls` calls. `false` when the operation had ended by then.
async fn dies(office: &Office, kind: Kind, calls: usize, last: Last) -> bool {
    let failures = office.keep(3).await;
    let operation = office.begin(kind).await;
    let cut = Cut::after(calls, last);
    let dying = office.work(
        mortal(office.stores(), &cut),
        mortal_publisher(office.broker.publisher(), &cut),
    );
    let died = tokio::select! {
        () = cut.died() => true,
        _ = office.ended(operation) => false,
    };
    dying.kill().await;
    office.clock.advance(AFTER_THE_LEASE);

    let next = office.work_well();
    let ended = office.ended(operation).await;
    next.kill().await;
    office.clock.advance(AFTER_THE_LEASE);
    let at = format!("{kind:?}, dead at call {calls}, {last:?}");
    assert_eq!((ended.done, ended.refused), (3, 0), "{at}");
    let state = match kind {
        Kind::Replay => State::Replayed,
        Kind::Discard => State::Discarded,
    };
    for failed in &failures {
        let letter = office.letter(failed).await;
        assert_eq!((letter.state, letter.actions.len()), (state, 1), "{at}");
    }
    if kind == Kind::Replay {
        all_sent(office, failures.len(), &at).await;
    }
    died
}

/// Every letter was sent. One may have been sent twice, as when a broker confirms and nobody hears it:
/// under one message id, so that its consumer drops the second.
async fn all_sent(office: &Office, count: usize, at: &str) {
    let mut deliveries = office.broker.subscribe(&office.consumer).await.unwrap();
    let mut ids = BTreeSet::new();
    let mut sent = 0;
    while ids.len() < count {
        let batch = deliveries.next(100).await.unwrap();
        sent += batch.messages.len();
        ids.extend(
            batch
                .messages
                .iter()
                .map(|message| message.properties.message_id.clone()),
        );
        batch.acknowledgement.ack().await.unwrap();
    }
    assert!(sent <= 2 * count, "{at}: {sent}");
}

async fn whenever_it_dies(office: Office, kind: Kind) {
    for last in [Last::NotMade, Last::Made] {
        let mut calls = 0;
        while dies(&office, kind, calls, last).await {
            calls += 1;
            assert!(calls < MAX_CALLS, "it takes more calls than expected");
        }
        assert!(calls > 5, "only {calls} calls were cut off");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_replay_that_is_cut_off_anywhere_is_finished_on_sqlite() {
    whenever_it_dies(Office::new(Stored::sqlite()).await, Kind::Replay).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_replay_that_is_cut_off_anywhere_is_finished_on_mongodb() {
    whenever_it_dies(Office::new(Stored::mongo().await).await, Kind::Replay).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_discard_that_is_cut_off_anywhere_is_finished_on_sqlite() {
    whenever_it_dies(Office::new(Stored::sqlite()).await, Kind::Discard).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_discard_that_is_cut_off_anywhere_is_finished_on_mongodb() {
    whenever_it_dies(Office::new(Stored::mongo().await).await, Kind::Discard).await;
}
