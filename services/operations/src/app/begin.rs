//! Begins an operation, and tells how far one is.

use std::{sync::Arc, time::Duration};

use tokio::sync::Notify;
use uuid::Uuid;
use waybill::store;

use crate::{
    domain::{
        filter::{Filter, MAX_COUNTED, Selection},
        operation::{Kind, MAX_RUNNING, Operation, Order, Step},
    },
    ports::Stores,
};

/// Why an operation was not begun.
#[derive(Debug)]
pub enum Error {
    /// Its id was used before for another request.
    IdReused,
    /// As many are under way as are worked on.
    TooMany,
    /// The store.
    Store(store::Error),
}

impl From<store::Error> for Error {
    fn from(error: store::Error) -> Self {
        Self::Store(error)
    }
}

/// Begins operations.
#[derive(Clone)]
pub struct Begin {
    stores: Stores,
    news: Arc<Notify>,
}

impl Begin {
    /// Keeps them in `stores`, and tells whoever waits for `news`.
    pub fn new(stores: Stores, news: Arc<Notify>) -> Self {
        Self { stores, news }
    }

    /// Begins what `order` asks for. A repeat of the order gets the operation that there is.
    pub async fn begin(&self, order: Order) -> Result<Operation, Error> {
        if let Some(known) = self.stores.operations.get(order.id).await? {
            return same(known, &order);
        }
        if self.stores.work.running(MAX_RUNNING).await?.len() >= MAX_RUNNING {
            return Err(Error::TooMany);
        }
        let operation = self.dry_run(order).await?;
        if let Some(known) = self.stores.operations.create(&operation).await? {
            return same(known, &operation.order);
        }
        self.news.notify_one();
        Ok(operation)
    }

    /// What an operation would be, and how many letters it would find.
    pub async fn dry_run(&self, order: Order) -> Result<Operation, store::Error> {
        let matched = match &order.selection {
            Selection::Ids(ids) => self.stores.dead_letters.waiting(ids).await?,
            Selection::Filter(filter) => {
                let until = order.time + Duration::from_millis(1);
                let filter = Filter {
                    failed_before: Some(filter.failed_before.map_or(until, |before| before.min(until))),
                    ..filter.clone()
                };
                let causes = self.stores.dead_letters.causes(&filter, MAX_COUNTED).await?;
                causes.iter().map(|cause| cause.count).sum()
            }
        };
        Ok(Operation::new(order, matched))
    }

    /// One operation, what is done of its batch included.
    pub async fn progress(&self, id: Uuid) -> Result<Option<Operation>, store::Error> {
        let Some(mut operation) = self.stores.operations.get(id).await? else {
            return Ok(None);
        };
        if operation.order.kind == Kind::Replay
            && let Some(batch) = operation.batch
            && batch.step != Step::Marking
        {
            let left = self.stores.batches.left(batch.id).await?;
            let refused = batch.refused.max(left.refused);
            operation.done += batch.size.saturating_sub(left.unsent + refused);
            operation.refused += refused;
        }
        Ok(Some(operation))
    }
}

fn same(known: Operation, order: &Order) -> Result<Operation, Error> {
    if known.order.fingerprint == order.fingerprint {
        Ok(known)
    } else {
        Err(Error::IdReused)
    }
}
