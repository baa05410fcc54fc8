//! What became of each event: every attempt at handling one, told by the consumer that made it.
//!
//! It is what an operator asks about an order, not what the platform works by. It is told beside the
//! work and never in its way: an attempt that was made and could not be told, as in a crash right after
//! it, is missing from the story. Nothing is decided by what stands in it.

mod teller;

use std::time::Duration;

use async_trait::async_trait;
use serde::{Deserialize, Serialize};

pub(crate) use self::teller::Made;
pub use self::teller::{Teller, Telling};
use crate::store::Result;

/// How long an attempt is remembered: as long as a dead letter is kept.
pub const RETENTION: Duration = Duration::from_hours(30 * 24);

/// Most attempts that are told of one aggregate. An order with a few events, each of which some consumers
/// try seven times, comes to some dozens.
pub const MAX_TOLD: usize = 500;

/// One attempt of a consumer at an event.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Attempt {
    /// The event's id.
    pub event_id: String,
    /// Its full protobuf name.
    pub type_name: String,
    /// Id of the aggregate that it is about.
    pub subject: String,
    /// When it happened, in milliseconds since the Unix epoch.
    pub event_time_ms: i64,
    /// Consumer, by the name of its queue.
    pub consumer: String,
    /// The process that made the attempt.
    pub instance: String,
    /// Number of the attempt; the first is 1.
    pub number: u32,
    /// When it began, in milliseconds since the Unix epoch.
    pub start_time_ms: i64,
    /// When it ended, in milliseconds since the Unix epoch.
    pub end_time_ms: i64,
    /// How it ended.
    pub ending: Ending,
    /// The trace that it stands in, 32 hexadecimal digits; empty if there is none.
    pub trace_id: String,
}

/// How an attempt ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Ending {
    /// The event had its effect, or had had it before.
    Handled,
    /// It failed, for this reason, and is tried again.
    Retried(String),
    /// It failed for good, for this reason: it is a dead letter.
    GivenUp(String),
}

/// Keeps attempts, in whichever order they were made.
#[async_trait]
pub trait Stories: Send + Sync + 'static {
    /// Keeps attempts for [`RETENTION`], in one write.
    async fn record(&self, attempts: &[Attempt]) -> Result<()>;

    /// The attempts at events about `subject`, by when they began, [`MAX_TOLD`] at most.
    async fn of(&self, subject: &str) -> Result<Vec<Attempt>>;
}
