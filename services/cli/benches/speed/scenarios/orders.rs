//! A client that places a number of orders, in a process of its own.

use futures::{StreamExt, stream};
use serde::{Deserialize, Serialize};
use tonic::transport::Endpoint;
use waybill::{
    clock::{Clock, SystemClock, unix_millis},
    contract::order::v1::order_service_client::OrderServiceClient,
};

use crate::{client::order_for, measure};

/// Orders to place.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Orders {
    /// Where, on one connection.
    pub(crate) url: String,
    /// Of these users in turn.
    pub(crate) users: Vec<String>,
    pub(crate) count: usize,
    /// Calls under way at a time.
    pub(crate) in_flight: usize,
}

/// What became of them: all were placed, or this would not be.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Placed {
    /// When the first was asked for, in milliseconds since the Unix epoch.
    pub(crate) began_ms: i64,
    /// When the last was answered.
    pub(crate) ended_ms: i64,
    /// Processor time of the client for all of them, in microseconds.
    pub(crate) cpu_us: f64,
}

impl Orders {
    /// Places them, in this process.
    pub(crate) async fn place(self) -> Placed {
        let endpoint = Endpoint::from_shared(self.url).expect("it is a URL");
        let channel = endpoint.connect().await.expect("the service listens");
        let orders = OrderServiceClient::new(channel);
        let (began_ms, before) = (now_ms(), measure::cpu_us(std::process::id()));
        stream::iter(0..self.count)
            .for_each_concurrent(self.in_flight, async |number| {
                let user = &self.users[number % self.users.len()];
                let seed = u32::try_from(number).expect("they are not that many");
                let placed = orders.clone().place_order(order_for(user, seed)).await;
                placed.expect("the order is placed");
            })
            .await;
        Placed {
            began_ms,
            ended_ms: now_ms(),
            cpu_us: measure::cpu_us(std::process::id()) - before,
        }
    }
}

/// The time, which all processes of this machine share.
pub(crate) fn now_ms() -> i64 {
    unix_millis(SystemClock.now())
}
