//! What the speed benchmark makes of what it measures.

#![allow(clippy::float_cmp, reason = "these come out exactly")]

#[path = "../benches/speed/statistics.rs"]
#[allow(dead_code, reason = "the benchmark uses all of it")]
mod statistics;
#[path = "../benches/speed/report/table.rs"]
mod table;

use std::time::Duration;

use statistics::{Latencies, Results, Sample};
use table::{Table, number, spread};

fn results(values: &[f64]) -> Results {
    let mut results = Results::default();
    for value in values {
        results.add("echo", Sample::from([("throughput".to_owned(), *value)]));
    }
    results
}

#[test]
fn a_percentile_is_a_time_that_so_many_calls_did_not_exceed() {
    let mut latencies = Latencies::default();
    for micros in (1..=1000).rev() {
        latencies.add(Duration::from_micros(micros));
    }
    let mut sample = Sample::new();
    latencies.tell(&mut sample);
    let told = ["p50_us", "p90_us", "p99_us", "p99.9_us", "max_us", "mean_us"].map(|name| sample[name]);
    assert_eq!(told, [500.0, 900.0, 990.0, 999.0, 1000.0, 500.5]);

    let mut one = Latencies::default();
    one.add(Duration::from_micros(7));
    one.tell(&mut sample);
    assert_eq!((sample["p50_us"], sample["p99.9_us"]), (7.0, 7.0));
}

#[test]
fn of_no_calls_there_is_nothing_to_say() {
    let mut sample = Sample::new();
    Latencies::default().tell(&mut sample);
    assert!(sample.is_empty());
}

#[test]
fn the_middle_of_all_rounds_is_told_with_the_least_and_the_most() {
    let told = |values: &[f64]| results(values).spread("echo", "throughput").map(spread);
    assert_eq!(told(&[3000.0, 1000.0, 1500.0]).unwrap(), "1,500 (1,000–3,000)");
    assert_eq!(told(&[4.0, 2.0]).unwrap(), "3.00 (2.00–4.00)");
    assert_eq!(told(&[]), None);
    assert!(results(&[1.0]).spread("echo", "p99_us").is_none());
}

#[test]
fn a_number_has_three_digits_or_all_before_the_point() {
    let numbers = [
        0.0,
        0.084,
        9.876,
        12.345,
        123.4,
        1234.5,
        1_234_567.0,
        -1234.0,
        -123.0,
    ];
    let texts = [
        "0.00",
        "0.08",
        "9.88",
        "12.3",
        "123",
        "1,234",
        "1,234,567",
        "-1,234",
        "-123",
    ];
    assert_eq!(numbers.map(number), texts);
}

#[test]
fn what_was_not_measured_takes_no_room() {
    let mut table = Table::new("Calls", &["calls", "per second", "p99"]);
    table.row(&["get"], [None, None]);
    assert_eq!(table.noting("A note."), "");

    let mut table = Table::new("Calls", &["calls", "per second", "p99"]);
    table.row(&["get"], [None, None]);
    table.row(&["place"], [Some("1".into()), None]);
    let text = "### Calls\n\n| calls | per second | p99 |\n|---|---|---|\n| place | 1 | – |\n\nA note.\n\n";
    assert_eq!(table.noting("A note."), text);
}
