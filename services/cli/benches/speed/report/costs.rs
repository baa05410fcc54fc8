//! What calls take of everybody.

use super::{
    CALLS,
    table::{Table, number, spread},
};
use crate::{
    platform::{ALL_IN_ONE, SERVICES},
    statistics::Results,
};

/// Processor time of a call and the most memory meanwhile.
pub(super) fn costs(results: &Results) -> String {
    let mut table = Table::new(
        "What a call takes",
        &[
            "calls",
            "CPU µs: services",
            "broker",
            "database",
            "driver",
            "most memory of a service, MiB",
        ],
    );
    for (name, meaning) in CALLS {
        let of_services = |value: &str| -> Vec<f64> {
            let services = SERVICES.iter().chain([&ALL_IN_ONE]);
            let names = services.map(|service| format!("{value}.{service}"));
            names.filter_map(|value| results.median(name, &value)).collect()
        };
        let times = of_services("cpu_us");
        let services = (!times.is_empty()).then(|| number(times.iter().sum()));
        let others = ["broker", "database", "driver"]
            .map(|process| results.spread(name, &format!("cpu_us.{process}")).map(spread));
        let most = of_services("peak_mib").into_iter().reduce(f64::max);
        let [broker, database, driver] = others;
        table.row(&[meaning], [services, broker, database, driver, most.map(number)]);
    }
    table.noting(
        "Placing beside consumers is told from before the warm-up, and for one of all orders placed since: what \
         consumers did by the time the last was placed is in it.",
    )
}
