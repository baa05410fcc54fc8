//! What is printed in the end.

use std::{collections::BTreeMap, fs, io, io::Write, time::Duration};

use anyhow::Result;
use serde_json::{Value, json};

use super::{
    Load,
    mix::Kind,
    outcome::{Outcome, Tally},
};
use crate::client::output::Output;

/// Quantiles, by the names under which they are told.
const QUANTILES: [(&str, f64); 5] = [
    ("p50", 0.5),
    ("p90", 0.9),
    ("p99", 0.99),
    ("p99.9", 0.999),
    ("p99.99", 0.9999),
];

/// Microseconds in one tick of `/proc/PID/stat` (`USER_HZ` is 100 on Linux).
const TICK_US: u64 = 10_000;

/// The result of a run.
pub(super) struct Report {
    target: Value,
    seconds: f64,
    throughput: f64,
    most_in_flight: u64,
    cpu_us_per_call: Option<f64>,
    operations: Vec<(Kind, Outcome)>,
}

impl Report {
    pub(super) fn new(
        load: &Load,
        server: &str,
        tally: &Tally,
        elapsed: Duration,
        cpu_before: Option<u64>,
        most_in_flight: u64,
    ) -> Self {
        let mix: BTreeMap<_, _> = Kind::ALL
            .into_iter()
            .map(|kind| (kind.name(), load.mix.weight(kind)))
            .collect();
        let calls = count(tally.succeeded() + tally.failed());
        let cpu_us = cpu_before
            .zip(cpu_us())
            .map(|(before, now)| now.saturating_sub(before));
        let seconds = elapsed.as_secs_f64();
        Self {
            target: json!({
                "server": server,
                "rate": load.rate,
                "concurrency": load.rate.is_none().then(|| load.pace().workers()),
                "connections": load.connections,
                "users": load.users,
                "mix": mix,
            }),
            seconds,
            throughput: per_second(tally.succeeded(), seconds),
            most_in_flight,
            cpu_us_per_call: cpu_us.filter(|_| calls > 0.0).map(|cpu_us| count(cpu_us) / calls),
            operations: tally
                .kinds()
                .map(|(kind, outcome)| (kind, outcome.clone()))
                .collect(),
        }
    }

    pub(super) fn print(&self, output: &Output) -> Result<()> {
        output.json(&self.json())?;
        output.text(|out| self.write(out))
    }

    fn json(&self) -> Value {
        let operation = |(kind, outcome): &(Kind, Outcome)| {
            let latencies = &outcome.latencies;
            let mut latency = serde_json::Map::from_iter([
                ("mean".to_owned(), json!(latencies.mean())),
                ("max".to_owned(), json!(latencies.max())),
            ]);
            for (name, quantile) in QUANTILES {
                latency.insert(name.to_owned(), json!(latencies.value_at_quantile(quantile)));
            }
            let told = json!({
                "ok": latencies.len(),
                "errors": outcome.errors,
                "throughput": per_second(latencies.len(), self.seconds),
                "latency_us": latency,
            });
            (kind.name().to_owned(), told)
        };
        json!({
            "target": self.target,
            "elapsed_seconds": self.seconds,
            "throughput": self.throughput,
            "in_flight_max": self.most_in_flight,
            "driver_cpu_us_per_call": self.cpu_us_per_call,
            "operations": self.operations.iter().map(operation).collect::<serde_json::Map<_, _>>(),
        })
    }

    fn write(&self, out: &mut dyn Write) -> io::Result<()> {
        let (rate, seconds) = (self.throughput, self.seconds);
        writeln!(
            out,
            "{rate:.0} calls/s succeeded in {seconds:.1} s, at most {} at a time",
            self.most_in_flight
        )?;
        if let Some(cpu_us) = self.cpu_us_per_call {
            writeln!(out, "each cost this command {cpu_us:.0} us of processor time")?;
        }
        let names = QUANTILES.map(|(name, _)| format!("{name:>9}")).concat();
        writeln!(
            out,
            "\n{:<7}{:>9}{:>9}{names}{:>9}   (latency in us)",
            "", "ok", "per s", "max"
        )?;
        for (kind, outcome) in &self.operations {
            let latencies = &outcome.latencies;
            let per_second = per_second(latencies.len(), seconds);
            write!(out, "{:<7}{:>9}{per_second:>9.0}", kind.name(), latencies.len())?;
            for (_, quantile) in QUANTILES {
                write!(out, "{:>9}", latencies.value_at_quantile(quantile))?;
            }
            writeln!(out, "{:>9}", latencies.max())?;
        }
        for (kind, outcome) in &self.operations {
            for (reason, count) in &outcome.errors {
                writeln!(out, "{} failed {count} times: {reason}", kind.name())?;
            }
        }
        Ok(())
    }
}

/// Processor time of this process so far, in microseconds, where the system tells it.
pub(super) fn cpu_us() -> Option<u64> {
    let stat = fs::read_to_string("/proc/self/stat").ok()?;
    let (_, after_name) = stat.rsplit_once(')')?;
    let ticks = after_name.split_whitespace().skip(11).take(2);
    let ticks: Option<u64> = ticks.map(|ticks| ticks.parse::<u64>().ok()).sum();
    Some(ticks? * TICK_US)
}

/// 0 in a run that was stopped before anything was measured.
fn per_second(calls: u64, seconds: f64) -> f64 {
    if seconds > 0.0 {
        count(calls) / seconds
    } else {
        0.0
    }
}

#[allow(clippy::cast_precision_loss, reason = "counts of one run fit")]
fn count(n: u64) -> f64 {
    n as f64
}
