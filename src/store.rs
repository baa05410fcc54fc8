//! What a store can answer with when it cannot do what it was asked.

/// Why a store did not do what it was asked.
#[derive(Debug, Clone, thiserror::Error)]
pub enum Error {
    /// The store cannot be reached, or is changing its primary: the same call may succeed later.
    /// Whether a write took effect is not known, so it must be safe to repeat.
    #[error("store is unavailable: {0}")]
    Unavailable(String),
    /// The store refused the call, or holds what cannot be read: repeating it will not help.
    #[error("store failed: {0}")]
    Failed(String),
}

impl Error {
    /// Whether the same call may succeed later.
    pub fn is_transient(&self) -> bool {
        matches!(self, Self::Unavailable(_))
    }

    /// Its kind in one word, for metrics and spans.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Unavailable(_) => "unavailable",
            Self::Failed(_) => "failed",
        }
    }
}

/// The result of asking a store.
pub type Result<T> = std::result::Result<T, Error>;
