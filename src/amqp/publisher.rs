//! Publishes with confirms, a whole batch at a time.

use std::{collections::HashSet, sync::Mutex, time::Duration};

use async_trait::async_trait;
use bytes::Bytes;
use futures::{StreamExt, stream::FuturesUnordered};
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

struct Ready {
    route: Route,
    properties: BasicProperties,
    body: Bytes,
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
) -> Vec<Result<(Route, Confirmation), Error>> {
    let mut confirmed: Vec<_> = batch.iter().map(|_| None).collect();
    let publish = async |(index, publication)| (index, publish_on(channel, publication).await);
    // They are started in order, and a start hands the message over whole: they stand in the queue in the
    // batch's order.
    let mut under_way: FuturesUnordered<_> = batch.into_iter().enumerate().map(publish).collect();
    while let Ok(Some((index, result))) = timeout_at(deadline, under_way.next()).await {
        confirmed[index] = Some(result);
    }
    let known = |result: Option<_>| result.unwrap_or_else(|| Err(too_late("confirm")));
    confirmed.into_iter().map(known).collect()
}

/// Hands a message over, and waits for its confirm.
async fn publish_on(channel: &Channel, publication: Publication) -> Result<(Route, Confirmation), Error> {
    let ready = ready(publication)?;
    let route = ready.route.clone();
    let (exchange, key) = ready.route;
    let options = BasicPublishOptions {
        mandatory: true,
        ..BasicPublishOptions::default()
    };
    let handing_over = channel.basic_publish(exchange, key, options, &ready.body, ready.properties);
    let confirmation = async { handing_over.await?.await };
    let confirmation = confirmation.await.map_err(|error| away(unavailable(error)))?;
    Ok((route, confirmation))
}

/// What the confirmations of one batch say of each message. A message that no queue took is both
/// returned and confirmed, so that what was returned is looked at first, and known by its route.
fn settle(confirmed: Vec<Result<(Route, Confirmation), Error>>) -> Vec<Result<(), Error>> {
    let mut returned = HashSet::new();
    let mut acked = |(route, confirmation): (Route, Confirmation)| {
        let acked = confirmation.is_ack();
        if let Some(message) = confirmation.take_message() {
            returned.insert((message.exchange.clone(), message.routing_key.clone()));
        }
        (route, acked)
    };
    let answers: Vec<_> = confirmed
        .into_iter()
        .map(|result| result.map(&mut acked))
        .collect();
    let answer = |(route, acked): (Route, bool)| match acked {
        _ if returned.contains(&route) => Err(Error::Unroutable(route.1.to_string())),
        true => Ok(()),
        false => Err(Error::Refused),
    };
    answers
        .into_iter()
        .map(|result| result.and_then(answer))
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
