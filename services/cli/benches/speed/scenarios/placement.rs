//! How many orders a second are taken, and how soon each is answered.

use super::load;
use crate::{platform::Platform, sizes::Sizes, statistics::Sample};

/// As many as are answered with that many calls under way.
pub(super) async fn in_flight(platform: &Platform, sizes: &Sizes, calls: usize) -> Sample {
    let pace = ["--concurrency", &calls.to_string()];
    load::measure(platform, sizes, "place", pace, sizes.times).await
}

/// 300 a second, far from what it could take: what counts is how soon.
pub(super) async fn paced(platform: &Platform, sizes: &Sizes) -> Sample {
    load::measure(platform, sizes, "place", ["--rate", "300"], sizes.paced_times).await
}
