//! Orders from the first call to the last effect: placed, counted in statistics, told in a mail. And what
//! that takes of everybody.

use std::{collections::BTreeMap, time::Duration};

use waybill::contract::order::v1::OrderCreated;

use super::{
    Setting,
    orders::{Orders, Placed, now_ms},
};
use crate::{
    child::{self, Role},
    measure::resident_mib,
    metrics::Metrics,
    platform::{MAIL, Platform, STATISTICS},
    statistics::{Sample, at_most, count},
};

/// Calls under way at a time.
const IN_FLIGHT: usize = 256;

/// How long a process is left alone before what it does is looked at: until it has settled after its
/// start, and until the last outbox is cleared in the end.
const SETTLED: Duration = Duration::from_millis(500);

pub(super) async fn measure(platform: &Platform, setting: Setting<'_>) -> Sample {
    let mut sample = Sample::new();
    tokio::time::sleep(SETTLED).await;
    for (name, process) in platform.processes() {
        at_most(
            &mut sample,
            format!("idle_mib.{name}"),
            resident_mib(process.pid()),
        );
    }
    let number = setting.sizes.end_to_end;
    let orders = Orders {
        urls: platform.urls("order"),
        users: platform.users(setting.sizes.users).await,
        count: number,
        in_flight: IN_FLIGHT,
    };
    let users = orders.users.clone();
    let watched = platform.watched(setting.servers);
    let operations_before = operations(platform).await;
    let before = watched.now();

    let placed: Placed = child::result(&Role::Orders(orders)).await;
    for (service, queue) in [("user", STATISTICS), ("notification", MAIL)] {
        platform
            .until_handled::<OrderCreated>(service, queue, number)
            .await;
    }
    let ended_ms = now_ms();
    tokio::time::sleep(SETTLED).await;
    let after = watched.now();

    let a_second = |until: i64| {
        let took_ms = u32::try_from(until - placed.began_ms).expect("it took less than a month");
        count(number) / f64::from(took_ms) * 1000.0
    };
    sample.insert("throughput".into(), a_second(ended_ms));
    sample.insert("throughput.placed".into(), a_second(placed.ended_ms));
    before.tell(&after, count(number), &mut sample);
    sample.insert("cpu_us.driver".into(), placed.cpu_us / count(number));
    sample.insert("cores".into(), cores(&sample));
    for (name, operations) in operations(platform).await {
        let done = operations - operations_before.get(&name).unwrap_or(&0);
        if done > 0 {
            sample.insert(format!("round_trips.{name}"), count(done) / count(number));
        }
    }
    // What was handled twice is counted twice by metrics, but not by statistics.
    platform.until_counted(&users, number).await;
    sample
}

/// Round trips to the database so far, by service, and of each service by operation.
async fn operations(platform: &Platform) -> BTreeMap<String, usize> {
    let mut found = BTreeMap::new();
    for (name, process) in platform.processes() {
        for (operation, done) in Metrics::of(process).await.database_operations() {
            for of in [name.to_owned(), format!("{name}.{operation}")] {
                *found.entry(of).or_default() += done;
            }
        }
    }
    found
}

/// Processors that all processes together kept busy, on average.
fn cores(sample: &Sample) -> f64 {
    let used = sample.iter().filter(|(name, _)| name.starts_with("cpu_us."));
    let each_us: f64 = used.map(|(_, us)| us).sum();
    each_us * sample["throughput"] / 1_000_000.0
}
