//! Which dead letters are meant.

use std::time::SystemTime;

use uuid::Uuid;

/// Those that match everything that is set; all of them when nothing is.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Filter {
    /// The consumer that failed.
    pub consumer: Option<String>,
    /// The type of the message.
    pub event_type: Option<String>,
    /// The reason of the last failure.
    pub reason: Option<String>,
    /// The order it is about.
    pub order_id: Option<String>,
    /// Last failed then or later.
    pub failed_since: Option<SystemTime>,
    /// Last failed before.
    pub failed_before: Option<SystemTime>,
}

/// What an operation is for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Selection {
    /// These, at most [`MAX_IDS`].
    Ids(Vec<Uuid>),
    /// All that match.
    Filter(Filter),
}

/// Ids in one request: one batch, and far below the limit of a request's size.
pub const MAX_IDS: usize = 1000;

/// Dead letters of one cause.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cause {
    /// The consumer that failed.
    pub consumer: String,
    /// The type of what it failed on.
    pub event_type: String,
    /// The reason it gave.
    pub reason: String,
    /// How many.
    pub count: u64,
    /// When the first of them last failed.
    pub oldest: SystemTime,
    /// When the last of them last failed.
    pub newest: SystemTime,
}

/// Where counting ends, at the newest: so that asking stays cheap however many there are.
pub const MAX_COUNTED: usize = 100_000;
