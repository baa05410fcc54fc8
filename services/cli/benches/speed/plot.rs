//! Plots: the platform beside the floors.

mod bars;

use std::path::Path;

use plotters::style::RGBColor;

use self::bars::{Bar, Plot};
use crate::{goals::steps, platform::SERVICES, report::table::number, statistics::Results};

/// Colours that are told apart on white, also by those who see red and green alike.
const FLOOR: RGBColor = RGBColor(0x9a, 0xa5, 0xb1);
const PLATFORM: RGBColor = RGBColor(0x00, 0x72, 0xb2);
const EMBEDDED: RGBColor = RGBColor(0x56, 0xb4, 0xe9);
const STEPS: [RGBColor; 6] = [
    RGBColor(0x00, 0x72, 0xb2),
    RGBColor(0xe6, 0x9f, 0x00),
    RGBColor(0x00, 0x9e, 0x73),
    RGBColor(0xcc, 0x79, 0xa7),
    RGBColor(0x56, 0xb4, 0xe9),
    RGBColor(0xd5, 0x5e, 0x00),
];

/// Draws all into `folder`. Answers files and titles of those for which there are figures.
pub(crate) fn draw(folder: &Path, results: &Results) -> Vec<(&'static str, &'static str)> {
    let plots = [
        ("throughput.svg", throughput(results)),
        ("latency.svg", latency(results)),
        ("cpu.svg", processor_time(results)),
    ];
    let mut drawn = Vec::new();
    for (file, plot) in plots {
        if !plot.bars.is_empty() {
            plot.draw(&folder.join(file));
            drawn.push((file, plot.title));
        }
    }
    drawn
}

fn throughput(results: &Results) -> Plot {
    let bars = [
        ("call, answered at once (32)", "echo", FLOOR),
        ("insert_one (32)", "insert_one_32", FLOOR),
        ("insert_one (256)", "insert_one_256", FLOOR),
        ("insert_many", "insert_many", FLOOR),
        ("publish, 32 joined", "publish_32", FLOOR),
        ("consume, acknowledged together", "consume_multiple", FLOOR),
        ("mail (16)", "smtp", FLOOR),
        ("place (32)", "placement_32", PLATFORM),
        ("place (256)", "placement_256", PLATFORM),
        ("place, without consumers (32)", "alone_32", PLATFORM),
        ("place, without consumers (256)", "alone_256", PLATFORM),
        ("end to end (256)", "end_to_end", PLATFORM),
        ("backlog of statistics", "backlog_user", PLATFORM),
        ("backlog of mails", "backlog_notification", PLATFORM),
        ("get (32)", "get", PLATFORM),
        ("list (32)", "list", PLATFORM),
        ("place (256)", "embedded_placement_256", EMBEDDED),
        ("end to end (256)", "embedded_end_to_end", EMBEDDED),
    ];
    Plot {
        title: "Throughput: how many a second (in flight)",
        legend: legend(),
        bars: one_part(results, &bars, "throughput"),
    }
}

fn latency(results: &Results) -> Plot {
    let bars = [
        ("insert_one (32)", "insert_one_32", FLOOR),
        ("insert_one (256)", "insert_one_256", FLOOR),
        ("call and insert_one, 300/s", "echo_insert_300", FLOOR),
        ("place (1)", "placement_1", PLATFORM),
        ("place (32)", "placement_32", PLATFORM),
        ("place (256)", "placement_256", PLATFORM),
        ("place, 300/s", "placement_300", PLATFORM),
        ("place, without consumers (32)", "alone_32", PLATFORM),
        ("place, without consumers (256)", "alone_256", PLATFORM),
        ("place, without consumers, 300/s", "alone_300", PLATFORM),
        ("place (1)", "embedded_placement_1", EMBEDDED),
        ("place (32)", "embedded_placement_32", EMBEDDED),
        ("place (256)", "embedded_placement_256", EMBEDDED),
        ("place, 300/s", "embedded_placement_300", EMBEDDED),
    ];
    Plot {
        title: "Latency: p99, µs (in flight)",
        legend: legend(),
        bars: one_part(results, &bars, "p99_us"),
    }
}

/// Stacked: what each step and each service has of an order's processor time.
fn processor_time(results: &Results) -> Plot {
    let mut plot = Plot {
        title: "Processor time of an order in services, µs",
        legend: Vec::new(),
        bars: Vec::new(),
    };
    let colours = || STEPS.into_iter();
    if let Some(steps) = steps(results) {
        plot.legend
            .extend(steps.iter().map(|step| step.name).zip(colours()));
        let parts = steps.iter().map(|step| step.client).zip(colours());
        plot.bars.push(Bar::new("floors", parts.collect()));
    }
    let of_service = |service: &&str| results.median("end_to_end", &format!("cpu_us.{service}"));
    let services: Option<Vec<_>> = SERVICES.iter().map(of_service).collect();
    if let Some(services) = services {
        let named = SERVICES.map(|service| match service {
            "order" => "order service",
            "user" => "user service",
            _ => "notification service",
        });
        let grey = [0x33, 0x77, 0xbb].map(|level| RGBColor(level, level, level));
        plot.legend.extend(named.into_iter().zip(grey));
        let parts = services.into_iter().zip(grey);
        plot.bars.push(Bar::new("platform", parts.collect()));
    }
    plot
}

fn legend() -> Vec<(&'static str, RGBColor)> {
    vec![("floor", FLOOR), ("platform", PLATFORM), ("embedded", EMBEDDED)]
}

fn one_part(results: &Results, bars: &[(&'static str, &str, RGBColor)], value: &str) -> Vec<Bar> {
    bars.iter()
        .filter_map(|(label, measurement, colour)| {
            let spread = results.spread(measurement, value)?;
            let mut bar = Bar::new(label, vec![(spread.median, *colour)]);
            bar.text = format!(
                "{} ({}–{})",
                number(spread.median),
                number(spread.min),
                number(spread.max)
            );
            Some(bar)
        })
        .collect()
}
