//! Receives events from a queue, has them handled, and deals with those that could not be.
//!
//! One loop: take a batch, handle it, send what failed to a wait queue or to the dead-letter queue
//! and have that confirmed, then acknowledge the whole batch. Whatever goes wrong on the way, the
//! batch is not acknowledged, so the broker hands it out again.

mod dispatch;

use std::{sync::Arc, time::Instant};

use tokio_util::sync::CancellationToken;
use tracing::{error, info, warn};

use crate::{
    backoff::Backoff,
    broker::{self, Batch, Broker, Deliveries},
    clock::Clock,
    dead_letter::{self, FailedBy},
    envelope::Envelope,
    failure::{Failure, FailureClass, Outcome},
    handler::Handler,
    message::Message,
    publisher::{self, Destination, Publication, Publisher},
    telemetry::metrics::consumer::Consuming,
    topology::Subscription,
};

/// Receives from one queue and hands to one handler.
pub struct Consumer {
    broker: Arc<dyn Broker>,
    publisher: Arc<dyn Publisher>,
    subscription: Subscription,
    handler: Arc<dyn Handler>,
    clock: Arc<dyn Clock>,
    instance: String,
    metrics: Consuming,
}

impl Consumer {
    /// A consumer of `subscription`. `instance` tells this process from others in dead letters.
    pub fn new(
        broker: Arc<dyn Broker>,
        subscription: Subscription,
        handler: Arc<dyn Handler>,
        clock: Arc<dyn Clock>,
        instance: impl Into<String>,
    ) -> Self {
        Self {
            publisher: broker.publisher(),
            metrics: Consuming::by(&subscription.queue),
            broker,
            subscription,
            handler,
            clock,
            instance: instance.into(),
        }
    }

    /// What it consumes.
    pub fn subscription(&self) -> &Subscription {
        &self.subscription
    }

    /// Consumes until `stop`, finishing the batch in hand. It outlives any outage of the broker; an
    /// error means that the broker's topology contradicts ours.
    pub async fn run(self, stop: CancellationToken) -> Result<(), broker::Error> {
        let mut backoff = Backoff::default();
        while !stop.is_cancelled() {
            let error = match stop.run_until_cancelled(self.subscribe()).await {
                None => break,
                Some(Ok(mut deliveries)) => {
                    info!(queue = self.subscription.queue, "consuming");
                    backoff.reset();
                    match self.consume(deliveries.as_mut(), &stop).await {
                        Ok(()) => break,
                        Err(error) => error,
                    }
                }
                Some(Err(error)) => error,
            };
            if let broker::Error::Mismatch { .. } = error {
                return Err(error);
            }
            self.metrics.resubscribes();
            warn!(queue = self.subscription.queue, %error, "subscription lost, subscribing again");
            stop.run_until_cancelled(backoff.wait()).await;
        }
        Ok(())
    }

    async fn subscribe(&self) -> Result<Box<dyn Deliveries>, broker::Error> {
        self.broker.declare(&self.subscription).await?;
        self.broker.subscribe(&self.subscription).await
    }

    /// Works through batches. `Ok` when told to stop.
    async fn consume(
        &self,
        deliveries: &mut dyn Deliveries,
        stop: &CancellationToken,
    ) -> Result<(), broker::Error> {
        let max = usize::from(self.subscription.prefetch);
        while let Some(batch) = stop.run_until_cancelled(deliveries.next(max)).await {
            if !self.work(batch?, stop).await? {
                break;
            }
        }
        Ok(())
    }

    /// Handles one batch and acknowledges it. `false` when told to stop before it could be handled.
    async fn work(&self, batch: Batch, stop: &CancellationToken) -> Result<bool, broker::Error> {
        let mut messages = batch.messages;
        messages.iter_mut().for_each(dead_letter::restore_routing_key);
        let Some(outcomes) = self.outcomes(&messages, stop).await else {
            return Ok(false);
        };
        let failed: Vec<_> = messages
            .into_iter()
            .zip(outcomes)
            .filter_map(|(message, outcome)| Some(self.after_failure(message, outcome.err()?)))
            .collect();
        if !self.forward(failed, stop).await? {
            return Ok(false);
        }
        batch.acknowledgement.ack().await?;
        Ok(true)
    }

    /// One outcome a message; what is no event has failed already.
    async fn outcomes(&self, messages: &[Message], stop: &CancellationToken) -> Option<Vec<Outcome>> {
        let parsed: Vec<_> = messages.iter().map(Envelope::from_message).collect();
        let envelopes: Vec<_> = parsed.iter().filter_map(|p| p.as_ref().ok().cloned()).collect();
        let started = Instant::now();
        let handled = dispatch::until_handled(self.handler.as_ref(), &envelopes, stop).await?;
        self.metrics.processed(started.elapsed());
        let now = self.clock.now();
        for (envelope, _) in envelopes
            .iter()
            .zip(&handled)
            .filter(|(_, outcome)| outcome.is_ok())
        {
            self.metrics.took_effect(envelope, now);
        }
        let mut handled = handled.into_iter();
        let outcome = |parsed| match parsed {
            Ok(_) => handled.next().expect("dispatch answers one outcome an envelope"),
            Err(error) => Err(Failure::from(error)),
        };
        Some(parsed.into_iter().map(outcome).collect())
    }

    /// Where a message goes that could not be handled.
    fn after_failure(&self, mut message: Message, failure: Failure) -> Publication {
        let attempt = dead_letter::attempt(&message);
        let delay = match failure.class {
            FailureClass::Transient => self.subscription.retry.delay_after(attempt, fastrand::u32(..)),
            FailureClass::Permanent => None,
        };
        let by = FailedBy {
            consumer: &self.subscription.queue,
            instance: &self.instance,
        };
        self.metrics.failed(&message, &failure, delay.is_some());
        dead_letter::record_failure(&mut message, &failure, &by, self.clock.now());
        let message_id = message.properties.message_id.as_deref().unwrap_or_default();
        let correlation_id = message.properties.correlation_id.as_deref().unwrap_or_default();
        let queue = if let Some(delay) = delay {
            warn!(consumer = by.consumer, message_id, correlation_id, attempt, ?delay, %failure, "handling failed, will retry");
            self.subscription.wait_queue(delay)
        } else {
            error!(consumer = by.consumer, message_id, correlation_id, attempt, %failure, "handling failed, dead-lettered");
            self.subscription.dead_letter_queue()
        };
        Publication {
            destination: Destination::Queue(queue),
            message,
        }
    }

    /// Publishes until the broker has confirmed each. `false` when told to stop before.
    async fn forward(
        &self,
        mut pending: Vec<Publication>,
        stop: &CancellationToken,
    ) -> Result<bool, broker::Error> {
        let mut backoff = Backoff::default();
        while !pending.is_empty() {
            let results = self.publisher.publish(pending.clone()).await;
            let mut refused = Vec::new();
            for (publication, result) in pending.into_iter().zip(results) {
                match result {
                    Ok(()) => {}
                    Err(publisher::Error::Unavailable(text)) => return Err(broker::Error::Unavailable(text)),
                    Err(error) => {
                        warn!(destination = ?publication.destination, %error, "failed message was not taken, will try again");
                        refused.push(publication);
                    }
                }
            }
            pending = refused;
            if !pending.is_empty() && stop.run_until_cancelled(backoff.wait()).await.is_none() {
                return Ok(false);
            }
        }
        Ok(true)
    }
}
