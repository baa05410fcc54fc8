//! How many orders, or pages of orders, are read a second where some thousands are stored.

use waybill::contract::order::v1::OrderCreated;

use super::{load, orders::Orders};
use crate::{
    child::{self, Role},
    platform::{MAIL, Platform, STATISTICS},
    scenarios::orders::Placed,
    sizes::Sizes,
    statistics::Sample,
};

/// Calls under way at a time.
const IN_FLIGHT: usize = 32;

/// Reads by calls of one kind, `get` or `list`.
pub(super) async fn measure(platform: &Platform, sizes: &Sizes, kind: &str) -> Sample {
    store(platform, sizes).await;
    let pace = ["--concurrency", &IN_FLIGHT.to_string()];
    load::measure(platform, sizes, kind, pace, sizes.times).await
}

/// Has orders stored, and waits until nobody has work with them any more.
async fn store(platform: &Platform, sizes: &Sizes) {
    let orders = Orders {
        url: platform.process("order").grpc.clone(),
        users: platform.users(sizes.users).await,
        count: sizes.stored,
        in_flight: IN_FLIGHT,
    };
    child::result::<Placed>(&Role::Orders(orders)).await;
    for (service, queue) in [("user", STATISTICS), ("notification", MAIL)] {
        platform
            .until_handled::<OrderCreated>(service, queue, sizes.stored)
            .await;
    }
}
