//! What comes out of dead-letter queues.

mod failed;

use std::sync::Arc;

use tokio_util::sync::CancellationToken;
use tracing::{error, info, warn};
use waybill::{
    backoff::Backoff,
    broker::{self, Batch, Broker, Deliveries},
    clock::Clock,
    store,
    topology::Subscription,
};

pub use failed::failed;

use crate::ports::dead_letters::Intake;

/// Messages taken out of a queue and kept together: enough to share a commit, and at 1 MiB each as much
/// as a small container has room for.
pub const PREFETCH: u16 = 32;

/// Moves one consumer's dead letters from their queue into the store.
pub struct DeadLetterQueue {
    broker: Arc<dyn Broker>,
    consumer: Subscription,
    intake: Arc<dyn Intake>,
    clock: Arc<dyn Clock>,
}

impl DeadLetterQueue {
    /// That of `consumer`.
    pub fn new(
        broker: Arc<dyn Broker>,
        consumer: Subscription,
        intake: Arc<dyn Intake>,
        clock: Arc<dyn Clock>,
    ) -> Self {
        Self {
            broker,
            consumer,
            intake,
            clock,
        }
    }

    /// Moves until `stop`. It outlives any outage of broker and store: what is not kept is not
    /// acknowledged.
    pub async fn run(self, stop: CancellationToken) {
        let mut backoff = Backoff::default();
        while !stop.is_cancelled() {
            let error = match stop.run_until_cancelled(self.subscribe()).await {
                None => break,
                Some(Ok(mut deliveries)) => {
                    info!(consumer = self.consumer.queue, "taking dead letters in");
                    backoff.reset();
                    match self.take(deliveries.as_mut(), &stop).await {
                        Ok(()) => break,
                        Err(error) => error,
                    }
                }
                Some(Err(error)) => error,
            };
            warn!(consumer = self.consumer.queue, %error, "dead letters cannot be taken in now");
            stop.run_until_cancelled(backoff.wait()).await;
        }
    }

    /// The queue is declared with its consumer's, whoever of the two starts first.
    async fn subscribe(&self) -> Result<Box<dyn Deliveries>, broker::Error> {
        self.broker.declare(&self.consumer).await?;
        let queue = Subscription::new(self.consumer.dead_letter_queue()).prefetching(PREFETCH);
        self.broker.subscribe(&queue).await
    }

    async fn take(
        &self,
        deliveries: &mut dyn Deliveries,
        stop: &CancellationToken,
    ) -> Result<(), broker::Error> {
        let max = usize::from(PREFETCH);
        while let Some(batch) = stop.run_until_cancelled(deliveries.next(max)).await {
            if !self.keep(batch?, stop).await? {
                break;
            }
        }
        Ok(())
    }

    /// Keeps a batch and acknowledges it. `false` when told to stop before it could be kept.
    async fn keep(&self, batch: Batch, stop: &CancellationToken) -> Result<bool, broker::Error> {
        let now = self.clock.now();
        let read = |message| failed(&self.consumer.queue, message, now);
        let failures: Vec<_> = batch.messages.into_iter().map(read).collect();
        let mut backoff = Backoff::default();
        loop {
            match stop.run_until_cancelled(self.intake.record(&failures)).await {
                None => return Ok(false),
                Some(Ok(())) => break,
                Some(Err(error @ store::Error::Unavailable(_))) => {
                    warn!(consumer = self.consumer.queue, %error, "dead letters cannot be kept now");
                }
                Some(Err(error)) => {
                    error!(consumer = self.consumer.queue, %error, "dead letters cannot be kept, they stay in their queue");
                }
            }
            stop.run_until_cancelled(backoff.wait()).await;
        }
        batch.acknowledgement.ack().await?;
        Ok(true)
    }
}
