//! The events that a consumer has handled, as a port over its database.
//!
//! The effect of an event and the record that it was handled commit together. So a redelivery, a
//! crash between commit and acknowledgement, or a replay months later changes nothing.

use std::sync::Arc;

use async_trait::async_trait;
use opentelemetry::metrics::BoundCounter;
use uuid::Uuid;

use crate::{
    envelope::Envelope,
    failure::{Failure, Outcome},
    handler::{self, Handler},
    store::Result,
    telemetry::metrics::database::inbox_duplicates,
};

/// The effect of one event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry<E> {
    /// The event.
    pub event_id: Uuid,
    /// What it changes.
    pub effect: E,
}

/// Commits effects, each once.
#[async_trait]
pub trait Inbox<E>: Send + Sync + 'static {
    /// Commits, in one transaction, the effects of those entries whose event was not handled before,
    /// with the record that it now was. An event that stands twice in the batch counts once.
    /// Answers how many were new.
    async fn commit(&self, entries: &[Entry<E>]) -> Result<usize>;
}

/// A [`Handler`] that turns each event into an effect and commits the batch's effects at once.
pub struct InboxHandler<E> {
    inbox: Arc<dyn Inbox<E>>,
    effect: fn(&Envelope) -> std::result::Result<E, Failure>,
    duplicates: BoundCounter<u64>,
}

impl<E> InboxHandler<E> {
    /// Commits to `inbox` what `effect` makes of each event.
    pub fn new(inbox: Arc<dyn Inbox<E>>, effect: fn(&Envelope) -> std::result::Result<E, Failure>) -> Self {
        Self {
            inbox,
            effect,
            duplicates: inbox_duplicates(),
        }
    }
}

#[async_trait]
impl<E: Send + Sync + 'static> Handler for InboxHandler<E> {
    async fn handle(&self, batch: &[Envelope]) -> std::result::Result<Vec<Outcome>, handler::Error> {
        let mut entries = Vec::with_capacity(batch.len());
        let mut outcomes = Vec::with_capacity(batch.len());
        for envelope in batch {
            outcomes.push((self.effect)(envelope).map(|effect| {
                entries.push(Entry {
                    event_id: envelope.id,
                    effect,
                });
            }));
        }
        if !entries.is_empty() {
            let new = self.inbox.commit(&entries).await?;
            self.duplicates.add(entries.len().saturating_sub(new) as u64);
        }
        Ok(outcomes)
    }
}
