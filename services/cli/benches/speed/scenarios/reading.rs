//! How many orders, or pages of orders, are read a second where some thousands are stored.

use waybill::contract::order::v1::OrderCreated;

use super::{
    Setting,
    calls::{Calls, Kind, Pace},
    orders::{Orders, Placed},
};
use crate::{
    child::{self, Role},
    platform::{MAIL, Platform, STATISTICS},
    sizes::Sizes,
    statistics::Sample,
};

/// Calls under way at a time.
const IN_FLIGHT: usize = 32;

/// Reads by calls of one kind.
pub(super) async fn measure(platform: &Platform, setting: Setting<'_>, kind: Kind) -> Sample {
    let users = store(platform, setting.sizes).await;
    let calls = Calls {
        url: platform.process("order").grpc.clone(),
        kind,
        users,
        pace: Pace::InFlight(IN_FLIGHT),
        times: setting.sizes.times,
        watched: platform.watched(setting.servers),
    };
    child::result(&Role::Calls(calls)).await
}

/// Has orders stored, and waits until nobody has work with them any more. Answers the users who have them.
async fn store(platform: &Platform, sizes: &Sizes) -> Vec<String> {
    let orders = Orders {
        urls: platform.urls("order"),
        users: platform.users(sizes.users).await,
        count: sizes.stored,
        in_flight: IN_FLIGHT,
    };
    let users = orders.users.clone();
    child::result::<Placed>(&Role::Orders(orders)).await;
    for (service, queue) in [("user", STATISTICS), ("notification", MAIL)] {
        platform
            .until_handled::<OrderCreated>(service, queue, sizes.stored)
            .await;
    }
    users
}
