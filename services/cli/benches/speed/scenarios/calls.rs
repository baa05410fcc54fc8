//! A client that makes calls of one kind over and over, in a process of its own, on one connection.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

use serde::{Deserialize, Serialize};
use tonic::transport::{Channel, Endpoint};
use waybill::contract::order::v1::{
    GetOrderRequest, ListOrdersRequest, order_service_client::OrderServiceClient,
};

use crate::{
    client::order_for,
    measure::Watched,
    pace::{self, Times},
    statistics::Sample,
};

/// Calls to make.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Calls {
    /// Where, on one connection.
    pub(crate) url: String,
    pub(crate) kind: Kind,
    /// For these users in turn.
    pub(crate) users: Vec<String>,
    pub(crate) pace: Pace,
    pub(crate) times: Times,
    /// Whose processor time is told, beside the client's own.
    pub(crate) watched: Watched,
}

/// How calls follow each other.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub(crate) enum Pace {
    /// That many are under way at a time.
    InFlight(usize),
    /// That many are made a second.
    ASecond(u32),
}

/// What is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Kind {
    /// A new order.
    Place,
    /// An order that is there.
    Get,
    /// The first page of a user's orders.
    List,
}

impl Calls {
    /// Makes them, in this process.
    pub(crate) async fn make(self) -> Sample {
        let endpoint = Endpoint::from_shared(self.url).expect("it is a URL");
        let channel = endpoint.connect().await.expect("the service listens");
        let mut caller = Caller {
            orders: OrderServiceClient::new(channel),
            users: self.users,
            found: Vec::new(),
            made: AtomicUsize::new(0),
        };
        if self.kind == Kind::Get {
            caller.find().await;
        }
        let caller = Arc::new(caller);
        let call = move || {
            let caller = Arc::clone(&caller);
            async move { caller.call(self.kind).await }
        };
        let watched = self.watched.and("driver", std::process::id());
        match self.pace {
            Pace::InFlight(calls) => pace::closed(calls, 1, self.times, &watched, call).await,
            Pace::ASecond(rate) => pace::open(rate, self.times, &watched, call).await,
        }
    }
}

struct Caller {
    orders: OrderServiceClient<Channel>,
    users: Vec<String>,
    /// Ids of orders that are there.
    found: Vec<String>,
    made: AtomicUsize,
}

impl Caller {
    /// Finds the orders of all users.
    async fn find(&mut self) {
        for user in &self.users {
            let request = ListOrdersRequest {
                user_id: user.clone(),
                page_size: 500,
                page_token: String::new(),
            };
            let page = self.orders.list_orders(request).await.expect("it is answered");
            let orders = page.into_inner().orders.into_iter();
            self.found.extend(orders.map(|order| order.order_id));
        }
    }

    async fn call(&self, kind: Kind) {
        let mut orders = self.orders.clone();
        let number = self.made.fetch_add(1, Ordering::Relaxed);
        let user_id = &self.users[number % self.users.len()];
        match kind {
            Kind::Place => {
                let seed = u32::try_from(number).expect("they are not that many");
                let placed = orders.place_order(order_for(user_id, seed)).await;
                placed.expect("the order is placed");
            }
            Kind::Get => {
                let order_id = self.found[number % self.found.len()].clone();
                let found = orders.get_order(GetOrderRequest { order_id }).await;
                found.expect("the order is found");
            }
            Kind::List => {
                let request = ListOrdersRequest {
                    user_id: user_id.clone(),
                    ..ListOrdersRequest::default()
                };
                let page = orders.list_orders(request).await.expect("it is answered");
                assert!(!page.into_inner().orders.is_empty(), "each user has orders");
            }
        }
    }
}
