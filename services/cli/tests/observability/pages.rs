//! The pages about metrics and alerts, as far as they can be checked.

use std::collections::{BTreeMap, BTreeSet};

use regex::Regex;
use waybill::telemetry::metrics::CONVENTIONS;

use crate::{
    dashboard::Dashboard,
    files::{in_folder, path, read, rules, stem},
};

/// What to do about an alert.
#[derive(Debug)]
pub(crate) struct Runbook {
    /// The alert's name.
    pub(crate) name: String,
    /// Its sections.
    pub(crate) headings: Vec<String>,
    /// The PromQL that it shows.
    pub(crate) queries: Vec<String>,
}

/// All of them.
pub(crate) fn runbooks() -> Vec<Runbook> {
    let fenced = Regex::new(r"(?s)```promql\n(.+?)\n```").expect("it is well-formed");
    let page = |path: &std::path::PathBuf| {
        let text = read(path);
        let headings = text.lines().filter_map(|line| line.strip_prefix("## "));
        let queries = fenced.captures_iter(&text).map(|found| found[1].to_owned());
        Runbook {
            name: stem(path),
            headings: headings.map(str::to_owned).collect(),
            queries: queries.collect(),
        }
    };
    in_folder("docs/runbooks", ".md").iter().map(page).collect()
}

/// The metrics of docs/observability.md, and their labels: the first two cells of a row, in backquotes.
pub(crate) fn documented_metrics() -> BTreeMap<String, BTreeSet<String>> {
    let row = Regex::new(r"(?m)^\| `([a-z_]+)` \|([^|]*)\|").expect("it is well-formed");
    let quoted = Regex::new("`([a-z_]+)`").expect("it is well-formed");
    let page = read(&path("docs/observability.md"));
    let (_, section) = page.split_once("\n## Metrics\n").expect("it has that section");
    let (section, _) = section.split_once("\n## ").expect("another comes");
    let labels = |cell: &str| {
        quoted
            .captures_iter(cell)
            .map(|found| found[1].to_owned())
            .collect()
    };
    let rows = row.captures_iter(section);
    let metrics: BTreeMap<_, _> = rows
        .map(|found| (found[1].to_owned(), labels(&found[2])))
        .collect();
    assert!(metrics.len() > 20, "{metrics:?}");
    metrics
}

#[test]
fn the_page_names_the_conventions_that_names_follow() {
    let page = read(&path("docs/observability.md"));
    let words: Vec<_> = page.split_whitespace().collect();
    let says = format!("OpenTelemetry semantic conventions, version {CONVENTIONS}");
    assert!(words.join(" ").contains(&says), "{says}");
}

#[test]
fn the_page_lists_every_alert_with_its_severity_and_every_dashboard() {
    let page = read(&path("docs/observability.md"));
    let mut severities: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for rule in rules() {
        if let (Some(alert), Some(severity)) = (rule["alert"].as_str(), rule["labels"]["severity"].as_str()) {
            let of_alert = severities.entry(alert.to_owned()).or_default();
            of_alert.insert(severity.to_owned());
        }
    }
    for (alert, severities) in severities {
        let severities = Vec::from_iter(severities).join(", ");
        let row = format!("| [{alert}](runbooks/{alert}.md) | {severities} |");
        assert!(page.contains(&row), "{row}");
    }
    for dashboard in Dashboard::all() {
        let title = format!("| *{}* |", dashboard.json["title"].as_str().unwrap());
        assert!(page.contains(&title), "{title}");
    }
}
