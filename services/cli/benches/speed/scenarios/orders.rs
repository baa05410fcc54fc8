//! A client that places a number of orders, in a process of its own.

use std::sync::atomic::{AtomicUsize, Ordering};

use futures::future::{join_all, try_join_all};
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
    /// Where: on a connection to each of these.
    pub(crate) urls: Vec<String>,
    /// Of these users in turn.
    pub(crate) users: Vec<String>,
    pub(crate) count: usize,
    /// Calls under way at a time, as many on each connection.
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
        let endpoints = self.urls.iter().map(|url| Endpoint::from_shared(url.clone()));
        let endpoints: Vec<_> = endpoints.map(|url| url.expect("it is a URL")).collect();
        let channels = try_join_all(endpoints.iter().map(Endpoint::connect)).await;
        let channels = channels.expect("the services listen");
        let (began_ms, before) = (now_ms(), measure::cpu_us(std::process::id()));
        // An instance that is slow gets fewer orders, for each call waits for the one before it.
        let next = AtomicUsize::new(0);
        let callers = (0..self.in_flight).map(async |caller| {
            let mut orders = OrderServiceClient::new(channels[caller % channels.len()].clone());
            loop {
                let number = next.fetch_add(1, Ordering::Relaxed);
                if number >= self.count {
                    return;
                }
                let user = &self.users[number % self.users.len()];
                let seed = u32::try_from(number).expect("they are not that many");
                let placed = orders.place_order(order_for(user, seed)).await;
                placed.expect("the order is placed");
            }
        });
        join_all(callers).await;
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
