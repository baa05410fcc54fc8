//! Who in this process watches which order, and how they hear that it changed.
//!
//! All that is kept of an order is the latest version known: however slow a client reads, nothing
//! is buffered for it, since every version can be shown from the order's history. Changes made in
//! this process are told at once; those made elsewhere are found by one loop for all watchers.

use std::{
    collections::{HashMap, hash_map::Entry},
    sync::{Arc, Mutex, MutexGuard},
    time::Duration,
};

use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};
use uuid::Uuid;
use waybill::store;

use super::Error;
use crate::ports::OrderQueries;

/// Streams that one process serves at the same time. Each costs a task and an HTTP/2 stream; a look
/// for changes asks for this many orders in ten queries.
pub const MAX_WATCHERS: usize = 10_000;

/// How often a change made by another process is looked for.
const POLL_INTERVAL: Duration = Duration::from_millis(500);

/// Orders asked for in one query.
const POLL_CHUNK: usize = 1000;

/// The watchers of one process.
pub struct Watchers {
    queries: Arc<dyn OrderQueries>,
    watched: Mutex<Watched>,
}

#[derive(Default)]
struct Watched {
    watchers: usize,
    orders: HashMap<Uuid, Latest>,
}

/// The latest version known of one order.
struct Latest {
    version: watch::Sender<i64>,
    watchers: usize,
}

/// One watcher of one order. Dropping it makes room for another.
pub(super) struct Watcher {
    watchers: Arc<Watchers>,
    order_id: Uuid,
    version: watch::Receiver<i64>,
}

impl Watchers {
    pub(super) fn new(queries: Arc<dyn OrderQueries>) -> Self {
        Self {
            queries,
            watched: Mutex::default(),
        }
    }

    /// Starts to watch an order. Every change told from now on is seen.
    pub(super) fn join(self: &Arc<Self>, order_id: Uuid) -> Result<Watcher, Error> {
        let mut watched = self.lock();
        if watched.watchers == MAX_WATCHERS {
            return Err(Error::TooManyWatchers);
        }
        watched.watchers += 1;
        let latest = watched.orders.entry(order_id).or_insert_with(|| Latest {
            version: watch::Sender::new(0),
            watchers: 0,
        });
        latest.watchers += 1;
        Ok(Watcher {
            watchers: Arc::clone(self),
            order_id,
            version: latest.version.subscribe(),
        })
    }

    /// Tells those who watch an order of a version of it.
    pub(super) fn notify(&self, order_id: Uuid, version: i64) {
        if let Some(latest) = self.lock().orders.get(&order_id) {
            latest.version.send_if_modified(|known| {
                let newer = version > *known;
                *known = version.max(*known);
                newer
            });
        }
    }

    /// Looks for changes made elsewhere, while there is anyone to tell, until `stop`.
    pub async fn run(self: Arc<Self>, stop: CancellationToken) {
        let mut failing = false;
        while stop
            .run_until_cancelled(tokio::time::sleep(POLL_INTERVAL))
            .await
            .is_some()
        {
            let result = self.poll().await;
            match &result {
                Err(error) if !failing => warn!(%error, "watched orders cannot be looked up now"),
                Ok(()) if failing => info!("watched orders are looked up again"),
                _ => {}
            }
            failing = result.is_err();
        }
    }

    async fn poll(&self) -> store::Result<()> {
        let order_ids: Vec<Uuid> = self.lock().orders.keys().copied().collect();
        for chunk in order_ids.chunks(POLL_CHUNK) {
            for (order_id, version) in self.queries.versions(chunk).await? {
                self.notify(order_id, version);
            }
        }
        Ok(())
    }

    fn lock(&self) -> MutexGuard<'_, Watched> {
        self.watched.lock().expect("no holder of the lock can panic")
    }
}

impl Watcher {
    /// Waits until a version above `seen` is known.
    pub(super) async fn beyond(&mut self, seen: i64) {
        let known = self.version.wait_for(|version| *version > seen).await;
        known.expect("the sender lives as long as the order has watchers");
    }
}

impl Drop for Watcher {
    fn drop(&mut self) {
        let mut watched = self.watchers.lock();
        watched.watchers -= 1;
        if let Entry::Occupied(mut order) = watched.orders.entry(self.order_id) {
            order.get_mut().watchers -= 1;
            if order.get().watchers == 0 {
                order.remove();
            }
        }
    }
}
