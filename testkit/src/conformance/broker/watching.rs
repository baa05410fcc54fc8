//! What every broker must do for those who watch its events.
//!
//! [`taps_conformance!`](crate::taps_conformance) makes a test of each check. A check is given a broker
//! of its own, with nothing in it, and taps on it that know of [`consumed`].

use std::sync::Arc;

use futures::FutureExt;
use tokio::time::timeout;
use waybill::{
    broker::Broker,
    message::Message,
    publisher::Destination,
    tap::{MAX_HELD, Passed, Tap, Taps},
    topology::{Subscription, UNROUTED},
};

use super::fixture::{
    QUEUE, cancelled, created, ids, messages, publish, send, subscribed, subscription, take, take_one,
};
use crate::wait::{self, PATIENCE};

/// One test for each check, given the name of an async function that answers a broker, taps on it, and
/// whatever must live as long.
#[macro_export]
macro_rules! taps_conformance {
    ($fresh:ident) => {
        $crate::taps_conformance! { $fresh:
            every_event_is_seen_as_it_was_published,
            what_passed_before_is_not_seen,
            two_watchers_see_the_same,
            a_tap_takes_nothing_from_consumers,
            what_no_consumer_wants_is_seen_and_kept_aside_all_the_same,
            what_goes_to_one_queue_is_not_seen,
            a_slow_reader_is_told_how_much_was_dropped_and_holds_nobody_up,
        }
    };
    ($fresh:ident: $($check:ident,)*) => {$(
        #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
        async fn $check() {
            let (broker, taps, _kept) = $fresh().await;
            $crate::conformance::broker::watching::$check(broker, taps).await;
        }
    )*};
}

/// What is consumed in the checks.
pub fn consumed() -> Vec<Subscription> {
    vec![subscription()]
}

async fn next(tap: &mut dyn Tap) -> Passed {
    let passed = timeout(PATIENCE, tap.next()).await.expect("something passes");
    let passed = passed.expect("the tap holds");
    assert!(passed.missed > 0 || !passed.messages.is_empty());
    passed
}

/// The next `count` events, of which none may be missed.
async fn seen(tap: &mut dyn Tap, count: usize) -> Vec<Message> {
    let mut seen = Vec::new();
    while seen.len() < count {
        let passed = next(tap).await;
        assert_eq!(passed.missed, 0);
        seen.extend(passed.messages);
    }
    assert_eq!(seen.len(), count);
    seen
}

/// Every property, every header and the body, in the order of publishing.
pub async fn every_event_is_seen_as_it_was_published(broker: Arc<dyn Broker>, taps: Arc<dyn Taps>) {
    broker.declare(&subscription()).await.unwrap();
    let mut tap = taps.open().await.unwrap();
    let published = messages(100);
    publish(broker.as_ref(), published.clone()).await;
    assert_eq!(seen(tap.as_mut(), 100).await, published);
}

/// A watch begins when it is opened.
pub async fn what_passed_before_is_not_seen(broker: Arc<dyn Broker>, taps: Arc<dyn Taps>) {
    broker.declare(&subscription()).await.unwrap();
    publish(broker.as_ref(), messages(3)).await;
    let mut tap = taps.open().await.unwrap();
    let later = messages(2);
    publish(broker.as_ref(), later.clone()).await;
    assert_eq!(ids(&seen(tap.as_mut(), 2).await), ids(&later));
}

/// Watchers do not share: each sees everything; one that has gone is not missed.
pub async fn two_watchers_see_the_same(broker: Arc<dyn Broker>, taps: Arc<dyn Taps>) {
    broker.declare(&subscription()).await.unwrap();
    let mut one = taps.open().await.unwrap();
    let mut other = taps.open().await.unwrap();
    let published = messages(10);
    publish(broker.as_ref(), published.clone()).await;
    assert_eq!(ids(&seen(one.as_mut(), 10).await), ids(&published));
    drop(one);
    publish(broker.as_ref(), published.clone()).await;
    let twice = [published.clone(), published].concat();
    assert_eq!(ids(&seen(other.as_mut(), 20).await), ids(&twice));
}

/// A consumer receives what it receives without a watcher.
pub async fn a_tap_takes_nothing_from_consumers(broker: Arc<dyn Broker>, taps: Arc<dyn Taps>) {
    let mut deliveries = subscribed(broker.as_ref(), &subscription()).await;
    let mut tap = taps.open().await.unwrap();
    let published = messages(10);
    publish(broker.as_ref(), published.clone()).await;
    assert_eq!(ids(&seen(tap.as_mut(), 10).await), ids(&published));
    assert_eq!(ids(&take(deliveries.as_mut(), 10).await), ids(&published));
}

/// A watcher is no consumer: what nobody else wants is still where people look for it.
pub async fn what_no_consumer_wants_is_seen_and_kept_aside_all_the_same(
    broker: Arc<dyn Broker>,
    taps: Arc<dyn Taps>,
) {
    broker.declare(&subscription()).await.unwrap();
    let mut tap = taps.open().await.unwrap();
    let unwanted = cancelled("o-1").into_message();
    publish(broker.as_ref(), [unwanted.clone()]).await;
    let unwanted = [unwanted];
    assert_eq!(ids(&seen(tap.as_mut(), 1).await), ids(&unwanted));
    assert_eq!(ids(&[take_one(broker.as_ref(), UNROUTED).await]), ids(&unwanted));
}

/// A retry, a dead letter or a replay to one consumer is no news.
pub async fn what_goes_to_one_queue_is_not_seen(broker: Arc<dyn Broker>, taps: Arc<dyn Taps>) {
    broker.declare(&subscription()).await.unwrap();
    let mut tap = taps.open().await.unwrap();
    let retried = created("o-1").into_message();
    send(broker.as_ref(), &Destination::Queue(QUEUE.to_owned()), [retried]).await;
    let event = created("o-2").into_message();
    publish(broker.as_ref(), [event.clone()]).await;
    assert_eq!(ids(&seen(tap.as_mut(), 1).await), ids(&[event]));
}

/// Publishers are confirmed and consumers served while nobody reads. Then every event is accounted
/// for: dropped and counted, the oldest first, or seen.
pub async fn a_slow_reader_is_told_how_much_was_dropped_and_holds_nobody_up(
    broker: Arc<dyn Broker>,
    taps: Arc<dyn Taps>,
) {
    let mut deliveries = subscribed(broker.as_ref(), &subscription()).await;
    let mut tap = taps.open().await.unwrap();
    let count = 2 * MAX_HELD;
    // A reader that is quick enough by chance has missed nothing, and proves nothing: again.
    wait::until("something is dropped", async || {
        let published = messages(count);
        publish(broker.as_ref(), published.clone()).await;
        assert_eq!(take(deliveries.as_mut(), count).await.len(), count);
        let (mut missed, mut seen) = (0, Vec::new());
        while missed + seen.len() < count {
            let passed = next(tap.as_mut()).await;
            missed += usize::try_from(passed.missed).unwrap();
            seen.extend(passed.messages);
        }
        assert_eq!(missed + seen.len(), count);
        assert!(tap.next().now_or_never().is_none(), "nothing is counted twice");
        assert_eq!(seen.last(), published.last(), "the newest are seen");
        (missed > 0).then_some(())
    })
    .await;
}
