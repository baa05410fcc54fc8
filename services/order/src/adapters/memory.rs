//! Orders in memory, for tests of the use cases. It passes the suite that the real stores pass.

use std::{
    sync::{Mutex, MutexGuard},
    time::{Duration, SystemTime},
};

use async_trait::async_trait;
use uuid::Uuid;
use waybill::{
    message::Message,
    outbox::{Backlog, Entry, Key, Outbox},
    store::Result,
};

use crate::{
    domain::Order,
    ports::{EventOffers, Insert, OrderQueries, OrderRepository, Position, Recorded, Request, Update},
};

#[derive(Clone)]
struct Stored {
    order: Order,
    placed_by: Request,
    cancelled_by: Option<Request>,
}

#[derive(Default)]
pub(crate) struct InMemoryOrders {
    orders: Mutex<Vec<Stored>>,
    outbox: Mutex<Vec<Entry>>,
}

impl InMemoryOrders {
    fn orders(&self) -> MutexGuard<'_, Vec<Stored>> {
        self.orders.lock().unwrap()
    }

    fn keep(&self, owner: Uuid, message: Message) -> Entry {
        let entry = Entry {
            owner: owner.to_string(),
            message,
        };
        self.outbox.lock().unwrap().push(entry.clone());
        entry
    }
}

#[async_trait]
impl OrderRepository for InMemoryOrders {
    async fn insert(&self, order: &Order, request: Request, event: Message) -> Result<Insert> {
        let mut orders = self.orders();
        if let Some(first) = orders.iter().find(|o| o.placed_by.id == request.id) {
            return Ok(Insert::Repeated(Recorded {
                order: first.order.clone(),
                fingerprint: first.placed_by.fingerprint,
            }));
        }
        orders.push(Stored {
            order: order.clone(),
            placed_by: request,
            cancelled_by: None,
        });
        Ok(Insert::Stored(self.keep(order.id(), event)))
    }

    async fn cancel(&self, order: &Order, request: Request, event: Message) -> Result<Update> {
        let mut orders = self.orders();
        let by_request = |o: &Stored| o.cancelled_by.is_some_and(|by| by.id == request.id);
        if orders.iter().any(|o| by_request(o) && o.order.id() != order.id()) {
            return Ok(Update::RequestUsed);
        }
        let before = |o: &&mut Stored| o.order.id() == order.id() && o.order.version() + 1 == order.version();
        let Some(stored) = orders.iter_mut().find(before) else {
            return Ok(Update::Moved);
        };
        stored.order = order.clone();
        stored.cancelled_by = Some(request);
        Ok(Update::Stored(self.keep(order.id(), event)))
    }

    async fn cancelled_by(&self, request_id: Uuid) -> Result<Option<Recorded>> {
        Ok(self.orders().iter().find_map(|o| {
            let by = o.cancelled_by.filter(|by| by.id == request_id)?;
            Some(Recorded {
                order: o.order.clone(),
                fingerprint: by.fingerprint,
            })
        }))
    }
}

#[async_trait]
impl OrderQueries for InMemoryOrders {
    async fn find(&self, order_id: Uuid) -> Result<Option<Order>> {
        let orders = self.orders();
        Ok(orders
            .iter()
            .find(|o| o.order.id() == order_id)
            .map(|o| o.order.clone()))
    }

    async fn list(&self, user_id: Uuid, after: Option<Position>, limit: usize) -> Result<Vec<Order>> {
        let key = |o: &Order| (o.create_time(), o.id());
        let mut orders: Vec<Order> = self
            .orders()
            .iter()
            .map(|o| o.order.clone())
            .filter(|o| o.user_id() == user_id)
            .filter(|o| after.is_none_or(|p| key(o) < (p.create_time, p.order_id)))
            .collect();
        orders.sort_by_key(|o| std::cmp::Reverse(key(o)));
        orders.truncate(limit);
        Ok(orders)
    }

    async fn versions(&self, order_ids: &[Uuid]) -> Result<Vec<(Uuid, i64)>> {
        let orders = self.orders();
        let wanted = orders.iter().filter(|o| order_ids.contains(&o.order.id()));
        Ok(wanted.map(|o| (o.order.id(), o.order.version())).collect())
    }
}

#[async_trait]
impl Outbox for InMemoryOrders {
    async fn pending(&self, _before: SystemTime, limit: usize) -> Result<Vec<Entry>> {
        Ok(self.outbox.lock().unwrap().iter().take(limit).cloned().collect())
    }

    async fn clear(&self, entries: &[Key]) -> Result<()> {
        self.outbox
            .lock()
            .unwrap()
            .retain(|kept| !entries.contains(&kept.key()));
        Ok(())
    }

    async fn backlog(&self) -> Result<Backlog> {
        let depth = self.outbox.lock().unwrap().len() as u64;
        Ok(Backlog { depth, oldest: None })
    }

    async fn try_lead(&self, _holder: &str, _now: SystemTime, _lease: Duration) -> Result<bool> {
        Ok(true)
    }
}

/// Keeps what is offered.
#[derive(Default)]
pub(crate) struct InMemoryOffers(pub(crate) Mutex<Vec<Entry>>);

impl EventOffers for InMemoryOffers {
    fn offer(&self, entry: Entry) {
        self.0.lock().unwrap().push(entry);
    }
}

#[tokio::test]
async fn it_does_what_every_repository_must() {
    use crate::adapters::conformance::{self, Subject};
    let store = std::sync::Arc::new(InMemoryOrders::default());
    conformance::run(&Subject {
        repository: store.clone(),
        queries: store.clone(),
        outbox: store,
    })
    .await;
}
