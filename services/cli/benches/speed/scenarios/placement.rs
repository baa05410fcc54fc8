//! How many orders a second are taken, and how soon each is answered.

use super::load;
use crate::{platform::Platform, sizes::Sizes, statistics::Sample};

/// Calls a second, far from what the platform could take: what counts is how soon they are answered.
const RATE: &str = "300";

/// As many as are answered with that many calls under way.
pub(super) async fn in_flight(platform: &Platform, sizes: &Sizes, calls: usize) -> Sample {
    let pace = ["--concurrency", &calls.to_string()];
    load::measure(platform, sizes, pace, sizes.times).await
}

/// That many a second.
pub(super) async fn paced(platform: &Platform, sizes: &Sizes) -> Sample {
    load::measure(platform, sizes, ["--rate", RATE], sizes.paced_times).await
}
