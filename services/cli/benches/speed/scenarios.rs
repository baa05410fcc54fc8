//! The platform, doing what it is for.

mod backlog;
pub(crate) mod calls;
mod end_to_end;
pub(crate) mod load;
pub(crate) mod orders;
mod placement;
mod reading;
mod wire;

use self::calls::Kind;
use crate::{platform::Platform, servers::Servers, sizes::Sizes, statistics::Sample};

/// The scenarios, by name.
pub(crate) const NAMES: [&str; 16] = [
    "placement_1",
    "placement_32",
    "placement_256",
    "placement_300",
    "end_to_end",
    "backlog",
    "get",
    "list",
    "wire",
    "embedded_placement_1",
    "embedded_placement_32",
    "embedded_placement_256",
    "embedded_placement_300",
    "embedded_end_to_end",
    "embedded_get",
    "embedded_list",
];

/// What every measurement is given.
#[derive(Clone, Copy)]
pub(crate) struct Setting<'a> {
    pub(crate) servers: &'a Servers,
    pub(crate) sizes: &'a Sizes,
}

/// Runs one, on a platform of its own. Some measure more than one thing.
pub(crate) async fn run(name: &'static str, setting: Setting<'_>) -> Vec<(&'static str, Sample)> {
    let what = name.strip_prefix("embedded_");
    if name == "backlog" {
        return backlog::measure(setting).await;
    }
    if name == "wire" {
        return vec![(name, wire::measure(setting).await)];
    }
    let platform = match what {
        Some(_) => Platform::embedded().await,
        None => Platform::split(setting.servers).await,
    };
    let sample = match what.unwrap_or(name) {
        "placement_1" => placement::in_flight(&platform, setting.sizes, 1).await,
        "placement_32" => placement::in_flight(&platform, setting.sizes, 32).await,
        "placement_256" => placement::in_flight(&platform, setting.sizes, 256).await,
        "placement_300" => placement::paced(&platform, setting.sizes).await,
        "end_to_end" => end_to_end::measure(&platform, setting).await,
        "get" => reading::measure(&platform, setting.sizes, Kind::Get).await,
        "list" => reading::measure(&platform, setting.sizes, Kind::List).await,
        other => panic!("{other} is no scenario"),
    };
    platform.end().await;
    vec![(name, sample)]
}
