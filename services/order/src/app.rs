//! The use cases.

mod cancel_order;
mod error;
mod place_order;
mod queries;
mod watch_order;
mod watchers;

#[cfg(test)]
mod tests;

use std::{sync::Arc, time::SystemTime};

use tokio_util::sync::CancellationToken;
use waybill::clock::{Clock, IdGenerator, from_unix_millis, unix_millis};

pub use error::Error;
pub use watchers::{MAX_WATCHERS, Watchers};

use crate::ports::{EventOffers, OrderEvents, OrderQueries, OrderRepository};

/// What the use cases are built from.
pub struct Parts {
    /// Stores orders.
    pub repository: Arc<dyn OrderRepository>,
    /// Reads them.
    pub queries: Arc<dyn OrderQueries>,
    /// Makes their events.
    pub events: Arc<dyn OrderEvents>,
    /// Takes stored events to the broker.
    pub offers: Arc<dyn EventOffers>,
    /// Tells the time.
    pub clock: Arc<dyn Clock>,
    /// Makes ids.
    pub ids: Arc<dyn IdGenerator>,
}

/// The use cases of the order service.
pub struct Orders {
    parts: Parts,
    watchers: Arc<Watchers>,
    stop: CancellationToken,
}

impl Orders {
    /// The use cases over `parts`. Streams end when `stop` is cancelled.
    pub fn new(parts: Parts, stop: CancellationToken) -> Self {
        let watchers = Arc::new(Watchers::new(Arc::clone(&parts.queries)));
        Self {
            parts,
            watchers,
            stop,
        }
    }

    /// Who watches, for the loop that finds changes made elsewhere.
    pub fn watchers(&self) -> Arc<Watchers> {
        Arc::clone(&self.watchers)
    }

    /// The time, as precise as stores keep it: a later answer must show the same.
    fn now(&self) -> SystemTime {
        from_unix_millis(unix_millis(self.parts.clock.now()))
    }
}
