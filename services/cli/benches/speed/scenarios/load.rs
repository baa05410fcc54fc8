//! Calls made by `waybill load`, which says what came of them.

use std::{collections::BTreeMap, process::Stdio, time::Duration};

use serde::Deserialize;

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

/// Places orders at a pace, which is a flag and its value.
pub(super) async fn measure(platform: &Platform, sizes: &Sizes, pace: [&str; 2], times: Times) -> Sample {
    let arguments = [
        "load".to_owned(),
        "--server".to_owned(),
        platform.process("order").grpc.clone(),
        "--user-server".to_owned(),
        platform.process("user").grpc.clone(),
        pace[0].to_owned(),
        pace[1].to_owned(),
        "--duration".to_owned(),
        text(times.measured),
        "--warm-up".to_owned(),
        text(times.warm_up),
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
    sample(&report)
}

/// A time as settings take it: in seconds if that says it all.
fn text(time: Duration) -> String {
    match (time.as_secs(), time.subsec_millis()) {
        (seconds, 0) => format!("{seconds}s"),
        _ => format!("{}ms", time.as_millis()),
    }
}

fn sample(report: &Report) -> Sample {
    let operation = report.operations.get("place").expect("orders were placed");
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
