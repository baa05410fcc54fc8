//! A replay or a discard: what was asked, and how far it is.
//!
//! It goes through its dead letters in batches. A batch is marked, so that no other operation has its
//! letters; staged under an id that is new in every attempt, so that what an interrupted attempt has
//! yet to say no longer counts; forwarded; and then done. Every step may be repeated.

use std::time::{Duration, SystemTime};

use uuid::Uuid;

use super::{dead_letter::Action, filter::Selection};

/// Largest batch: what an interruption may send twice, and what one update may touch.
pub const MAX_BATCH: usize = 1000;

/// Messages a second when nobody says otherwise: gentle to a consumer that has just been mended.
pub const DEFAULT_RATE: u32 = 100;

/// Most messages a second that can be asked for: about what one broker confirms to one publisher.
pub const MAX_RATE: u32 = 10_000;

/// Operations under way at the same time. Each is a task that holds a chunk of messages.
pub const MAX_RUNNING: usize = 8;

/// Longest name of who asks, in bytes.
pub const MAX_ACTOR_BYTES: usize = 200;

/// Longest reason, in bytes: a few sentences and a link.
pub const MAX_REASON_BYTES: usize = 1000;

/// How long what was replayed is still shown. Waiting and discarded letters are kept, and operations
/// too. An inbox remembers for 90 days what was handled, so nothing is replayed twice after this.
pub const REPLAYED_RETENTION: Duration = Duration::from_hours(30 * 24);

/// What is done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Sent back to the consumer that failed.
    Replay,
    /// Set aside for good.
    Discard,
}

impl Kind {
    /// The word that stores keep.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Replay => "REPLAY",
            Self::Discard => "DISCARD",
        }
    }

    /// The kind that a store's word stands for.
    pub fn from_word(word: &str) -> Option<Self> {
        [Self::Replay, Self::Discard]
            .into_iter()
            .find(|kind| kind.as_str() == word)
    }
}

/// What was asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Order {
    /// Id of the request, and so of the operation.
    pub id: Uuid,
    /// Digest of the request, to tell a repeat from another request.
    pub fingerprint: [u8; 32],
    /// What is done.
    pub kind: Kind,
    /// To which.
    pub selection: Selection,
    /// Who asks.
    pub actor: String,
    /// Why.
    pub reason: String,
    /// Most messages a second.
    pub rate: u32,
    /// When it was asked for, with millisecond precision. What failed later is not meant.
    pub time: SystemTime,
}

/// How far a batch is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// Letters are being marked for it.
    Marking,
    /// It has all its letters, which are being sent.
    Sending,
    /// All were sent or refused, and their records are being brought up to date.
    Ending,
}

impl Step {
    /// The word that stores keep.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Marking => "MARKING",
            Self::Sending => "SENDING",
            Self::Ending => "ENDING",
        }
    }

    /// The step that a store's word stands for.
    pub fn from_word(word: &str) -> Option<Self> {
        [Self::Marking, Self::Sending, Self::Ending]
            .into_iter()
            .find(|step| step.as_str() == word)
    }
}

/// The batch that an operation is at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Batch {
    /// Its id.
    pub id: Uuid,
    /// How far it is.
    pub step: Step,
    /// Letters in it, from [`Step::Sending`] on.
    pub size: u64,
    /// Those that the broker refused, from [`Step::Ending`] on.
    pub refused: u64,
}

/// An operation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Operation {
    /// What was asked for.
    pub order: Order,
    /// How many it found when it began, counted up to [`MAX_COUNTED`](super::filter::MAX_COUNTED); of a
    /// filter, those that another operation had in hand included.
    pub matched: u64,
    /// Letters done in batches that have ended.
    pub done: u64,
    /// Letters refused in batches that have ended.
    pub refused: u64,
    /// What the broker said of the first of those; empty while it refused none.
    pub refusal: String,
    /// The batch it is at.
    pub batch: Option<Batch>,
    /// When it ended.
    pub end: Option<SystemTime>,
    /// Counts its changes, so that of two writers one wins.
    pub revision: i64,
}

impl Operation {
    /// One that has just been asked for.
    pub fn new(order: Order, matched: u64) -> Self {
        Self {
            order,
            matched,
            done: 0,
            refused: 0,
            refusal: String::new(),
            batch: None,
            end: None,
            revision: 0,
        }
    }

    /// What is remembered of it at the letters that it has done.
    pub fn action(&self, now: SystemTime) -> Action {
        Action {
            operation: self.order.id,
            kind: self.order.kind,
            actor: self.order.actor.clone(),
            reason: self.order.reason.clone(),
            time: now,
        }
    }
}
