//! Works on operations, in one process at a time.

use std::{
    collections::HashSet,
    sync::{Arc, Mutex},
    time::{Duration, SystemTime},
};

use tokio::{sync::Notify, task::JoinSet, time::Instant};
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};
use uuid::Uuid;
use waybill::{
    clock::{Clock, IdGenerator},
    publisher::Publisher,
    store::Result,
};

use super::drive;
use crate::{
    domain::operation::{MAX_RUNNING, REPLAYED_RETENTION},
    ports::Stores,
};

/// How often it looks for operations that another process has begun, or left behind.
const LOOK_INTERVAL: Duration = Duration::from_secs(1);

/// How long a process that died holds up its operations.
const LEASE: Duration = Duration::from_secs(5);

/// How long a lease is good for without asking again: what is begun in this time ends within the lease.
const RENEW_AFTER: Duration = Duration::from_secs(2);

/// How often replayed letters are forgotten.
const FORGET_INTERVAL: Duration = Duration::from_mins(10);

/// Letters forgotten in one write.
const FORGET_BATCH: usize = 1000;

/// What work needs.
pub struct Worker {
    pub(super) stores: Stores,
    pub(super) publisher: Arc<dyn Publisher>,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) ids: Arc<dyn IdGenerator>,
    instance: String,
    news: Arc<Notify>,
    led: Mutex<Option<Instant>>,
}

impl Worker {
    /// Works on the operations in `stores` and sends through `publisher`, in a process called
    /// `instance`, at once when there are `news`.
    pub fn new(
        stores: Stores,
        publisher: Arc<dyn Publisher>,
        clock: Arc<dyn Clock>,
        ids: Arc<dyn IdGenerator>,
        instance: String,
        news: Arc<Notify>,
    ) -> Self {
        Self {
            stores,
            publisher,
            clock,
            ids,
            instance,
            news,
            led: Mutex::new(None),
        }
    }

    /// Works until `stop`. What is cut off is resumed, here or elsewhere.
    pub async fn run(self, stop: CancellationToken) {
        let worker = Arc::new(self);
        let mut tasks = JoinSet::new();
        let mut under_way = HashSet::new();
        let mut forgotten: Option<Instant> = None;
        while !stop.is_cancelled() {
            while let Some(ended) = tasks.try_join_next() {
                if let Ok(id) = ended {
                    under_way.remove(&id);
                }
            }
            if let Err(error) = worker.look(&mut under_way, &mut tasks, &stop).await {
                warn!(%error, "operations cannot be looked for now");
            }
            if worker.leads().await && forgotten.is_none_or(|at| at.elapsed() >= FORGET_INTERVAL) {
                forgotten = Some(Instant::now());
                worker.forget().await;
            }
            tokio::select! {
                () = stop.cancelled() => {}
                () = worker.news.notified() => {}
                () = tokio::time::sleep(LOOK_INTERVAL) => {}
                ended = tasks.join_next(), if !tasks.is_empty() => {
                    if let Some(Ok(id)) = ended {
                        under_way.remove(&id);
                    }
                }
            }
        }
        while tasks.join_next().await.is_some() {}
    }

    async fn look(
        self: &Arc<Self>,
        under_way: &mut HashSet<Uuid>,
        tasks: &mut JoinSet<Uuid>,
        stop: &CancellationToken,
    ) -> Result<()> {
        if !self.leads().await {
            return Ok(());
        }
        for operation in self.stores.work.running(MAX_RUNNING).await? {
            let id = operation.order.id;
            if under_way.insert(id) {
                info!(operation = %id, kind = operation.order.kind.as_str(), "working on an operation");
                let (worker, stop) = (Arc::clone(self), stop.clone());
                tasks.spawn(async move {
                    drive::to_the_end(&worker, operation, &stop).await;
                    id
                });
            }
        }
        Ok(())
    }

    /// Whether this process may go on. When the store does not answer, it may not.
    pub(super) async fn leads(&self) -> bool {
        if self.last_led().is_some_and(|at| at.elapsed() < RENEW_AFTER) {
            return true;
        }
        let asked = Instant::now();
        let led = self
            .stores
            .work
            .try_lead(&self.instance, self.clock.now(), LEASE)
            .await;
        let leads = led.unwrap_or_else(|error| {
            warn!(%error, "nobody knows who works on operations");
            false
        });
        *self.led.lock().expect("no holder of the lock can panic") = leads.then_some(asked);
        leads
    }

    fn last_led(&self) -> Option<Instant> {
        *self.led.lock().expect("no holder of the lock can panic")
    }

    /// The time now, in whole milliseconds, as stores keep it.
    pub(super) fn now(&self) -> SystemTime {
        use waybill::clock::{from_unix_millis, unix_millis};
        from_unix_millis(unix_millis(self.clock.now()))
    }

    async fn forget(&self) {
        let before = self.clock.now() - REPLAYED_RETENTION;
        loop {
            match self.stores.work.forget_replayed(before, FORGET_BATCH).await {
                Ok(0) => break,
                Ok(letters) => info!(letters, "replayed dead letters are no longer kept"),
                Err(error) => {
                    warn!(%error, "replayed dead letters cannot be forgotten now");
                    break;
                }
            }
        }
    }
}
