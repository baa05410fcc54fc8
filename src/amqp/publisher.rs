//! Publishes with confirms, a whole batch at a time.

use std::{collections::HashSet, mem, sync::Mutex, time::Duration};

use async_trait::async_trait;
use bytes::Bytes;
use futures::{FutureExt, StreamExt, TryFutureExt, stream::FuturesUnordered};
use lapin::{
    BasicProperties, Channel, Confirmation,
    options::{BasicPublishOptions, ConfirmSelectOptions},
    types::ShortString,
};
use tokio::{
    sync::{Semaphore, SemaphorePermit},
    time::{Instant, timeout_at},
};

use super::{connection::Link, error::unavailable, message, topology};
use crate::{
    broker,
    message::Message,
    publisher::{Destination, Error, Publication, Publisher},
    topology::{EVENTS_EXCHANGE, MAX_BODY_BYTES},
};

/// Messages on one channel that wait for their confirm.
const MAX_IN_FLIGHT: usize = 256;

/// Channels, and so batches that are published at the same time. More than the relays and consumers
/// of one process; each costs the broker a process of its own.
const MAX_CHANNELS: usize = 32;

/// How long a batch may wait for a channel and its confirms. A healthy broker needs milliseconds;
/// one that takes this long is as good as away, and the outbox holds what it did not confirm.
const PUBLISH_TIMEOUT: Duration = Duration::from_secs(5);

/// Publishes over one connection, each batch on a channel that no other uses meanwhile: when the
/// broker returns a message, lapin tells so with the channel's next confirm, whichever that is.
pub(super) struct AmqpPublisher {
    link: Link,
    idle: Mutex<Vec<Channel>>,
    permits: Semaphore,
}

/// Exchange and routing key, which decide together whether any queue takes a message.
type Route = (ShortString, ShortString);

/// A message as the channel takes it.
struct Ready {
    route: Route,
    properties: BasicProperties,
    body: Bytes,
}

/// What a confirm says: of its own message, and of one that came back.
struct Answer {
    is_ack: bool,
    returned: Option<Route>,
}

struct Confirmed {
    route: Route,
    answer: Answer,
}

impl AmqpPublisher {
    pub(super) fn new(link: Link) -> Self {
        Self {
            link,
            idle: Mutex::default(),
            permits: Semaphore::new(MAX_CHANNELS),
        }
    }

    /// The state of the connection.
    pub(super) fn check(&self) -> Result<(), broker::Error> {
        self.link.check()
    }

    /// Publishes what fits on one channel at once.
    async fn publish_together(&self, batch: Vec<Publication>) -> Vec<Result<(), Error>> {
        let deadline = Instant::now() + PUBLISH_TIMEOUT;
        let (channel, _permit) = match timeout_at(deadline, self.channel()).await {
            Ok(Ok(channel)) => channel,
            Ok(Err(error)) => return vec![Err(away(error)); batch.len()],
            Err(_) => return vec![Err(too_late("channel")); batch.len()],
        };
        let confirmed = confirmed(&channel, batch, deadline).await;
        if !confirmed.iter().any(is_unavailable) {
            self.idle
                .lock()
                .expect("no holder of the lock can panic")
                .push(channel);
        }
        settle(confirmed)
    }

    /// A channel that nobody else uses until the permit is dropped, on which the exchange is declared.
    async fn channel(&self) -> Result<(Channel, SemaphorePermit<'_>), broker::Error> {
        let permit = self.permits.acquire().await.expect("it is never closed");
        while let Some(channel) = self.take_idle() {
            if channel.status().connected() {
                return Ok((channel, permit));
            }
        }
        let channel = self.link.channel().await?;
        topology::declare_events(&channel).await?;
        let confirming = channel.confirm_select(ConfirmSelectOptions::default());
        confirming.await.map_err(unavailable)?;
        Ok((channel, permit))
    }

    fn take_idle(&self) -> Option<Channel> {
        self.idle.lock().expect("no holder of the lock can panic").pop()
    }
}

#[async_trait]
impl Publisher for AmqpPublisher {
    async fn publish(&self, batch: Vec<Publication>) -> Vec<Result<(), Error>> {
        let (count, mut batch) = (batch.len(), batch.into_iter());
        let mut results = Vec::with_capacity(count);
        while batch.len() > 0 {
            let part = batch.by_ref().take(MAX_IN_FLIGHT).collect();
            results.extend(self.publish_together(part).await);
            if let Some(unavailable) = results.iter().find(|result| is_unavailable(result)).cloned() {
                // What is left would wait as long for the same answer.
                results.resize(count, unavailable);
                break;
            }
        }
        results
    }
}

