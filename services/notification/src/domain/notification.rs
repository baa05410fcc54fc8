//! What is remembered of a notice that was dealt with.

use std::time::SystemTime;

use uuid::Uuid;

use super::{letter, notice::Notice};

/// What a notification tells. An order is told each at most once.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Kind {
    /// The order was placed.
    Confirmation,
    /// The order was cancelled.
    Cancellation,
}

impl Kind {
    /// The word that stores keep.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Confirmation => "ORDER_CONFIRMATION",
            Self::Cancellation => "ORDER_CANCELLATION",
        }
    }

    /// The kind that a store's word stands for.
    pub fn from_word(word: &str) -> Option<Self> {
        [Self::Confirmation, Self::Cancellation]
            .into_iter()
            .find(|kind| kind.as_str() == word)
    }
}

/// What became of a notice.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    /// A mail server accepted it.
    Sent,
    /// Not mailed, because the order had been cancelled by then.
    Superseded,
}

impl State {
    /// The word that stores keep.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Sent => "SENT",
            Self::Superseded => "SUPERSEDED",
        }
    }

    /// The state that a store's word stands for.
    pub fn from_word(word: &str) -> Option<Self> {
        [Self::Sent, Self::Superseded]
            .into_iter()
            .find(|state| state.as_str() == word)
    }
}

/// The record that a notice was dealt with, and how. It holds no personal data.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Notification {
    /// Id of the event that caused it.
    pub id: Uuid,
    /// What it tells.
    pub kind: Kind,
    /// What became of it.
    pub state: State,
    /// The user it is for.
    pub user_id: Uuid,
    /// The order it is about.
    pub order_id: Uuid,
    /// Subject line.
    pub subject: String,
    /// Message-ID of the mail; empty when none was sent.
    pub message_id: String,
    /// When this was recorded, with millisecond precision.
    pub create_time: SystemTime,
}

impl Notification {
    /// The record of a notice that was mailed under `message_id`.
    pub fn sent(notice: &Notice, message_id: String, now: SystemTime) -> Self {
        Self {
            id: notice.event_id,
            kind: notice.kind,
            state: State::Sent,
            user_id: notice.user_id,
            order_id: notice.order_id,
            subject: letter::subject(notice),
            message_id,
            create_time: now,
        }
    }

    /// The record of a notice that came too late to be true.
    pub fn superseded(notice: &Notice, now: SystemTime) -> Self {
        Self {
            state: State::Superseded,
            ..Self::sent(notice, String::new(), now)
        }
    }
}
