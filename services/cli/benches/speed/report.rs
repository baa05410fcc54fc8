//! Tables in Markdown: medians of all rounds, with the least and the most.

mod costs;
pub(crate) mod growth;
pub(crate) mod table;

use self::table::{Table, number, spread};
use crate::{
    goals::{Bound, Goal, steps},
    platform::{ALL_IN_ONE, SERVICES},
    statistics::Results,
};

/// What a floor is, in words.
const FLOORS: [(&str, &str); 10] = [
    (
        "echo",
        "gRPC call, answered at once, 32 in flight on one connection",
    ),
    (
        "insert_one_32",
        "`insert_one` of an order's document, 32 in flight",
    ),
    ("insert_one_256", "`insert_one`, 256 in flight"),
    (
        "insert_many",
        "`insert_many` of 32, unordered, 4 in flight; per document",
    ),
    ("publish_1", "publish and confirm, one by one"),
    ("publish_32", "publish and confirm, 32 joined"),
    ("consume", "consume, prefetch 256, each acknowledged"),
    (
        "consume_multiple",
        "consume, prefetch 256, every 32nd acknowledged for all",
    ),
    ("smtp", "mail over SMTP connections that stay open, 16 in flight"),
    ("echo_insert_300", "gRPC call, then `insert_one`, 300 a second"),
];

/// What calls are made, in words.
const CALLS: [(&str, &str); 15] = [
    ("placement_1", "place, 1 in flight"),
    ("placement_32", "place, 32 in flight"),
    ("placement_256", "place, 256 in flight"),
    ("placement_300", "place, 300 a second"),
    ("alone_32", "place, 32 in flight, without consumers"),
    ("alone_256", "place, 256 in flight, without consumers"),
    ("alone_300", "place, 300 a second, without consumers"),
    ("get", "get, 32 in flight"),
    ("list", "list, 32 in flight"),
    ("embedded_placement_1", "embedded: place, 1 in flight"),
    ("embedded_placement_32", "embedded: place, 32 in flight"),
    ("embedded_placement_256", "embedded: place, 256 in flight"),
    ("embedded_placement_300", "embedded: place, 300 a second"),
    ("embedded_get", "embedded: get, 32 in flight"),
    ("embedded_list", "embedded: list, 32 in flight"),
];

/// Where events are worked off, by the service that does it.
const BACKLOGS: [(&str, &str, &str); 4] = [
    ("backlog_user", "statistics", "user"),
    ("backlog_notification", "mails", "notification"),
    ("embedded_backlog_user", "embedded: statistics", "user"),
    ("embedded_backlog_notification", "embedded: mails", "notification"),
];

/// All tables of what was measured.
pub(crate) fn tables(results: &Results, goals: &[Goal]) -> String {
    let tables = [
        reached(goals),
        calls(results),
        costs::costs(results),
        end_to_end(results),
        processor_time(results),
        least(results),
        backlogs(results),
        memory(results),
        traffic(results),
        floors(results),
    ];
    tables.concat().trim_end().to_owned()
}

fn reached(goals: &[Goal]) -> String {
    let mut table = Table::new("Goals", &["goal", "measured", "wanted", "reached"]);
    for goal in goals {
        let wanted = goal.bound.map(|bound| match bound {
            Bound::AtLeast(bound) => format!("≥ {}", number(bound)),
            Bound::AtMost(bound) => format!("≤ {}", number(bound)),
        });
        let Some(value) = goal.value else { continue };
        let reached = goal.is_reached().map(|yes| if yes { "yes" } else { "no" });
        table.row(
            &[&goal.what],
            [Some(number(value)), wanted, reached.map(str::to_owned)],
        );
    }
    table.noting("")
}

fn calls(results: &Results) -> String {
    let mut table = Table::new(
        "Calls",
        &["calls", "per second", "p50 µs", "p99 µs", "p99.9 µs", "most µs"],
    );
    for (name, meaning) in CALLS {
        let values = ["throughput", "p50_us", "p99_us", "p99.9_us", "max_us"];
        table.row(
            &[meaning],
            values.map(|value| results.spread(name, value).map(spread)),
        );
    }
    table.noting("")
}

fn end_to_end(results: &Results) -> String {
    let mut table = Table::new(
        "Orders end to end",
        &["platform", "placed a second", "done a second"],
    );
    for (name, meaning) in [
        ("end_to_end", "RabbitMQ and MongoDB"),
        ("embedded_end_to_end", "embedded"),
    ] {
        let values = ["throughput.placed", "throughput"];
        table.row(
            &[meaning],
            values.map(|value| results.spread(name, value).map(spread)),
        );
    }
    table.noting(
        "256 in flight. Done is counted from the first call until statistics and mails of all are committed.",
    )
}

