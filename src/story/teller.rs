//! From consumers to the story, through a buffer that never makes a consumer wait.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, SystemTime},
};

use opentelemetry::trace::SpanContext;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;
use tracing::warn;

use super::{Attempt, Ending, Stories};
use crate::{backoff::Backoff, clock::unix_millis, envelope::Envelope, gather::gather};

/// Attempts that wait to be written: some seconds of a busy platform, a few megabytes.
const MAX_WAITING: usize = 10_000;

/// Attempts in one write.
const BATCH: usize = 500;

/// How long attempts are gathered for a write: a person asks later than that, and the database is
/// asked no more often.
const GATHER: Duration = Duration::from_millis(200);

/// Where consumers tell their attempts. Clones share the buffer.
#[derive(Clone)]
pub struct Teller {
    attempts: mpsc::Sender<Attempt>,
    untold: Arc<AtomicU64>,
}

/// What writes down what was told.
pub struct Telling {
    stories: Arc<dyn Stories>,
    attempts: mpsc::Receiver<Attempt>,
    untold: Arc<AtomicU64>,
}

/// Who made an attempt, when, and in which trace.
pub(crate) struct Made<'a> {
    pub(crate) consumer: &'a str,
    pub(crate) instance: &'a str,
    pub(crate) number: u32,
    pub(crate) started: SystemTime,
    pub(crate) ended: SystemTime,
    pub(crate) span: &'a SpanContext,
}

impl Teller {
    /// A teller, and what writes to `stories` what it tells.
    pub fn new(stories: Arc<dyn Stories>) -> (Self, Telling) {
        let (sender, receiver) = mpsc::channel(MAX_WAITING);
        let untold = Arc::new(AtomicU64::new(0));
        let teller = Self {
            attempts: sender,
            untold: Arc::clone(&untold),
        };
        let telling = Telling {
            stories,
            attempts: receiver,
            untold,
        };
        (teller, telling)
    }

    /// Tells of an attempt. What finds no room is counted and left out.
    pub(crate) fn tell(&self, event: &Envelope, made: &Made<'_>, ending: Ending) {
        let of_event = || event.context.trace.trace_id().unwrap_or_default().to_owned();
        let attempt = Attempt {
            event_id: event.id.to_string(),
            type_name: event.type_name.clone(),
            subject: event.subject.clone(),
            event_time_ms: unix_millis(event.time),
            consumer: made.consumer.to_owned(),
            instance: made.instance.to_owned(),
            number: made.number,
            start_time_ms: unix_millis(made.started),
            end_time_ms: unix_millis(made.ended),
            ending,
            trace_id: if made.span.is_valid() {
                made.span.trace_id().to_string()
            } else {
                of_event()
            },
        };
        if self.attempts.try_send(attempt).is_err() {
            self.untold.fetch_add(1, Ordering::Relaxed);
        }
    }
}

impl Telling {
    /// Writes until `stop`, and then what was told by that time.
    pub async fn run(mut self, stop: CancellationToken) {
        let mut batch = Vec::with_capacity(BATCH);
        loop {
            let gathering = gather(&mut self.attempts, &mut batch, BATCH, GATHER);
            stop.run_until_cancelled(gathering).await;
            // Told to stop, it did not wait for what is there.
            while batch.len() < BATCH
                && let Ok(attempt) = self.attempts.try_recv()
            {
                batch.push(attempt);
            }
            if batch.is_empty() {
                return;
            }
            self.write(&batch, &stop).await;
            batch.clear();
        }
    }

    /// Writes a batch, trying again while the database is away. One that it refuses is left out.
    async fn write(&self, batch: &[Attempt], stop: &CancellationToken) {
        let mut backoff = Backoff::default();
        while let Err(error) = self.stories.record(batch).await {
            let attempts = batch.len();
            warn!(attempts, %error, "attempts cannot be written to the story now");
            if !error.is_transient() || stop.run_until_cancelled(backoff.wait()).await.is_none() {
                self.untold
                    .fetch_add(batch.len().try_into().unwrap_or(u64::MAX), Ordering::Relaxed);
                break;
            }
        }
        let untold = self.untold.swap(0, Ordering::Relaxed);
        if untold > 0 {
            warn!(untold, "attempts are missing from the story");
        }
    }
}

#[cfg(test)]
mod tests;
