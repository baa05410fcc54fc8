//! What a service does with the events that it receives.

use async_trait::async_trait;

use crate::{
    envelope::Envelope,
    failure::{Failure, Outcome},
    store,
};

/// Why a whole batch was not handled. Nothing of it took effect, or what did is safe to repeat.
#[derive(Debug, Clone, thiserror::Error)]
pub enum Error {
    /// Something that every message needs cannot be reached, as a database that is down. The
    /// consumer waits and offers the same batch again; no attempt is counted.
    #[error("handler cannot go on: {0}")]
    Unavailable(String),
    /// The batch failed as one. The consumer offers its messages one by one, so that the failure
    /// stays with whichever caused it.
    #[error("batch failed: {0}")]
    Failed(Failure),
}

impl From<store::Error> for Error {
    fn from(error: store::Error) -> Self {
        match error {
            store::Error::Unavailable(text) => Self::Unavailable(text),
            store::Error::Failed(text) => Self::Failed(Failure::transient("STORE_FAILED", text)),
        }
    }
}

/// Handles events, a batch at a time.
///
/// A handler may see an event again, after a crash or a replay, and events of one aggregate in any
/// order; it must end with the same effect all the same (see [`inbox`](crate::inbox)).
#[async_trait]
pub trait Handler: Send + Sync + 'static {
    /// Handles a batch. The outcomes stand in its order, one an event.
    async fn handle(&self, batch: &[Envelope]) -> Result<Vec<Outcome>, Error>;
}
