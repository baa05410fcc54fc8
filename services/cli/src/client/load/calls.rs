//! The calls.

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex, MutexGuard},
};

use anyhow::Result;
use futures::{StreamExt, TryStreamExt, stream};
use tonic::{Request, Status, transport::Channel};
use waybill::{
    clock::{IdGenerator, UuidV7Generator},
    contract::{
        google::r#type::Money,
        order::v1::{
            CancelOrderRequest, GetOrderRequest, ListOrdersRequest, PlaceOrderItem, PlaceOrderRequest,
            order_service_client::OrderServiceClient,
        },
    },
};

use super::{mix::Kind, population::Population, progress::Progress};
use crate::client::connection::{CALL_TIMEOUT, explained};

/// Orders remembered, to be read and cancelled: enough that reads do not meet the same ones.
const MAX_RECENT: usize = 10_000;

/// Orders on a page of a list.
const PAGE_SIZE: i32 = 20;

/// Orders under way at a time before anything is measured.
const PREFILLING: usize = 64;

/// Ids of orders that were placed lately.
#[derive(Debug, Default)]
pub(super) struct Recent(Mutex<VecDeque<String>>);

impl Recent {
    fn add(&self, order_id: String) {
        let mut ids = self.ids();
        if ids.len() == MAX_RECENT {
            ids.pop_front();
        }
        ids.push_back(order_id);
    }

    /// Any of them.
    fn any(&self) -> Option<String> {
        let ids = self.ids();
        (!ids.is_empty()).then(|| ids[fastrand::usize(..ids.len())].clone())
    }

    /// One that nobody else gets.
    fn take(&self) -> Option<String> {
        self.ids().pop_front()
    }

    fn ids(&self) -> MutexGuard<'_, VecDeque<String>> {
        self.0.lock().expect("no holder of the lock can panic")
    }
}

/// Makes calls, one at a time.
pub(super) struct Calls {
    client: OrderServiceClient<Channel>,
    users: Population,
    items: Vec<PlaceOrderItem>,
    ids: UuidV7Generator,
    recent: Arc<Recent>,
}

impl Calls {
    pub(super) fn new(channel: Channel, users: Population, items: u32, recent: Arc<Recent>) -> Self {
        let item = |number: u32| PlaceOrderItem {
            product_id: format!("sku-{:04}", 1000 + number),
            quantity: 1 + number % 3,
            unit_price: Some(Money {
                currency_code: "EUR".to_owned(),
                units: i64::from(9 + number % 90),
                nanos: 990_000_000,
            }),
        };
        Self {
            client: OrderServiceClient::new(channel),
            users,
            items: (0..items).map(item).collect(),
            ids: UuidV7Generator::default(),
            recent,
        }
    }

    /// Makes a call of that kind, or, where it needs an order and there is none, one that places an
    /// order. Answers what it was.
    pub(super) async fn make(&mut self, kind: Kind) -> (Kind, Result<(), Status>) {
        let order = match kind {
            Kind::Get => self.recent.any(),
            Kind::Cancel => self.recent.take(),
            Kind::Place | Kind::List => None,
        };
        match (kind, order) {
            (Kind::Get, Some(order_id)) => (kind, self.get(order_id).await),
            (Kind::Cancel, Some(order_id)) => (kind, self.cancel(order_id).await),
            (Kind::List, _) => (kind, self.list().await),
            _ => {
                let user_id = self.users.pick().to_owned();
                (Kind::Place, self.place(user_id).await)
            }
        }
    }

    /// Places `count` orders, of one user after the other.
    pub(super) async fn prefill(self, count: u32, progress: &Progress) -> Result<()> {
        if count == 0 {
            return Ok(());
        }
        progress.begin("placing orders", u64::from(count));
        let place = |number: u32| {
            let user_id = self.users.at(usize::try_from(number).unwrap_or_default());
            let mut calls = self.another();
            let user_id = user_id.to_owned();
            async move {
                let placed = calls.place(user_id).await;
                progress.advance();
                placed.map_err(|status| explained(&status))
            }
        };
        stream::iter((0..count).map(place))
            .buffer_unordered(PREFILLING)
            .try_collect::<()>()
            .await?;
        progress.end();
        Ok(())
    }

    fn another(&self) -> Self {
        Self {
            client: self.client.clone(),
            users: self.users.clone(),
            items: self.items.clone(),
            ids: UuidV7Generator::default(),
            recent: Arc::clone(&self.recent),
        }
    }

    async fn place(&mut self, user_id: String) -> Result<(), Status> {
        let request = PlaceOrderRequest {
            request_id: self.ids.next_id().to_string(),
            user_id,
            items: self.items.clone(),
        };
        let answer = self.client.place_order(timed(request)).await?.into_inner();
        self.recent.add(answer.order.unwrap_or_default().order_id);
        Ok(())
    }

    async fn get(&mut self, order_id: String) -> Result<(), Status> {
        let request = GetOrderRequest { order_id };
        self.client.get_order(timed(request)).await.map(drop)
    }

    async fn list(&mut self) -> Result<(), Status> {
        let request = ListOrdersRequest {
            user_id: self.users.pick().to_owned(),
            page_size: PAGE_SIZE,
            ..ListOrdersRequest::default()
        };
        self.client.list_orders(timed(request)).await.map(drop)
    }

    async fn cancel(&mut self, order_id: String) -> Result<(), Status> {
        let request = CancelOrderRequest {
            request_id: self.ids.next_id().to_string(),
            order_id,
            reason: "load".to_owned(),
        };
        self.client.cancel_order(timed(request)).await.map(drop)
    }
}

fn timed<Q>(body: Q) -> Request<Q> {
    let mut request = Request::new(body);
    request.set_timeout(CALL_TIMEOUT);
    request
}
