//! Why a message could not be handled, and whether trying again can help.

use std::fmt;

/// The outcome of handling one message.
pub type Outcome = Result<(), Failure>;

/// Whether trying again can help.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FailureClass {
    /// The next attempt may succeed: it is retried with backoff until the attempts are used up.
    Transient,
    /// No attempt will ever succeed: it goes to the dead-letter queue at once.
    Permanent,
}

impl FailureClass {
    /// The word that stands in headers and logs.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Transient => "transient",
            Self::Permanent => "permanent",
        }
    }
}

/// One message that could not be handled.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub struct Failure {
    /// Whether trying again can help.
    pub class: FailureClass,
    /// Stable name of the cause, for instance `CONTACT_UNKNOWN`: what dead letters are grouped by.
    pub reason: &'static str,
    /// What happened, for whoever is on call. It holds no personal data.
    pub message: String,
}

impl Failure {
    /// A failure that the next attempt may not meet.
    pub fn transient(reason: &'static str, message: impl Into<String>) -> Self {
        Self {
            class: FailureClass::Transient,
            reason,
            message: message.into(),
        }
    }

    /// A failure that every attempt will meet.
    pub fn permanent(reason: &'static str, message: impl Into<String>) -> Self {
        Self {
            class: FailureClass::Permanent,
            reason,
            message: message.into(),
        }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.reason, self.message)
    }
}
