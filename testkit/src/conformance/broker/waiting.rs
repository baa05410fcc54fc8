//! Wait queues: what waits comes back by itself.

use std::{sync::Arc, time::Duration};

use waybill::{broker::Broker, publisher::Destination, retry::RetryPolicy};

use super::fixture::{QUEUE, SOON, created, ids, nothing_is_left, send, subscribed, subscription, take};

/// Waits 20 ms, or the longest there is.
const SOON_OR_LATE: RetryPolicy = RetryPolicy {
    max_attempts: 3,
    first_delay: Duration::from_millis(20),
    multiplier: u32::MAX,
    max_delay: Duration::from_hours(1),
};

fn wait_queue(delay: Duration) -> Destination {
    Destination::Queue(subscription().wait_queue(delay))
}

/// A message in a wait queue comes back to the queue, once, with all its headers.
pub async fn a_wait_ends_in_the_queue_it_belongs_to(broker: Arc<dyn Broker>) {
    let mut deliveries = subscribed(broker.as_ref(), &subscription()).await;
    for delay in SOON.delays() {
        let message = created("o-1").into_message();
        send(broker.as_ref(), &wait_queue(delay), [message.clone()]).await;
        let back = take(deliveries.as_mut(), 1).await.remove(0);
        assert_eq!(
            (&back.properties, &back.body),
            (&message.properties, &message.body)
        );
        for (name, value) in &message.headers {
            assert_eq!(back.headers.get(name), Some(value), "{name}");
        }
    }
    nothing_is_left(broker.as_ref(), QUEUE, deliveries.as_mut()).await;
}

/// A message that waits an hour does not hold up one that came after it and waits 20 ms.
pub async fn a_long_wait_does_not_block_a_short_one(broker: Arc<dyn Broker>) {
    let policy = subscription().retrying(SOON_OR_LATE);
    let mut deliveries = subscribed(broker.as_ref(), &policy).await;
    let long = SOON_OR_LATE.delay_after(2, 1).expect("attempts are left");
    assert_eq!(long, Duration::from_hours(1));
    let (late, soon) = (created("late").into_message(), created("soon").into_message());
    send(broker.as_ref(), &wait_queue(long), [late]).await;
    send(
        broker.as_ref(),
        &wait_queue(Duration::from_millis(20)),
        [soon.clone()],
    )
    .await;
    assert_eq!(ids(&take(deliveries.as_mut(), 1).await), ids(&[soon]));
}

/// After the policy has changed, what waits in a queue of the old one comes back all the same.
pub async fn what_waits_by_an_old_policy_comes_back_too(broker: Arc<dyn Broker>) {
    broker.declare(&subscription()).await.unwrap();
    let old = *SOON.delays().last().expect("there are delays");
    let message = created("o-1").into_message();
    send(broker.as_ref(), &wait_queue(old), [message.clone()]).await;
    let changed = RetryPolicy {
        first_delay: Duration::from_millis(7),
        ..SOON
    };
    assert!(!changed.delays().contains(&old));
    let mut deliveries = subscribed(broker.as_ref(), &subscription().retrying(changed)).await;
    assert_eq!(ids(&take(deliveries.as_mut(), 1).await), ids(&[message]));
}
