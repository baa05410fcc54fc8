//! Receives events from a queue, has them handled, and deals with those that could not be.
//!
//! One loop: take a batch, handle it, send what failed to a wait queue or to the dead-letter queue
//! and have that confirmed, then acknowledge the whole batch. Whatever goes wrong on the way, the
//! batch is not acknowledged, so the broker hands it out again.

mod dispatch;
mod telling;

use std::{sync::Arc, time::Instant};

use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

use self::dispatch::Events;
use crate::{
    backoff::Backoff,
    broker::{self, Batch, Broker, Deliveries},
    clock::Clock,
    config::ConsumerTrace,
    context::TraceContext,
    dead_letter::{self, FailedBy},
    envelope::{self, Envelope},
    failure::{Failure, FailureClass, Outcome},
    handler::Handler,
    message::Message,
    pace::Pace,
    publisher::{self, Destination, Publication, Publisher},
    story::{Ending, Teller},
    telemetry::{
        metrics::consumer::Consuming,
        trace::messaging::{ProcessedBy, Processing},
    },
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
    spans: ProcessedBy,
    teller: Option<Teller>,
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
            metrics: Consuming::by(broker.endpoint().system, &subscription.queue),
            spans: ProcessedBy {
                broker: broker.endpoint(),
                queue: subscription.queue.clone(),
                trace: ConsumerTrace::default(),
            },
            broker,
            subscription,
            handler,
            clock,
            instance: instance.into(),
            teller: None,
        }
    }

    /// Tells `teller` of every attempt.
    #[must_use]
    pub fn telling(mut self, teller: Teller) -> Self {
        self.teller = Some(teller);
        self
    }

    /// Processes events in another trace than their publisher's.
    #[must_use]
    pub fn tracing(mut self, trace: ConsumerTrace) -> Self {
        self.spans.trace = trace;
        self
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
        let mut pace = Pace::default();
        loop {
            let next = async {
                pace.next_round().await;
                deliveries.next(max).await
            };
            let Some(batch) = stop.run_until_cancelled(next).await else {
                return Ok(());
            };
            let batch = batch?;
            pace.begins(batch.messages.len(), max);
            if !self.work(batch, stop).await? {
                return Ok(());
            }
        }
    }

    /// Handles one batch and acknowledges it. `false` when told to stop before it could be handled.
    async fn work(&self, batch: Batch, stop: &CancellationToken) -> Result<bool, broker::Error> {
        let mut messages = batch.messages;
        messages.iter_mut().for_each(dead_letter::restore_routing_key);
        let mut processing = self.spans.start(&messages, self.clock.now());
        let Some(outcomes) = self.outcomes(&messages, &processing, stop).await else {
            return Ok(false);
        };
        let failed: Vec<_> = messages
            .into_iter()
            .zip(outcomes)
            .enumerate()
            .filter_map(|(index, (message, outcome))| {
                Some(self.after_failure(message, outcome.err()?, index, &mut processing))
            })
            .collect();
        let settling = processing.end();
        if !self.forward(failed, stop).await? {
            return Ok(false);
        }
        let span = settling.ack(&self.spans);
        let acknowledged = batch.acknowledgement.ack().await;
        span.end(acknowledged.as_ref().err().map(|_| "unavailable"));
        acknowledged?;
        Ok(true)
    }

    /// One outcome a message; what is no event has failed already.
    async fn outcomes(
        &self,
        messages: &[Message],
        processing: &Processing,
        stop: &CancellationToken,
    ) -> Option<Vec<Outcome>> {
        let mut events = Events::default();
        let mut ids = Vec::with_capacity(messages.len());
        let mut read = |(index, message): (usize, &Message)| {
            let envelope = Envelope::from_message(message);
            ids.push(envelope.as_ref().ok().map(|envelope| envelope.id));
            let mut envelope = envelope?;
            let span = processing.span_context(index);
            envelope.context.trace = envelope.context.trace.naming(&span);
            events.envelopes.push(envelope);
            events.contexts.push(processing.of_one(index));
            Ok(())
        };
        let read: Vec<Result<(), envelope::Error>> = messages.iter().enumerate().map(&mut read).collect();
        events.context = processing.of_all(ids.into_iter());
        let started = Instant::now();
        let handled = dispatch::until_handled(self.handler.as_ref(), &events, stop).await?;
        let took = started.elapsed();
        let now = self.clock.now();
        let mut handled = events.envelopes.iter().zip(handled);
        let outcome = |(index, read): (usize, Result<(), envelope::Error>)| {
            let span = processing.span_context(index);
            let outcome = match read {
                Ok(()) => {
                    let (envelope, outcome) =
                        handled.next().expect("dispatch answers one outcome an envelope");
                    if outcome.is_ok() {
                        self.metrics.took_effect(envelope, now, &span);
                        let (message, started) = (&messages[index], processing.started());
                        self.tell(message, envelope, started, &span, Ending::Handled);
                    }
                    outcome
                }
                Err(error) => Err(Failure::from(error)),
            };
            self.metrics
                .processed(&messages[index], outcome.as_ref().err(), took, &span);
            outcome
        };
        Some(read.into_iter().enumerate().map(outcome).collect())
    }

    /// Where a message goes that could not be handled.
    fn after_failure(
        &self,
        mut message: Message,
        failure: Failure,
        index: usize,
        processing: &mut Processing,
    ) -> Publication {
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
        let span = self
            .spans
            .failed(processing, index, &message, failure.reason, delay.is_some());
        self.tell_failure(&message, &failure, delay, processing.started(), &span);
        dead_letter::record_failure(&mut message, &failure, &by, self.clock.now());
        if let Some(traceparent) = TraceContext::default().naming(&span).traceparent {
            let name = dead_letter::LAST_ATTEMPT.to_owned();
            message.headers.insert(name, traceparent.as_str().into());
        }
        let queue = match delay {
            Some(delay) => self.subscription.wait_queue(delay),
            None => self.subscription.dead_letter_queue(),
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

#[cfg(test)]
mod tests;
