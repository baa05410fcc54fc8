//! The platform, doing what it is for.

mod backlog;
pub(crate) mod calls;
mod end_to_end;
pub(crate) mod instances;
pub(crate) mod load;
pub(crate) mod orders;
mod placement;
mod reading;
pub(crate) mod stored;
mod wire;

use self::calls::{Kind, Pace};
use crate::{
    platform::Platform, servers::Servers, sizes::Sizes, stack::Stack, statistics::Sample, stores::Stores,
};

/// The scenarios, by name.
pub(crate) const NAMES: [&str; 20] = [
    "placement_1",
    "placement_32",
    "placement_256",
    "placement_300",
    "alone_32",
    "alone_256",
    "alone_300",
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
    "embedded_backlog",
    "embedded_get",
    "embedded_list",
];

/// Those that say how it grows.
pub(crate) const GROWTH: [&str; 15] = [
    "instances_1",
    "instances_2",
    "instances_4",
    "limited_1",
    "limited_2",
    "limited_4",
    "limited_8",
    "stored_get",
    "stored_list",
    "stored_place",
    "stored_sweep",
    "embedded_stored_get",
    "embedded_stored_list",
    "embedded_stored_place",
    "embedded_stored_sweep",
];

/// What every measurement is given.
#[derive(Clone, Copy)]
pub(crate) struct Setting<'a> {
    pub(crate) servers: &'a Servers,
    pub(crate) sizes: &'a Sizes,
    pub(crate) stores: &'a Stores,
}

/// Runs one, on a platform of its own. Some measure more than one thing.
pub(crate) async fn run(name: &'static str, setting: Setting<'_>) -> Vec<(&'static str, Sample)> {
    let embedded = name.strip_prefix("embedded_");
    let what = embedded.unwrap_or(name);
    if let Some(call) = what.strip_prefix("stored_") {
        let pair = match embedded {
            Some(_) => setting.stores.embedded(setting.sizes).await,
            None => setting.stores.real(setting.sizes).await,
        };
        return vec![(name, stored::measure(call, pair, setting).await)];
    }
    if let Some((instances, _)) = instances::COUNTS.iter().find(|(_, known)| *known == name) {
        return vec![(name, instances::measure(setting, *instances).await)];
    }
    if let Some((instances, _)) = instances::LIMITED.iter().find(|(_, known)| *known == name) {
        return vec![(name, instances::measure_limited(setting, *instances).await)];
    }
    let alone = match name {
        "alone_32" => Some(Pace::InFlight(32)),
        "alone_256" => Some(Pace::InFlight(256)),
        "alone_300" => Some(Pace::ASecond(placement::RATE)),
        _ => None,
    };
    if let Some(pace) = alone {
        return vec![(name, placement::alone(setting, pace).await)];
    }
    match name {
        "backlog" => {
            let platform = Platform::stopped(setting.servers).await;
            return backlog::measure(platform, backlog::REAL, setting).await;
        }
        "embedded_backlog" => {
            let platform = Platform::on(Stack::embedded());
            return backlog::measure(platform, backlog::EMBEDDED, setting).await;
        }
        "wire" => return vec![(name, wire::measure(setting).await)],
        _ => {}
    }
    let platform = match embedded {
        Some(_) => Platform::embedded().await,
        None => Platform::split(setting.servers, 1).await,
    };
    let mut sample = match what {
        "placement_1" => placement::in_flight(&platform, setting, 1).await,
        "placement_32" => placement::in_flight(&platform, setting, 32).await,
        "placement_256" => placement::in_flight(&platform, setting, 256).await,
        "placement_300" => placement::paced(&platform, setting).await,
        "end_to_end" => end_to_end::measure(&platform, setting).await,
        "get" => reading::measure(&platform, setting, Kind::Get).await,
        "list" => reading::measure(&platform, setting, Kind::List).await,
        other => panic!("{other} is no scenario"),
    };
    platform.tell_peaks(&mut sample);
    platform.end().await;
    vec![(name, sample)]
}
