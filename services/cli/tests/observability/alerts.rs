//! Prometheus takes its configuration and rules, rules do what their tests say, and every alert is
//! tested both ways and says what to do.

use std::collections::BTreeSet;

use waybill_testkit::prometheus::promtool;

use crate::{
    files::{in_folder, list, path, read, rules, stem, yaml},
    pages::{Runbook, runbooks},
};

/// Where Prometheus puts what it is told once, in front of every runbook's name.
const RUNBOOKS: &str = "{{ $externalLabels.runbooks }}/";

/// Runs promtool on files, which must find nothing wrong.
fn promtool_approves(command: &[&str], files: &[std::path::PathBuf]) {
    let files = files.iter().map(|file| file.to_str().expect("a path is text"));
    let arguments: Vec<_> = command.iter().copied().chain(files).collect();
    let output = promtool(&arguments);
    let (out, err) = (
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr),
    );
    assert!(output.status.success(), "{command:?}:\n{out}{err}");
}

/// Names of alerts that are expected to fire, or not to, somewhere in the tests of rules.
fn tested(firing: bool) -> BTreeSet<String> {
    let files = in_folder("observability/prometheus/tests", ".yml");
    let tests = files.iter().flat_map(|file| list(&yaml(file)["tests"]));
    let cases = tests.flat_map(|test| list(&test["alert_rule_test"]));
    cases
        .filter(|case| list(&case["exp_alerts"]).is_empty() != firing)
        .map(|case| {
            case["alertname"]
                .as_str()
                .expect("a test names its alert")
                .to_owned()
        })
        .collect()
}

fn alerts() -> BTreeSet<String> {
    let rules = rules();
    let names = rules.iter().filter_map(|rule| rule["alert"].as_str());
    names.map(str::to_owned).collect()
}

#[test]
fn promtool_takes_the_configuration_and_the_rules() {
    promtool_approves(
        &["check", "config"],
        &[path("observability/prometheus/prometheus.yml")],
    );
    promtool_approves(
        &["check", "rules", "--lint-fatal"],
        &in_folder("observability/prometheus/rules", ".yml"),
    );
}

#[test]
fn rules_do_what_their_tests_say() {
    promtool_approves(
        &["test", "rules"],
        &in_folder("observability/prometheus/tests", ".yml"),
    );
}

#[test]
fn every_alert_is_seen_to_fire_and_to_stay_quiet() {
    assert_eq!(tested(true), alerts(), "alerts that a test has fire");
    assert_eq!(tested(false), alerts(), "alerts that a test has stay quiet");
}

#[test]
fn every_alert_says_what_is_wrong_how_urgent_it_is_and_what_to_do() {
    for rule in rules() {
        let Some(name) = rule["alert"].as_str() else {
            continue;
        };
        let severity = rule["labels"]["severity"].as_str().unwrap_or_default();
        assert!(
            ["page", "ticket"].contains(&severity),
            "{name}: severity {severity}"
        );
        let texts = &rule["annotations"];
        for text in ["summary", "description"] {
            let text = texts[text].as_str().unwrap_or_default();
            assert!(text.len() > 20, "{name}: {text}");
        }
        let runbook = texts["runbook_url"].as_str().unwrap_or_default();
        assert_eq!(runbook, format!("{RUNBOOKS}{name}.md"));
    }
    let config = yaml(&path("observability/prometheus/prometheus.yml"));
    assert_eq!(config["global"]["external_labels"]["runbooks"], "docs/runbooks");
}

#[test]
fn every_alert_has_a_runbook_and_every_runbook_an_alert() {
    let runbooks: Vec<Runbook> = runbooks();
    let names: BTreeSet<_> = runbooks.iter().map(|runbook| runbook.name.clone()).collect();
    assert_eq!(names, alerts());
    for Runbook {
        name,
        headings,
        queries,
    } in runbooks
    {
        let expected = ["What it means", "What to look at", "What to do"];
        assert_eq!(headings, expected, "{name}");
        assert!(!queries.is_empty(), "{name} shows no expression to look at");
    }
}

#[test]
fn files_of_rules_keep_one_idea_apart_from_another() {
    for file in in_folder("observability/prometheus/rules", ".yml") {
        let groups = list(&yaml(&file)["groups"]);
        let names: Vec<_> = groups.iter().filter_map(|group| group["name"].as_str()).collect();
        assert_eq!(names, [stem(&file)], "a group of the name of its file");
        assert!(
            read(&file).starts_with("# "),
            "{} says what it is",
            file.display()
        );
    }
}
