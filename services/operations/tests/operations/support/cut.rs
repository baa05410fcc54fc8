//! A process that dies at a chosen call of a port: the call is made or not, and never answers.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use async_trait::async_trait;
use tokio::sync::Notify;
use uuid::Uuid;
use waybill::{
    grpc::page::Page,
    message::Message,
    publisher::{self, Publication, Publisher},
    store::Result,
};
use waybill_operations::{
    domain::{
        dead_letter::{Action, DeadLetter},
        operation::{Kind, Operation},
    },
    ports::{
        Stores,
        batches::{Batches, Left, Mark, Sending},
        operations::Operations,
    },
};

/// Whether the last call took effect.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Last {
    Made,
    NotMade,
}

/// Counts calls down to the one at which the process dies.
pub(crate) struct Cut {
    left: AtomicUsize,
    last: Last,
    died: Notify,
}

impl Cut {
    pub(crate) fn after(calls: usize, last: Last) -> Arc<Self> {
        Arc::new(Self {
            left: AtomicUsize::new(calls),
            last,
            died: Notify::new(),
        })
    }

    /// Waits until the process has died.
    pub(crate) async fn died(&self) {
        self.died.notified().await;
    }

    async fn call<T>(&self, call: impl Future<Output = T>) -> T {
        let left = self
            .left
            .fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| left.checked_sub(1));
        if left.is_ok() {
            return call.await;
        }
        if self.last == Last::Made {
            call.await;
        }
        self.died.notify_one();
        std::future::pending().await
    }
}

/// What stands behind a port, until the process dies.
pub(crate) struct Mortal<T: ?Sized> {
    inner: Arc<T>,
    cut: Arc<Cut>,
}

/// The stores of a process that dies at `cut`.
pub(crate) fn mortal(stores: &Stores, cut: &Arc<Cut>) -> Stores {
    let cut = || Arc::clone(cut);
    Stores {
        batches: Arc::new(Mortal {
            inner: Arc::clone(&stores.batches),
            cut: cut(),
        }),
        sending: Arc::new(Mortal {
            inner: Arc::clone(&stores.sending),
            cut: cut(),
        }),
        operations: Arc::new(Mortal {
            inner: Arc::clone(&stores.operations),
            cut: cut(),
        }),
        ..stores.clone()
    }
}

/// Its publisher.
pub(crate) fn mortal_publisher(publisher: Arc<dyn Publisher>, cut: &Arc<Cut>) -> Arc<dyn Publisher> {
    Arc::new(Mortal {
        inner: publisher,
        cut: Arc::clone(cut),
    })
}

#[async_trait]
impl Batches for Mortal<dyn Batches> {
    async fn mark(&self, mark: &Mark) -> Result<u64> {
        self.cut.call(self.inner.mark(mark)).await
    }

    async fn stage(&self, batch: Uuid, staging: Uuid, action: &Action) -> Result<()> {
        self.cut.call(self.inner.stage(batch, staging, action)).await
    }

    async fn left(&self, batch: Uuid) -> Result<Left> {
        self.cut.call(self.inner.left(batch)).await
    }

    async fn end(&self, batch: Uuid, kind: Kind, action: &Action) -> Result<()> {
        self.cut.call(self.inner.end(batch, kind, action)).await
    }
}

#[async_trait]
impl Sending for Mortal<dyn Sending> {
    async fn staged(&self, batch: Uuid, staging: Uuid, limit: usize) -> Result<Vec<(DeadLetter, Message)>> {
        self.cut.call(self.inner.staged(batch, staging, limit)).await
    }

    async fn forwarded(&self, staging: Uuid, ids: &[Uuid]) -> Result<()> {
        self.cut.call(self.inner.forwarded(staging, ids)).await
    }

    async fn refused(&self, staging: Uuid, ids: &[Uuid]) -> Result<()> {
        self.cut.call(self.inner.refused(staging, ids)).await
    }
}

#[async_trait]
impl Operations for Mortal<dyn Operations> {
    async fn create(&self, operation: &Operation) -> Result<Option<Operation>> {
        self.inner.create(operation).await
    }

    async fn get(&self, id: Uuid) -> Result<Option<Operation>> {
        self.inner.get(id).await
    }

    async fn list(&self, page: Page) -> Result<Vec<Operation>> {
        self.inner.list(page).await
    }

    async fn save(&self, operation: &Operation) -> Result<bool> {
        self.cut.call(self.inner.save(operation)).await
    }
}

#[async_trait]
impl Publisher for Mortal<dyn Publisher> {
    async fn publish(&self, batch: Vec<Publication>) -> Vec<std::result::Result<(), publisher::Error>> {
        self.cut.call(self.inner.publish(batch)).await
    }
}

/// Longer than any lease.
pub(crate) const AFTER_THE_LEASE: Duration = Duration::from_mins(1);
