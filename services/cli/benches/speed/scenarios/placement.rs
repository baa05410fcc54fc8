//! How many orders a second are taken, and how soon each is answered.

use waybill::clock::{IdGenerator, UuidV7Generator};

use super::{
    Setting,
    calls::{Calls, Kind, Pace},
    load,
};
use crate::{
    child::{self, Role},
    platform::Platform,
    sizes::Sizes,
    statistics::Sample,
};

/// Calls a second, far from what the platform could take: what counts is how soon they are answered.
pub(super) const RATE: u32 = 300;

/// As many as are answered with that many calls under way.
pub(super) async fn in_flight(platform: &Platform, sizes: &Sizes, calls: usize) -> Sample {
    let pace = ["--concurrency", &calls.to_string()];
    load::measure(platform, sizes, pace, sizes.times).await
}

/// That many a second.
pub(super) async fn paced(platform: &Platform, sizes: &Sizes) -> Sample {
    load::measure(platform, sizes, ["--rate", &RATE.to_string()], sizes.paced_times).await
}

/// The same while no consumer is there, and what that takes of everybody: the order service stores and publishes, and
/// what it published waits.
pub(super) async fn alone(setting: Setting<'_>, pace: Pace) -> Sample {
    let mut platform = Platform::stopped(setting.servers).await;
    platform.start("order");
    let platform = platform.ready().await;
    let ids = UuidV7Generator::default();
    let calls = Calls {
        url: platform.process("order").grpc.clone(),
        kind: Kind::Place,
        users: (0..setting.sizes.users)
            .map(|_| ids.next_id().to_string())
            .collect(),
        pace,
        times: match pace {
            Pace::InFlight(_) => setting.sizes.times,
            Pace::ASecond(_) => setting.sizes.paced_times,
        },
        watched: platform.watched(setting.servers),
    };
    let sample = child::result(&Role::Calls(calls)).await;
    platform.end().await;
    sample
}
