//! Tables of how it grows.

use super::table::{Table, number, spread};
use crate::{
    goals::Goal,
    platform::SERVICES,
    scenarios::{
        instances::{COUNTS, LIMIT_PERCENT, LIMITED, WORK},
        stored::CALLS,
    },
    statistics::Results,
};

/// All tables of what was measured.
pub(crate) fn tables(results: &Results, goals: &[Goal]) -> String {
    let tables = [
        super::reached(goals),
        instances(results),
        limited(results),
        evenness(results),
        stored(results),
        filled(results),
    ];
    tables.concat().trim_end().to_owned()
}

fn limited(results: &Results) -> String {
    processor_time("More small instances", &LIMITED, results).noting(&format!(
        "As above, but each instance may use {LIMIT_PERCENT} % of one processor and no more, as if it had a machine \
         of its own that is so small.",
    ))
}

fn instances(results: &Results) -> String {
    processor_time("More instances", &COUNTS, results).noting(
        "Orders end to end on RabbitMQ and MongoDB, 256 in flight, spread over all instances of the order service.",
    )
}

/// What so many instances do, and what that takes of everybody.
fn processor_time(title: &str, counts: &[(usize, &'static str)], results: &Results) -> Table {
    let columns = [
        "instances of each service",
        "placed a second",
        "done a second",
        "CPU µs: services",
        "broker",
        "database",
        "driver",
        "cores in use",
    ];
    let mut table = Table::new(title, &columns);
    for (instances, name) in counts {
        let of = |value: &str| results.spread(name, value).map(spread);
        let services = SERVICES.map(|service| results.median(name, &format!("cpu_us.{service}")));
        let services: Option<f64> = services.into_iter().sum();
        table.row(
            &[&instances.to_string()],
            [
                of("throughput.placed"),
                of("throughput"),
                services.map(number),
                of("cpu_us.broker"),
                of("cpu_us.database"),
                of("cpu_us.driver"),
                of("cores"),
            ],
        );
    }
    table
}

fn evenness(results: &Results) -> String {
    let mut columns = vec!["instances of each service"];
    columns.extend(WORK.map(|work| work.what));
    let mut table = Table::new("How unevenly instances share the work, %", &columns);
    for (instances, name) in COUNTS.into_iter().filter(|(instances, _)| *instances > 1) {
        let uneven = WORK.map(|work| results.spread(name, &work.value()).map(spread));
        table.row(&[&instances.to_string()], uneven);
    }
    table.noting(
        "Standard deviation of what each instance did, by what it counts itself, in percent of the mean.",
    )
}

fn stored(results: &Results) -> String {
    let columns = [
        "calls",
        "orders stored",
        "per second",
        "p50 µs",
        "p99 µs",
        "CPU µs: service",
        "broker",
        "database",
        "all",
    ];
    let mut table = Table::new("More stored orders", &columns);
    for (name, meaning) in CALLS {
        for which in ["few", "many"] {
            let of = |value: &str| results.spread(name, &format!("{which}.{value}")).map(spread);
            let orders = results.median(name, &format!("{which}.orders"));
            table.row(
                &[meaning, &orders.map(number).unwrap_or_default()],
                [
                    of("throughput"),
                    of("p50_us"),
                    of("p99_us"),
                    of("cpu_us.order"),
                    of("cpu_us.broker"),
                    of("cpu_us.database"),
                    of("cpu_us"),
                ],
            );
        }
        let ratio = |value: &str| results.spread(name, &format!("ratio.{value}")).map(spread);
        table.row(
            &[meaning, "many ÷ few"],
            [
                None,
                ratio("p50_us"),
                ratio("p99_us"),
                None,
                None,
                None,
                ratio("cpu_us"),
            ],
        );
    }
    table.noting(
        "32 in flight at the order service alone, for random users of 100 orders each. A sweep finds, publishes \
         and clears events that were left behind. All is service, broker and database. What is placed while \
         it is measured stays, so that few become some ten thousands. Ratios are of the same round.",
    )
}

fn filled(results: &Results) -> String {
    let mut table = Table::new("The stores", &["platform", "orders", "MiB", "s to fill"]);
    for (prefix, meaning) in [("", "RabbitMQ and MongoDB"), ("embedded_", "embedded")] {
        let of = |which: &str, value: &str| {
            let mut names = CALLS
                .iter()
                .filter(|(name, _)| name.starts_with(&format!("{prefix}stored_")));
            names.find_map(|(name, _)| results.median(name, &format!("{which}.{value}")))
        };
        for which in ["few", "many"] {
            let Some(orders) = of(which, "orders") else {
                continue;
            };
            table.row(
                &[meaning, &number(orders)],
                [of(which, "mib").map(number), of(which, "fill_s").map(number)],
            );
        }
    }
    table.noting("")
}
