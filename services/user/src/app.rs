//! The use cases. They know ports and rules, and neither the wire nor a database.

mod queries;
mod register_user;
mod update_user;

use std::{fmt, sync::Arc, time::SystemTime};

use uuid::Uuid;
use waybill::{
    clock::{Clock, IdGenerator, from_unix_millis, unix_millis},
    relay::RelayHandle,
    store,
};

use crate::ports::{StatsRepository, UserRepository, WriteEvent};

/// Why a use case did not do what it was asked. Nothing was stored.
#[derive(Debug, Clone, thiserror::Error)]
pub enum Error {
    /// There is no user of that id.
    #[error("there is no user {0}")]
    UserNotFound(Uuid),
    /// Another user has that address.
    #[error("another user has that address")]
    EmailTaken,
    /// The request id came with another body before.
    #[error("request id was used before with another request")]
    RequestIdReused,
    /// Other changes of the user came in between, again and again.
    #[error("the user was changed by others at the same time")]
    ConcurrentChange,
    /// The store did not do its part.
    #[error(transparent)]
    Store(#[from] store::Error),
}

/// The result of a use case.
pub type Result<T> = std::result::Result<T, Error>;

/// Everything that can be asked of the user service.
pub struct Users {
    /// Keeps the users.
    pub repository: Arc<dyn UserRepository>,
    /// Shows the statistics.
    pub stats: Arc<dyn StatsRepository>,
    /// Publishes what was stored.
    pub relay: RelayHandle,
    /// Writes events as messages.
    pub write_event: WriteEvent,
    /// Tells the time.
    pub clock: Arc<dyn Clock>,
    /// Makes ids.
    pub ids: Arc<dyn IdGenerator>,
}

impl fmt::Debug for Users {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Users").finish_non_exhaustive()
    }
}

impl Users {
    /// The time now, in the precision in which it is stored: an answer must read the same later.
    fn now(&self) -> SystemTime {
        from_unix_millis(unix_millis(self.clock.now()))
    }
}
