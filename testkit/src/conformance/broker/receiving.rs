//! How messages are handed out, and when they come again.

use std::{collections::BTreeSet, sync::Arc};

use futures::FutureExt;
use waybill::broker::Broker;

use super::fixture::{
    QUEUE, ids, messages, next, nothing_is_left, publish, subscribed, subscribed_to, subscription, take,
};

/// A batch is never empty and never larger than asked for; what is left comes with the next.
pub async fn a_batch_holds_no_more_than_was_asked_for(broker: Arc<dyn Broker>) {
    let mut deliveries = subscribed(broker.as_ref(), &subscription()).await;
    let published = messages(10);
    publish(broker.as_ref(), published.clone()).await;
    let mut received = Vec::new();
    while received.len() < 10 {
        let batch = next(deliveries.as_mut(), 3).await;
        assert!((1..=3).contains(&batch.messages.len()));
        received.extend(batch.messages);
        batch.acknowledgement.ack().await.unwrap();
    }
    assert_eq!(ids(&received), ids(&published));
}

/// Giving up on a wait takes nothing from the queue.
pub async fn a_cancelled_call_loses_nothing(broker: Arc<dyn Broker>) {
    let mut deliveries = subscribed(broker.as_ref(), &subscription()).await;
    let published = messages(20);
    for message in &published {
        // Asked once and dropped, sometimes just as a message comes in.
        let asked = deliveries.next(1).now_or_never();
        assert!(asked.is_none(), "nothing was published and not received");
        publish(broker.as_ref(), [message.clone()]).await;
        assert_eq!(
            ids(&take(deliveries.as_mut(), 1).await),
            ids(std::slice::from_ref(message))
        );
    }
}

/// What was out and not acknowledged is handed out again once its subscriber is gone, and so is
/// what the subscriber had not even asked for.
pub async fn what_was_not_acknowledged_comes_back(broker: Arc<dyn Broker>) {
    let mut first = subscribed(broker.as_ref(), &subscription()).await;
    let published = messages(10);
    publish(broker.as_ref(), published.clone()).await;
    let batch = next(first.as_mut(), 5).await;
    drop(batch);
    drop(first);
    let mut second = subscribed_to(broker.as_ref(), QUEUE).await;
    let received = take(second.as_mut(), 10).await;
    assert_eq!(set(&ids(&received)), set(&ids(&published)));
    nothing_is_left(broker.as_ref(), QUEUE, second.as_mut()).await;
}

/// What was acknowledged is gone for good.
pub async fn what_was_acknowledged_never_comes_back(broker: Arc<dyn Broker>) {
    let mut first = subscribed(broker.as_ref(), &subscription()).await;
    publish(broker.as_ref(), messages(10)).await;
    take(first.as_mut(), 10).await;
    drop(first);
    let mut second = subscribed_to(broker.as_ref(), QUEUE).await;
    nothing_is_left(broker.as_ref(), QUEUE, second.as_mut()).await;
}

/// Two subscribers of one queue share its messages: what one has in hand the other does not get.
pub async fn two_subscribers_share_and_nothing_comes_twice(broker: Arc<dyn Broker>) {
    let small = subscription().prefetching(10);
    broker.declare(&small).await.unwrap();
    let mut one = broker.subscribe(&small).await.unwrap();
    let mut other = broker.subscribe(&small).await.unwrap();
    let published = messages(20);
    publish(broker.as_ref(), published.clone()).await;
    let ours = next(one.as_mut(), 10).await;
    let theirs = next(other.as_mut(), 10).await;
    let mut received = [ours.messages, theirs.messages].concat();
    ours.acknowledgement.ack().await.unwrap();
    theirs.acknowledgement.ack().await.unwrap();
    drop(other);
    let rest = take(one.as_mut(), 20 - received.len()).await;
    received.extend(rest);
    assert_eq!(set(&ids(&received)), set(&ids(&published)));
    nothing_is_left(broker.as_ref(), QUEUE, one.as_mut()).await;
}

/// Declaring what is there already leaves it as it is, with what it holds.
pub async fn declaring_again_changes_nothing(broker: Arc<dyn Broker>) {
    broker.declare(&subscription()).await.unwrap();
    let published = messages(3);
    publish(broker.as_ref(), published.clone()).await;
    broker.declare(&subscription()).await.unwrap();
    let mut deliveries = subscribed_to(broker.as_ref(), QUEUE).await;
    assert_eq!(ids(&take(deliveries.as_mut(), 3).await), ids(&published));
    nothing_is_left(broker.as_ref(), QUEUE, deliveries.as_mut()).await;
}

fn set<'a>(ids: &[&'a str]) -> BTreeSet<&'a str> {
    ids.iter().copied().collect()
}
