//! How many orders a second are taken, how soon each is answered, and what that takes of everybody.

use waybill::clock::{IdGenerator, UuidV7Generator};

use super::{
    Setting,
    calls::{Calls, Kind, Pace},
    load,
};
use crate::{
    child::{self, Role},
    metrics::{Metrics, PLACE_ORDER},
    pace::Times,
    platform::Platform,
    statistics::{Sample, count},
};

/// Calls a second, far from what the platform could take: what counts is how soon they are answered.
pub(super) const RATE: u32 = 300;

/// As many as are answered with that many calls under way.
pub(super) async fn in_flight(platform: &Platform, setting: Setting<'_>, calls: usize) -> Sample {
    let pace = ["--concurrency", &calls.to_string()];
    watched(platform, setting, pace, setting.sizes.times).await
}

/// That many a second.
pub(super) async fn paced(platform: &Platform, setting: Setting<'_>) -> Sample {
    let pace = ["--rate", &RATE.to_string()];
    watched(platform, setting, pace, setting.sizes.paced_times).await
}

/// Processor time is told from before the warm-up, for one of all orders that were placed since.
async fn watched(platform: &Platform, setting: Setting<'_>, pace: [&str; 2], times: Times) -> Sample {
    let watched = platform.watched(setting.servers);
    let (placed_before, before) = (placed(platform).await, watched.now());
    let mut sample = load::measure(platform, setting.sizes, pace, times).await;
    let after = watched.now();
    let placed = placed(platform).await - placed_before;
    before.tell(&after, count(placed), &mut sample);
    sample
}

/// Orders that were placed so far.
async fn placed(platform: &Platform) -> usize {
    let told = platform.metrics("order").await;
    told.iter().map(|told| told.answered(PLACE_ORDER)).sum()
}

/// The same while no consumer is there, and what that takes of everybody: the order service stores and publishes, and
/// what it published waits. What it has not published by the end is told, since placing is the faster the less of that
/// it does meanwhile.
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
    let mut sample: Sample = child::result(&Role::Calls(calls)).await;
    let told = Metrics::of(platform.process("order")).await;
    let (placed, published) = (told.answered(PLACE_ORDER), told.published());
    let unpublished = placed.saturating_sub(published);
    sample.insert(
        "unpublished_percent".into(),
        100.0 * count(unpublished) / count(placed),
    );
    platform.tell_peaks(&mut sample);
    platform.end().await;
    sample
}
