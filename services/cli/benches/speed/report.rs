//! Tables in Markdown: medians of all rounds, with the least and the most.

use std::fmt::Write;

use crate::statistics::{Results, Spread};

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
        "`insert_many` of 32, unordered, 4 in flight, per document",
    ),
    ("publish_1", "publish and confirm, one by one"),
    ("publish_32", "publish and confirm, 32 joined"),
    ("consume", "consume, prefetch 256, each acknowledged"),
    (
        "consume_multiple",
        "consume, prefetch 256, every 32nd acknowledged for all",
    ),
    ("smtp", "mail over pooled SMTP connections, 16 in flight"),
    ("echo_insert_300", "gRPC call and `insert_one`, 300 a second"),
];

/// All tables of what was measured.
pub(crate) fn tables(results: &Results) -> String {
    floors(results)
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
        table.measured(
            &[meaning, &format!("`{name}`")],
            [
                results.spread(name, "throughput").map(spread),
                results.spread(name, "p50_us").map(spread),
                results.spread(name, "p99_us").map(spread),
                results.spread(name, "cpu_us.driver").map(spread),
                results.median(name, "throughput").map(|_| number(servers)),
            ],
        );
    }
    table.text
}

/// A table under a heading.
pub(crate) struct Table {
    pub(crate) text: String,
}

impl Table {
    pub(crate) fn new(heading: &str, columns: &[&str]) -> Self {
        let rule = "---|".repeat(columns.len());
        Self {
            text: format!("### {heading}\n\n| {} |\n|{rule}\n", columns.join(" | ")),
        }
    }

    /// A row: what it is about, and what was measured. Without any of that there is no row.
    pub(crate) fn measured<const N: usize>(&mut self, about: &[&str], cells: [Option<String>; N]) {
        if cells.iter().all(Option::is_none) {
            return;
        }
        let cells = cells.map(|cell| cell.unwrap_or_else(|| "–".to_owned()));
        let about = about.join(" | ");
        let _ = writeln!(self.text, "| {about} | {} |", cells.join(" | "));
    }
}

/// A median, with the least and the most.
pub(crate) fn spread(spread: Spread) -> String {
    let Spread { median, min, max, .. } = spread;
    format!("{} ({}–{})", number(median), number(min), number(max))
}

/// A number with as many digits as mean something, thousands apart.
pub(crate) fn number(value: f64) -> String {
    let decimals = match value.abs() {
        size if size >= 100.0 => 0,
        size if size >= 10.0 => 1,
        _ => 2,
    };
    let text = format!("{value:.decimals$}");
    let (whole, rest) = text.find('.').map_or((text.as_str(), ""), |at| text.split_at(at));
    let digits = whole.trim_start_matches('-').len();
    let mut grouped = String::new();
    for (at, digit) in whole.chars().enumerate() {
        let left = whole.len() - at;
        if digit.is_ascii_digit() && left % 3 == 0 && left < digits {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    grouped + rest
}