fn ready(publication: Publication) -> Result<Ready, Error> {
    let Message {
        routing_key,
        properties,
        headers,
        body,
    } = publication.message;
    // A message that has failed goes on to its next queue however large it is.
    if publication.destination == Destination::Events && body.len() > MAX_BODY_BYTES {
        return Err(Error::TooLarge {
            bytes: body.len(),
            max: MAX_BODY_BYTES,
        });
    }
    let (exchange, key) = match publication.destination {
        Destination::Events => (EVENTS_EXCHANGE, routing_key),
        Destination::Queue(queue) => ("", queue),
    };
    Ok(Ready {
        route: (exchange.into(), message::short(key)?),
        properties: message::properties(properties, headers)?,
        body,
    })
}

/// Publishes all of `batch`, each with what the broker says of it.
async fn confirmed(
    channel: &Channel,
    batch: Vec<Publication>,
    deadline: Instant,
) -> Vec<Result<Confirmed, Error>> {
    let mut ready: Vec<_> = batch.into_iter().map(ready).collect();
    let mut answers: Vec<_> = ready.iter().map(|_| None).collect();
    let publishing = ready.iter_mut().enumerate().filter_map(|(index, ready)| {
        let publishing = publish_on(channel, ready.as_mut().ok()?);
        Some(publishing.map(move |answer| (index, answer)))
    });
    // They are started in order, and a start hands the message over whole: they stand in the queue in the
    // batch's order.
    let mut under_way: FuturesUnordered<_> = publishing.collect();
    while let Ok(Some((index, answer))) = timeout_at(deadline, under_way.next()).await {
        answers[index] = Some(answer);
    }
    drop(under_way);
    let known = |(ready, answer): (Result<Ready, Error>, Option<_>)| {
        let route = ready?.route;
        let answer = answer.unwrap_or_else(|| Err(too_late("confirm")))?;
        Ok(Confirmed { route, answer })
    };
    ready.into_iter().zip(answers).map(known).collect()
}

/// Hands a message over, and waits for its confirm. Not an `async fn`: that would hold all that it is
/// given twice, for each message that is under way.
fn publish_on<'a>(
    channel: &'a Channel,
    ready: &'a mut Ready,
) -> impl Future<Output = Result<Answer, Error>> + use<'a> {
    let (exchange, key) = ready.route.clone();
    let options = BasicPublishOptions {
        mandatory: true,
        ..BasicPublishOptions::default()
    };
    let properties = mem::take(&mut ready.properties);
    channel
        .basic_publish(exchange, key, options, &ready.body, properties)
        .try_flatten()
        .map_ok(Answer::from)
        .map_err(|error| away(unavailable(error)))
}

impl From<Confirmation> for Answer {
    fn from(confirmation: Confirmation) -> Self {
        let is_ack = confirmation.is_ack();
        let returned = confirmation.take_message();
        Self {
            is_ack,
            returned: returned.map(|message| (message.exchange.clone(), message.routing_key.clone())),
        }
    }
}

/// What the confirms of one batch say of each message. A message that no queue took is both
/// returned and confirmed, so that what was returned is looked at first, and known by its route.
fn settle(mut confirmed: Vec<Result<Confirmed, Error>>) -> Vec<Result<(), Error>> {
    let answers = confirmed.iter_mut().flatten();
    let returned: HashSet<_> = answers.filter_map(|one| one.answer.returned.take()).collect();
    let settled = |Confirmed { route, answer }: Confirmed| match answer.is_ack {
        _ if returned.contains(&route) => Err(Error::Unroutable(route.1.to_string())),
        true => Ok(()),
        false => Err(Error::Refused),
    };
    confirmed
        .into_iter()
        .map(|result| result.and_then(settled))
        .collect()
}

fn is_unavailable<T>(result: &Result<T, Error>) -> bool {
    matches!(result, Err(Error::Unavailable(_)))
}

fn away(error: broker::Error) -> Error {
    Error::Unavailable(match error {
        broker::Error::Unavailable(text) => text,
        mismatch @ broker::Error::Mismatch { .. } => mismatch.to_string(),
    })
}

fn too_late(what: &str) -> Error {
    Error::Unavailable(format!("no {what} within {PUBLISH_TIMEOUT:?}"))
}