fn processor_time(results: &Results) -> String {
    let mut table = Table::new("Processor time of an order, µs", &["process", "end to end"]);
    let names = SERVICES
        .iter()
        .chain(&["broker", "database", "mail server", "driver"]);
    let mut services = 0.0;
    for name in names {
        let used = results.spread("end_to_end", &format!("cpu_us.{name}"));
        if SERVICES.contains(name) {
            services += used.map_or(0.0, |used| used.median);
        }
        table.row(&[name], [used.map(spread)]);
    }
    if services > 0.0 {
        table.row(&["all services"], [Some(number(services))]);
    }
    for (process, meaning) in [(ALL_IN_ONE, "embedded: all"), ("driver", "embedded: driver")] {
        let used = results.spread("embedded_end_to_end", &format!("cpu_us.{process}"));
        table.row(&[meaning], [used.map(spread)]);
    }
    table.noting("")
}

fn least(results: &Results) -> String {
    let mut table = Table::new(
        "The least processor time of an order, µs: the floors",
        &["step", "in services", "everywhere"],
    );
    let Some(steps) = steps(results) else {
        return String::new();
    };
    for (count, sum) in [(5, "without mail"), (6, "with mail")] {
        if count == 6 {
            table.row(
                &[steps[5].name],
                [Some(number(steps[5].client)), Some(number(steps[5].everywhere))],
            );
        } else {
            for step in &steps[..count] {
                table.row(
                    &[step.name],
                    [Some(number(step.client)), Some(number(step.everywhere))],
                );
            }
        }
        let client: f64 = steps[..count].iter().map(|step| step.client).sum();
        let everywhere: f64 = steps[..count].iter().map(|step| step.everywhere).sum();
        table.row(
            &[&format!("**{sum}**")],
            [Some(number(client)), Some(number(everywhere))],
        );
    }
    table.noting(
        "In services: of the server of the call, and of the driver elsewhere. What a consumer commits for an \
         event is taken to be one document by `insert_many`, which is less than it writes.",
    )
}

fn backlogs(results: &Results) -> String {
    let mut table = Table::new(
        "Backlogs",
        &[
            "consumer",
            "events a second",
            "CPU µs: service",
            "broker",
            "database",
        ],
    );
    for (name, meaning, service) in BACKLOGS {
        let values = [
            "throughput",
            &format!("cpu_us.{service}"),
            "cpu_us.broker",
            "cpu_us.database",
        ];
        table.row(
            &[meaning],
            values.map(|value| results.spread(name, value).map(spread)),
        );
    }
    table.noting("From the start of the service's process until it has committed all events that waited.")
}

fn memory(results: &Results) -> String {
    let mut table = Table::new(
        "Memory, MiB",
        &["process", "idle", "most, end to end", "most, backlog"],
    );
    let of = |measurement: &str, value: &str, process: &str| {
        let spread_of = results.spread(measurement, &format!("{value}.{process}"));
        spread_of.map(spread)
    };
    for service in SERVICES {
        let backlog = format!("backlog_{service}");
        table.row(
            &[service],
            [
                of("end_to_end", "idle_mib", service),
                of("end_to_end", "peak_mib", service),
                of(&backlog, "peak_mib", service),
            ],
        );
    }
    let embedded = |value| of("embedded_end_to_end", value, ALL_IN_ONE);
    table.row(&["embedded"], [embedded("idle_mib"), embedded("peak_mib"), None]);
    for service in ["user", "notification"] {
        let backlog = of(&format!("embedded_backlog_{service}"), "peak_mib", service);
        table.row(&[&format!("embedded: {service} alone")], [None, None, backlog]);
    }
    table.noting("")
}

fn traffic(results: &Results) -> String {
    let mut table = Table::new(
        "Traffic of an order",
        &[
            "process",
            "round trips to the database",
            "bytes to the broker",
            "bytes from the broker",
        ],
    );
    let of = |measurement: &str, value: &str, process: &str| {
        results
            .median(measurement, &format!("{value}.{process}"))
            .map(number)
    };
    for service in SERVICES {
        table.row(
            &[service],
            [
                of("end_to_end", "round_trips", service),
                of("wire", "bytes_sent", service),
                of("wire", "bytes_received", service),
            ],
        );
    }
    let embedded = of("embedded_end_to_end", "round_trips", ALL_IN_ONE);
    table.row(&["embedded"], [embedded, None, None]);
    table.noting(
        "Round trips are the operations that services count themselves, end to end at 256 in flight: many \
         orders share one. Bytes are counted by a proxy in a run of its own, at 32 in flight.",
    )
}

fn floors(results: &Results) -> String {
    let mut table = Table::new(
        "What wire and disk allow",
        &[
            "floor",
            "name",
            "per second",
            "p50 µs",
            "p99 µs",
            "CPU µs: driver",
            "server",
        ],
    );
    for (name, meaning) in FLOORS {
        let servers = ["echo server", "database", "broker", "mail server"];
        let servers: f64 = servers
            .iter()
            .filter_map(|server| results.median(name, &format!("cpu_us.{server}")))
            .sum();
        let of = |value| results.spread(name, value).map(spread);
        table.row(
            &[meaning, &format!("`{name}`")],
            [
                of("throughput"),
                of("p50_us"),
                of("p99_us"),
                of("cpu_us.driver"),
                of("throughput").map(|_| number(servers)),
            ],
        );
    }
    table.noting("")
}
