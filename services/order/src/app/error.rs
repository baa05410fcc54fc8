//! Why a use case did not do what it was asked.

use uuid::Uuid;
use waybill::store;

/// Why a use case did not do what it was asked.
#[derive(Debug, Clone, thiserror::Error)]
pub enum Error {
    /// There is no order of this id.
    #[error("there is no order {0}")]
    NotFound(Uuid),
    /// The order was cancelled before, by another request.
    #[error("order {0} was cancelled before")]
    AlreadyCancelled(Uuid),
    /// The request id came with another body before.
    #[error("request id was used before with another request")]
    RequestIdReused,
    /// Another change of the order got in between, again and again.
    #[error("order {0} is being changed")]
    Contended(Uuid),
    /// As many streams watch orders as this process serves.
    #[error("too many watchers")]
    TooManyWatchers,
    /// This process is stopping: another instance can go on.
    #[error("stopping")]
    Stopping,
    /// The store did not do its part.
    #[error(transparent)]
    Store(#[from] store::Error),
}
