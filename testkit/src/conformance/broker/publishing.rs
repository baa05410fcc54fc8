//! Where a message goes, and what the publisher is told.

use std::sync::Arc;

use bytes::Bytes;
use waybill::{
    broker::Broker,
    message::{HeaderValue, Headers},
    publisher::{Destination, Error, Publication},
    topology::{MAX_BODY_BYTES, UNROUTED},
};

use super::fixture::{
    QUEUE, cancelled, created, ids, messages, nothing_is_left, publish, send, subscribed, subscribed_to,
    subscription, take, take_one,
};

/// A message arrives as it was published: its key, every property, every kind of header, its body.
pub async fn a_bound_queue_receives_every_property_and_header(broker: Arc<dyn Broker>) {
    let mut deliveries = subscribed(broker.as_ref(), &subscription()).await;
    let mut message = created("o-1").into_message();
    message.properties.content_encoding = Some("identity".into());
    message.properties.reply_to = Some("somewhere".into());
    message.properties.priority = Some(9);
    message.headers.extend(every_kind_of_header());
    message
        .headers
        .insert("table".into(), HeaderValue::Table(every_kind_of_header()));
    message.body = Bytes::from((0..=255).collect::<Vec<u8>>());
    publish(broker.as_ref(), [message.clone()]).await;
    assert_eq!(take(deliveries.as_mut(), 1).await, [message]);
}

fn every_kind_of_header() -> Headers {
    let kinds = [
        ("void", HeaderValue::Void),
        ("bool", HeaderValue::Bool(true)),
        ("integer", HeaderValue::Integer(i64::MIN)),
        ("double", HeaderValue::Double(-0.125)),
        ("text", HeaderValue::Text("grün".into())),
        ("bytes", HeaderValue::Bytes(vec![0, 255])),
        ("timestamp", HeaderValue::Timestamp(1_700_000_000)),
        (
            "list",
            HeaderValue::List(vec![HeaderValue::Bool(false), HeaderValue::Integer(7)]),
        ),
    ];
    kinds.map(|(name, value)| (name.to_owned(), value)).into()
}

/// A message that no binding wants is confirmed, and kept where an operator finds it.
pub async fn what_no_binding_wants_is_kept_aside(broker: Arc<dyn Broker>) {
    let mut deliveries = subscribed(broker.as_ref(), &subscription()).await;
    let unwanted = cancelled("o-1").into_message();
    publish(broker.as_ref(), [unwanted.clone()]).await;
    assert_eq!(take_one(broker.as_ref(), UNROUTED).await, unwanted);
    nothing_is_left(broker.as_ref(), QUEUE, deliveries.as_mut()).await;
}

/// A message to a queue goes there, whatever its key, and nowhere else.
pub async fn a_queue_alone_receives_what_is_sent_to_it(broker: Arc<dyn Broker>) {
    let mut deliveries = subscribed(broker.as_ref(), &subscription()).await;
    let dead = subscription().dead_letter_queue();
    let message = created("o-1").into_message();
    send(
        broker.as_ref(),
        &Destination::Queue(dead.clone()),
        [message.clone()],
    )
    .await;
    let mut dead_letters = subscribed_to(broker.as_ref(), &dead).await;
    let taken = take(dead_letters.as_mut(), 1).await;
    assert_eq!(ids(&taken), ids(std::slice::from_ref(&message)));
    assert_eq!(
        (&taken[0].headers, &taken[0].body),
        (&message.headers, &message.body)
    );
    nothing_is_left(broker.as_ref(), QUEUE, deliveries.as_mut()).await;
}

/// The messages of a batch, however large, stand in the queue in its order.
pub async fn a_batch_arrives_in_its_order(broker: Arc<dyn Broker>) {
    let mut deliveries = subscribed(broker.as_ref(), &subscription()).await;
    let published = messages(600);
    publish(broker.as_ref(), published.clone()).await;
    assert_eq!(ids(&take(deliveries.as_mut(), 600).await), ids(&published));
}

/// An event larger than the limit is refused; its neighbours are not. A message that has failed
/// goes on to its next queue however large it is.
pub async fn a_message_that_is_too_large_fails_alone(broker: Arc<dyn Broker>) {
    let mut deliveries = subscribed(broker.as_ref(), &subscription()).await;
    let mut published = messages(3);
    published[1].body = vec![1; MAX_BODY_BYTES + 1].into();
    let publication = |message: &_| Publication {
        destination: Destination::Events,
        message: Clone::clone(message),
    };
    let results = broker
        .publisher()
        .publish(published.iter().map(publication).collect())
        .await;
    let too_large = Error::TooLarge {
        bytes: MAX_BODY_BYTES + 1,
        max: MAX_BODY_BYTES,
    };
    assert_eq!(results, [Ok(()), Err(too_large), Ok(())]);
    let large = published.remove(1);
    assert_eq!(ids(&take(deliveries.as_mut(), 2).await), ids(&published));
    send(
        broker.as_ref(),
        &Destination::Queue(QUEUE.into()),
        [large.clone()],
    )
    .await;
    assert_eq!(take(deliveries.as_mut(), 1).await[0].body, large.body);
}

/// A message to a queue that does not exist is not confirmed; its neighbours are.
pub async fn a_queue_that_is_not_there_takes_nothing(broker: Arc<dyn Broker>) {
    let mut deliveries = subscribed(broker.as_ref(), &subscription()).await;
    let published = messages(50);
    let to = |n: usize| {
        if n.is_multiple_of(2) {
            QUEUE
        } else {
            "waybill.test.nowhere"
        }
    };
    let batch = published.iter().enumerate().map(|(n, message)| Publication {
        destination: Destination::Queue(to(n).into()),
        message: message.clone(),
    });
    let results = broker.publisher().publish(batch.collect()).await;
    for (n, result) in results.iter().enumerate() {
        let unroutable = Err(Error::Unroutable("waybill.test.nowhere".into()));
        assert_eq!(
            *result,
            if to(n) == QUEUE { Ok(()) } else { unroutable },
            "message {n}"
        );
    }
    let routed: Vec<_> = published.into_iter().step_by(2).collect();
    assert_eq!(ids(&take(deliveries.as_mut(), 25).await), ids(&routed));
}
