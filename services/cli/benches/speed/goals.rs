//! What the platform is to reach, as ratios to the floors of the same run: a machine's speed is in both.

pub(crate) mod growth;

use serde::Serialize;

use crate::{
    platform::{ALL_IN_ONE, SERVICES},
    statistics::Results,
};

/// Consumers that each order's event has.
const CONSUMERS: f64 = 2.0;

/// Documents that a consumer writes for an event, as insert_many writes them. What consumers really
/// write is more than that, in transactions: an insert is what stands in for it.
const DOCUMENTS_A_COMMIT: f64 = 1.0;

/// One goal, and how far it is reached.
#[derive(Debug, Serialize)]
pub(crate) struct Goal {
    pub(crate) what: String,
    /// `None` when it was not measured.
    pub(crate) value: Option<f64>,
    pub(crate) bound: Option<Bound>,
}

#[derive(Debug, Clone, Copy, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Bound {
    AtLeast(f64),
    AtMost(f64),
}

impl Goal {
    fn new(what: &str, value: Option<f64>, bound: impl Into<Option<Bound>>) -> Self {
        Self {
            what: what.to_owned(),
            value,
            bound: bound.into(),
        }
    }

    /// Whether it is reached; `None` when that cannot be told.
    pub(crate) fn is_reached(&self) -> Option<bool> {
        Some(match self.bound? {
            Bound::AtLeast(bound) => self.value? >= bound,
            Bound::AtMost(bound) => self.value? <= bound,
        })
    }
}

/// Processor time of one step of an order by the drivers alone, in microseconds.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Step {
    pub(crate) name: &'static str,
    /// In the process that does what a service does.
    pub(crate) client: f64,
    /// In all processes: servers and whoever calls, too.
    pub(crate) everywhere: f64,
}

/// The floors that an order cannot do without, each as fast as it can be. The mail comes last.
pub(crate) fn steps(results: &Results) -> Option<[Step; 6]> {
    let cpu = |floor: &str, of: &str| results.median(floor, &format!("cpu_us.{of}"));
    let step = |name, floor: &str, server: &str, times: f64| {
        let (driver, server) = (cpu(floor, "driver")?, cpu(floor, server)?);
        Some(Step {
            name,
            client: driver * times,
            everywhere: (driver + server) * times,
        })
    };
    let (call, server) = (cpu("echo", "driver")?, cpu("echo", "echo server")?);
    Some([
        Step {
            name: "answer a call",
            client: server,
            everywhere: call + server,
        },
        step("store it", "insert_many", "database", 1.0)?,
        step("publish the event", "publish_32", "broker", 1.0)?,
        step("consume it twice", "consume_multiple", "broker", CONSUMERS)?,
        step(
            "commit twice",
            "insert_many",
            "database",
            CONSUMERS * DOCUMENTS_A_COMMIT,
        )?,
        step("mail", "smtp", "mail server", 1.0)?,
    ])
}

/// All goals.
pub(crate) fn goals(results: &Results, cores: f64) -> Vec<Goal> {
    let drained = |backlog: &str| {
        let a_second = results.median(backlog, "throughput")?;
        Some(a_second / results.median("consume_multiple", "throughput")?)
    };
    let under_load = ["end_to_end", "placement_256", "alone_256"]
        .into_iter()
        .filter_map(|load| most(results, load, "peak_mib"))
        .reduce(f64::max);
    let mut goals = Vec::from(processor_time(results));
    goals.extend(placing(results));
    goals.push(Goal::new(
        "orders placed at 256 in flight, without consumers, of which no event is published yet at the end, %",
        results.median("alone_256", "unpublished_percent"),
        None,
    ));
    goals.extend([
        Goal::new(
            "statistics of a backlog a second ÷ raw consuming, acknowledged together",
            drained("backlog_user"),
            Bound::AtLeast(0.5),
        ),
        Goal::new(
            "mails of a backlog a second ÷ raw consuming, acknowledged together",
            drained("backlog_notification"),
            Bound::AtLeast(0.5),
        ),
    ]);
    goals.extend(end_to_end(results, cores));
    goals.push(Goal::new(
        "embedded: orders end to end a second",
        results.median("embedded_end_to_end", "throughput"),
        Bound::AtLeast(5_000.0),
    ));
    goals.push(Goal::new(
        "most memory of a service under load, MiB",
        under_load,
        Bound::AtMost(40.0),
    ));
    goals.push(Goal::new(
        "memory of a service that idles, MiB",
        most(results, "end_to_end", "idle_mib"),
        Bound::AtMost(16.0),
    ));
    goals.push(Goal::new(
        "embedded: most memory under load, MiB",
        results.median("embedded_end_to_end", &format!("peak_mib.{ALL_IN_ONE}")),
        None,
    ));
    goals
}

