//! The ports through which letters go through a batch. Each call moves only letters that are where it
//! takes them from, so that it may be repeated, and leaves alone what somebody else has moved.

use std::time::SystemTime;

use async_trait::async_trait;
use uuid::Uuid;
use waybill::{message::Message, store::Result};

use crate::domain::{
    dead_letter::{Action, DeadLetter},
    filter::Selection,
    operation::Kind,
};

/// Which letters go into a batch.
#[derive(Debug, Clone)]
pub struct Mark {
    /// The operation. What it had in hand before, it does not take again.
    pub operation: Uuid,
    /// The batch.
    pub batch: Uuid,
    /// From which letters.
    pub selection: Selection,
    /// Only those whose last failure was no later: what fails while the operation goes on is not meant.
    pub until: SystemTime,
    /// Most letters.
    pub limit: usize,
}

/// Letters in a batch, by what is left to do.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Left {
    /// Marked or staged.
    pub unsent: u64,
    /// Refused.
    pub refused: u64,
}

/// Moves letters through batches.
#[async_trait]
pub trait Batches: Send + Sync + 'static {
    /// Marks waiting letters, those that failed first before others, and answers how many are in the
    /// batch now. 0 means that none is left to be marked.
    async fn mark(&self, mark: &Mark) -> Result<u64>;

    /// Stages what is marked, or was staged under another id, under `staging`. What was marked remembers
    /// `action`.
    async fn stage(&self, batch: Uuid, staging: Uuid, action: &Action) -> Result<()>;

    /// Letters of a batch that are left.
    async fn left(&self, batch: Uuid) -> Result<Left>;

    /// Ends a batch. After a replay, forwarded letters are replayed and refused ones wait; after a
    /// discard, marked letters are discarded and remember `action`.
    async fn end(&self, batch: Uuid, kind: Kind, action: &Action) -> Result<()>;
}

/// Moves what is being sent.
#[async_trait]
pub trait Sending: Send + Sync + 'static {
    /// Letters staged under `staging`, those that failed first before others, with their messages.
    async fn staged(&self, batch: Uuid, staging: Uuid, limit: usize) -> Result<Vec<(DeadLetter, Message)>>;

    /// Notes that the broker has confirmed these. Those that are no longer staged under `staging` are
    /// passed over: somebody else has them in hand, or they have failed again.
    async fn forwarded(&self, staging: Uuid, ids: &[Uuid]) -> Result<()>;

    /// Notes that the broker will not take these.
    async fn refused(&self, staging: Uuid, ids: &[Uuid]) -> Result<()>;
}
