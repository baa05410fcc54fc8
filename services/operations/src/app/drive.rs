//! Takes one operation to its end, batch by batch, from wherever it was left.

use tokio_util::sync::CancellationToken;
use tracing::{info, warn};
use uuid::Uuid;
use waybill::{
    backoff::Backoff,
    dead_letter::{STAGING_ID, forget_failures},
    message::Message,
    publisher::{self, Destination, Publication},
    store,
};

use super::{pace::Pace, work::Worker};
use crate::{
    domain::{
        dead_letter::DeadLetter,
        operation::{Batch, Kind, MAX_BATCH, Operation, Step},
    },
    ports::batches::Mark,
};

/// Why an operation was left where it is.
#[derive(Debug)]
enum Left {
    /// Told to stop.
    Stopped,
    /// Another process works on it.
    ToAnother,
    /// The store: another attempt may help.
    Store(store::Error),
}

impl From<store::Error> for Left {
    fn from(error: store::Error) -> Self {
        Self::Store(error)
    }
}

/// Works on `operation` until it has ended, this process is told to stop, or another takes over.
pub(super) async fn to_the_end(worker: &Worker, operation: Operation, stop: &CancellationToken) {
    let id = operation.order.id;
    let mut drive = Drive {
        worker,
        operation,
        stop,
    };
    let left = drive.run().await;
    let (done, refused) = (drive.operation.done, drive.operation.refused);
    match left {
        Ok(()) => info!(operation = %id, done, refused, "operation ended"),
        Err(Left::Store(error)) => warn!(operation = %id, %error, "operation is interrupted"),
        Err(left) => info!(operation = %id, ?left, "operation is left"),
    }
}

struct Drive<'a> {
    worker: &'a Worker,
    operation: Operation,
    stop: &'a CancellationToken,
}

impl Drive<'_> {
    async fn run(&mut self) -> Result<(), Left> {
        while self.operation.end.is_none() {
            self.may_go_on().await?;
            match self.operation.batch {
                None => self.next_batch().await?,
                Some(batch) => match batch.step {
                    Step::Marking => self.mark(batch).await?,
                    Step::Sending => self.send(batch).await?,
                    Step::Ending => self.end(batch).await?,
                },
            }
        }
        Ok(())
    }

    async fn may_go_on(&self) -> Result<(), Left> {
        if self.stop.is_cancelled() {
            return Err(Left::Stopped);
        }
        if !self.worker.leads().await {
            return Err(Left::ToAnother);
        }
        Ok(())
    }

    /// Its id is kept before any letter is marked with it, so that whoever resumes finds them.
    async fn next_batch(&mut self) -> Result<(), Left> {
        self.operation.batch = Some(Batch {
            id: self.worker.ids.next_id(),
            step: Step::Marking,
            size: 0,
            refused: 0,
        });
        self.save().await
    }

    async fn mark(&mut self, batch: Batch) -> Result<(), Left> {
        let order = &self.operation.order;
        let mark = Mark {
            operation: order.id,
            batch: batch.id,
            selection: order.selection.clone(),
            until: order.time,
            limit: MAX_BATCH,
        };
        let size = self.worker.stores.batches.mark(&mark).await?;
        if size == 0 {
            self.operation.batch = None;
            self.operation.end = Some(self.worker.now());
        } else {
            let step = match order.kind {
                Kind::Replay => Step::Sending,
                Kind::Discard => Step::Ending,
            };
            self.operation.batch = Some(Batch { step, size, ..batch });
        }
        self.save().await
    }

    async fn send(&mut self, batch: Batch) -> Result<(), Left> {
        let staging = self.worker.ids.next_id();
        let action = self.operation.action(self.worker.now());
        let stores = &self.worker.stores;
        stores.batches.stage(batch.id, staging, &action).await?;
        let mut pace = Pace::of(self.operation.order.rate);
        let mut backoff = Backoff::default();
        loop {
            let chunk = stores.sending.staged(batch.id, staging, pace.chunk()).await?;
            if chunk.is_empty() {
                break;
            }
            if self.stop.run_until_cancelled(pace.wait()).await.is_none() {
                return Err(Left::Stopped);
            }
            self.may_go_on().await?;
            if self.publish(staging, chunk).await? {
                backoff.reset();
            } else {
                self.stop.run_until_cancelled(backoff.wait()).await;
            }
        }
        let left = stores.batches.left(batch.id).await?;
        if left.unsent > 0 {
            // Staged under another id: somebody else believes to lead, and one of the two is late.
            return Err(Left::ToAnother);
        }
        self.operation.batch = Some(Batch {
            step: Step::Ending,
            refused: left.refused,
            ..batch
        });
        self.save().await
    }

    /// Sends letters, each to the one consumer that failed. `false` when some have to wait.
    async fn publish(&mut self, staging: Uuid, chunk: Vec<(DeadLetter, Message)>) -> Result<bool, Left> {
        let (letters, messages): (Vec<_>, Vec<_>) = chunk.into_iter().unzip();
        let publications = letters
            .iter()
            .zip(messages)
            .map(|(letter, message)| sent_back(letter, message, staging));
        let results = self.worker.publisher.publish(publications.collect()).await;
        let (mut forwarded, mut refused, mut all) = (Vec::new(), Vec::new(), true);
        for (letter, result) in letters.iter().zip(results) {
            match result {
                Ok(()) => forwarded.push(letter.id),
                Err(error @ (publisher::Error::Unavailable(_) | publisher::Error::Refused)) => {
                    warn!(consumer = letter.consumer, %error, "a dead letter cannot be sent back now");
                    all = false;
                }
                Err(error) => {
                    if self.operation.refusal.is_empty() {
                        self.operation.refusal = error.to_string();
                    }
                    refused.push(letter.id);
                }
            }
        }
        let sending = &self.worker.stores.sending;
        if !forwarded.is_empty() {
            sending.forwarded(staging, &forwarded).await?;
        }
        if !refused.is_empty() {
            sending.refused(staging, &refused).await?;
        }
        Ok(all)
    }

    async fn end(&mut self, batch: Batch) -> Result<(), Left> {
        let kind = self.operation.order.kind;
        let action = self.operation.action(self.worker.now());
        self.worker.stores.batches.end(batch.id, kind, &action).await?;
        self.operation.done += batch.size.saturating_sub(batch.refused);
        self.operation.refused += batch.refused;
        self.operation.batch = None;
        self.save().await
    }

    async fn save(&mut self) -> Result<(), Left> {
        self.operation.revision += 1;
        if self.worker.stores.operations.save(&self.operation).await? {
            Ok(())
        } else {
            Err(Left::ToAnother)
        }
    }
}

/// A letter on its way back: as if it had never failed, in the same trace and transaction.
fn sent_back(letter: &DeadLetter, mut message: Message, staging: Uuid) -> Publication {
    forget_failures(&mut message);
    let id = staging.to_string();
    message.headers.insert(STAGING_ID.to_owned(), id.into());
    Publication {
        destination: Destination::Queue(letter.consumer.clone()),
        message,
    }
}