/// How orders are placed, to what the database takes one by one: with nothing beside it, as floors are measured, and
/// beside the consumers.
fn placing(results: &Results) -> Vec<Goal> {
    let mut goals = Vec::new();
    for (platform, beside) in [
        ("alone", ", without consumers"),
        ("placement", ", beside both consumers"),
    ] {
        let ratio = |calls: &str, floor: &str, value: &str| {
            let placed = results.median(&format!("{platform}_{calls}"), value)?;
            Some(placed / results.median(floor, value)?)
        };
        goals.extend([
            Goal::new(
                &format!("orders placed a second at 256 in flight{beside} ÷ `insert_one` at 256"),
                ratio("256", "insert_one_256", "throughput"),
                Bound::AtLeast(2.5),
            ),
            Goal::new(
                &format!("p99 of placing at 32 in flight{beside} ÷ p99 of `insert_one` at 32"),
                ratio("32", "insert_one_32", "p99_us"),
                Bound::AtMost(1.0),
            ),
            Goal::new(
                &format!("p99 of placing at 300/s{beside} ÷ p99 of a call and `insert_one` at 300/s"),
                ratio("300", "echo_insert_300", "p99_us"),
                Bound::AtMost(1.3),
            ),
        ]);
    }
    goals
}

/// Processor time of all services for an order, to that of the floors.
fn processor_time(results: &Results) -> [Goal; 2] {
    let of_services = services_cpu(results);
    let against = |steps: usize| {
        let floors: f64 = self::steps(results)?[..steps]
            .iter()
            .map(|step| step.client)
            .sum();
        Some(of_services? / floors)
    };
    [
        Goal::new(
            "processor time of all services per order ÷ floors without the mail's",
            against(5),
            Bound::AtMost(1.25),
        ),
        Goal::new(
            "processor time of all services per order ÷ floors with the mail's",
            against(6),
            Bound::AtMost(1.25),
        ),
    ]
}

/// Orders end to end, to what these cores could do if they did nothing but the floors.
fn end_to_end(results: &Results, cores: f64) -> [Goal; 2] {
    let measured = results.median("end_to_end", "throughput");
    let against = |steps: usize| {
        let floors: f64 = self::steps(results)?[..steps]
            .iter()
            .map(|step| step.everywhere)
            .sum();
        Some(measured? / (cores * 1_000_000.0 / floors))
    };
    [
        Goal::new(
            "orders end to end a second ÷ cores ÷ all processor time of the floors without the mail's",
            against(5),
            Bound::AtLeast(0.8),
        ),
        Goal::new(
            "orders end to end a second ÷ cores ÷ all processor time of the floors with the mail's",
            against(6),
            Bound::AtLeast(0.8),
        ),
    ]
}

/// Processor time of all services for an order, in microseconds.
fn services_cpu(results: &Results) -> Option<f64> {
    SERVICES
        .iter()
        .map(|service| results.median("end_to_end", &format!("cpu_us.{service}")))
        .sum()
}

/// The highest of a value of any service.
fn most(results: &Results, measurement: &str, value: &str) -> Option<f64> {
    let of_service = |service: &&str| results.median(measurement, &format!("{value}.{service}"));
    SERVICES.iter().filter_map(of_service).reduce(f64::max)
}
