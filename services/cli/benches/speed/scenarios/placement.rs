//! How many orders a second are taken, and how soon each is answered.

use super::{
    calls::{Kind, Pace},
    load,
};
use crate::{
    child::{self, Role},
    pace::Times,
    platform::Platform,
    scenarios::calls::Calls,
    sizes::Sizes,
    statistics::Sample,
};

/// Calls a second, far from what the platform could take: what counts is how soon they are answered.
const RATE: u32 = 300;

/// As many as are answered with that many calls under way.
pub(super) async fn in_flight(platform: &Platform, sizes: &Sizes, calls: usize) -> Sample {
    measure(platform, sizes, Pace::InFlight(calls), sizes.times).await
}

/// That many a second.
pub(super) async fn paced(platform: &Platform, sizes: &Sizes) -> Sample {
    measure(platform, sizes, Pace::Rate(RATE), sizes.paced_times).await
}

async fn measure(platform: &Platform, sizes: &Sizes, pace: Pace, times: Times) -> Sample {
    if load::is_there() {
        return load::measure(platform, sizes, Kind::Place, pace, times).await;
    }
    let calls = Calls {
        url: platform.process("order").grpc.clone(),
        kind: Kind::Place,
        users: platform.users(sizes.users).await,
        pace,
        times,
    };
    child::result(&Role::Calls(calls)).await
}
