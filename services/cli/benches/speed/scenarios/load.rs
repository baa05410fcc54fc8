//! Calls made by `waybill load`, which says what came of them.

use std::{
    collections::BTreeMap,
    process::{Command, Stdio},
    sync::LazyLock,
    time::Duration,
};

use serde::Deserialize;

use super::calls::{Kind, Pace};
use crate::{child, pace::Times, platform::Platform, sizes::Sizes, statistics::Sample};

/// What it prints, as far as it is looked at.
#[derive(Debug, Deserialize)]
struct Report {
    driver_cpu_us_per_call: f64,
    operations: BTreeMap<String, Operation>,
}

#[derive(Debug, Deserialize)]
struct Operation {
    errors: BTreeMap<String, u64>,
    throughput: f64,
    latency_us: BTreeMap<String, f64>,
}

/// Whether the program under measurement has that command.
pub(crate) fn is_there() -> bool {
    static IS_THERE: LazyLock<bool> = LazyLock::new(|| {
        let mut help = Command::new(env!("CARGO_BIN_EXE_waybill"));
        help.args(["load", "--help"]).stdout(Stdio::null());
        let status = help.stderr(Stdio::null()).status();
        status.is_ok_and(|status| status.success())
    });
    *IS_THERE
}

/// Makes calls of one kind.
pub(super) async fn measure(
    platform: &Platform,
    sizes: &Sizes,
    kind: Kind,
    pace: Pace,
    times: Times,
) -> Sample {
    let kind = match kind {
        Kind::Place => "place",
        Kind::Get => "get",
        Kind::List => "list",
    };
    let (flag, number) = match pace {
        Pace::InFlight(calls) => ("--concurrency", calls.to_string()),
        Pace::Rate(rate) => ("--rate", rate.to_string()),
    };
    let mix =
        ["place", "get", "list", "cancel"].map(|of| format!("{of}={}", if of == kind { 100 } else { 0 }));
    let arguments = [
        "load".to_owned(),
        "--server".to_owned(),
        platform.process("order").grpc.clone(),
        "--user-server".to_owned(),
        platform.process("user").grpc.clone(),
        flag.to_owned(),
        number,
        "--duration".to_owned(),
        text(times.measured),
        "--warm-up".to_owned(),
        text(times.warm_up),
        "--mix".to_owned(),
        mix.join(","),
        "--users".to_owned(),
        sizes.users.to_string(),
        "--connections".to_owned(),
        "1".to_owned(),
        "--json".to_owned(),
    ];
    let arguments: Vec<_> = arguments.iter().map(String::as_str).collect();
    let mut command = tokio::process::Command::from(platform.stack.command(&arguments));
    command.stdin(Stdio::null()).kill_on_drop(true);
    let report: Report = child::output("waybill load", command.output()).await;
    sample(kind, &report)
}

/// A time as settings take it: in seconds if that says it all.
fn text(time: Duration) -> String {
    match (time.as_secs(), time.subsec_millis()) {
        (seconds, 0) => format!("{seconds}s"),
        _ => format!("{}ms", time.as_millis()),
    }
}

fn sample(kind: &str, report: &Report) -> Sample {
    let operation = report.operations.get(kind).expect("calls of that kind were made");
    assert!(
        operation.errors.is_empty(),
        "calls failed: {:?}",
        operation.errors
    );
    let mut sample = Sample::from([
        ("throughput".to_owned(), operation.throughput),
        ("cpu_us.driver".to_owned(), report.driver_cpu_us_per_call),
    ]);
    for (name, latency) in &operation.latency_us {
        sample.insert(format!("{name}_us"), *latency);
    }
    sample
}
