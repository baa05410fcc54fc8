//! Dashboards as files: whole, consistent, and readable by somebody who did not make them.

use std::collections::{BTreeMap, BTreeSet};

use regex::Regex;
use serde_json::{Value, json};

use crate::dashboard::{Dashboard, array, text};

/// Units that panels use, by Grafana's names for them; `suffix:` stands for one of our own.
const UNITS: &[&str] = &["short", "s", "bytes", "percentunit", "reqps", "mps", "ops"];

/// Columns of Grafana's grid.
const WIDTH: u64 = 24;

/// Histograms that have exemplars: a latency graph of these leads to traces.
const WITH_EXEMPLARS: &[&str] = &[
    "rpc_server_call_duration_seconds_bucket",
    "messaging_process_duration_seconds_bucket",
    "waybill_consumer_lag_seconds_bucket",
    "db_client_operation_duration_seconds_bucket",
];

fn place(dashboard: &Dashboard, panel: &Value) -> String {
    format!("{}: {}", dashboard.name, text(&panel["title"]))
}

#[test]
fn dashboards_are_those_four_and_no_two_are_one() {
    let dashboards = Dashboard::all();
    let names: Vec<_> = dashboards.iter().map(|d| d.name.as_str()).collect();
    assert_eq!(
        names,
        ["dead-letters", "event-backbone", "order-flow", "services"]
    );
    let mut seen = BTreeSet::new();
    for Dashboard { name, json } in &dashboards {
        assert_eq!(json["uid"], format!("waybill-{name}"));
        assert!(seen.insert(text(&json["title"]).to_owned()), "{name}");
        assert!(text(&json["description"]).len() > 40, "{name} has no description");
        assert!(json["schemaVersion"].as_u64() >= Some(39), "{name}");
        // Grafana gives each a number of its own; one from elsewhere would collide.
        assert_eq!(json["id"], Value::Null, "{name}");
        assert!(array(&json["tags"]).contains(&json!("waybill")), "{name}");
        assert_eq!(
            json["links"][0]["tags"],
            json!(["waybill"]),
            "{name} leads to the others"
        );
    }
}

#[test]
fn every_panel_says_what_it_shows_in_which_unit_and_where_from() {
    for dashboard in Dashboard::all() {
        for panel in dashboard.shown() {
            let place = place(&dashboard, panel);
            let (title, description) = (text(&panel["title"]), text(&panel["description"]));
            assert!(!title.is_empty() && description.len() > 10, "{place}");
            if panel["type"] == "text" {
                continue;
            }
            let unit = text(&panel["fieldConfig"]["defaults"]["unit"]);
            assert!(
                UNITS.contains(&unit) || unit.starts_with("suffix:"),
                "{place}: unit {unit:?}"
            );
            assert_eq!(panel["datasource"]["uid"], "${datasource}", "{place}");
            assert!(!array(&panel["targets"]).is_empty(), "{place} asks nothing");
        }
    }
}

#[test]
fn every_target_asks_the_chosen_prometheus_and_names_what_comes() {
    for dashboard in Dashboard::all() {
        for panel in dashboard.shown() {
            let place = place(&dashboard, panel);
            let mut refs = BTreeSet::new();
            for target in array(&panel["targets"]) {
                assert_eq!(
                    target["datasource"],
                    json!({"type": "prometheus", "uid": "${datasource}"})
                );
                assert!(refs.insert(text(&target["refId"]).to_owned()), "{place}");
                assert!(!text(&target["expr"]).is_empty(), "{place}");
                let is_one_number = panel["type"] == "stat" || panel["type"] == "table";
                let legend = text(&target["legendFormat"]);
                assert!(
                    is_one_number || legend != "__auto",
                    "{place}: a legend for people"
                );
            }
        }
    }
}

#[test]
fn no_two_panels_have_one_id_or_one_place() {
    for dashboard in Dashboard::all() {
        let mut ids = BTreeSet::new();
        let mut cells = BTreeMap::new();
        for panel in dashboard.panels() {
            let place = place(&dashboard, panel);
            let id = panel["id"].as_u64().expect(&place);
            assert!(id > 0 && ids.insert(id), "{place}: id {id}");
            let at = |side: &str| panel["gridPos"][side].as_u64().expect(&place);
            let (x, y, w, h) = (at("x"), at("y"), at("w"), at("h"));
            assert!(w > 0 && h > 0 && x + w <= WIDTH, "{place}");
            for cell in (y..y + h).flat_map(|row| (x..x + w).map(move |column| (row, column))) {
                let other = cells.insert(cell, place.clone());
                assert_eq!(other, None, "{place} covers it");
            }
        }
        // A hole is where a panel was moved by hand and another forgotten.
        let rows: BTreeSet<_> = cells.keys().map(|(row, _)| *row).collect();
        let cells_of_full_rows = rows.len() as u64 * WIDTH;
        assert_eq!(
            cells.len() as u64,
            cells_of_full_rows,
            "{} has a hole",
            dashboard.name
        );
    }
}

#[test]
fn every_variable_is_used_and_every_used_one_is_there() {
    for dashboard in Dashboard::all() {
        let whole = dashboard.json["panels"].to_string();
        for variable in dashboard.variables() {
            let name = text(&variable["name"]);
            assert!(!text(&variable["label"]).is_empty() && !text(&variable["description"]).is_empty());
            let is_used = whole.contains(&format!("${name}")) || whole.contains(&format!("${{{name}}}"));
            assert!(is_used, "{}: nobody uses {name}", dashboard.name);
        }
        // A `$` that is left would be an unknown variable.
        assert!(dashboard.questions().len() > 9, "{}", dashboard.name);
    }
}

#[test]
fn rates_are_taken_over_windows_that_fit_what_is_looked_at() {
    // Two windows are fixed: an alert's, and the objective's.
    let window = Regex::new(r"\[(\$\w+|\d+[smhdwy])\]").unwrap();
    for dashboard in Dashboard::all() {
        for panel in dashboard.shown() {
            for target in array(&panel["targets"]) {
                let expression = text(&target["expr"]);
                for found in window.captures_iter(expression) {
                    let fits = ["$__rate_interval", "$__range", "15m", "30d"].contains(&&found[1]);
                    assert!(fits, "{}: {}", place(&dashboard, panel), &found[1]);
                }
            }
        }
    }
}

#[test]
fn a_latency_graph_leads_to_traces() {
    let mut count = 0;
    for dashboard in Dashboard::all() {
        let graphs = |panel: &&Value| panel["type"] == "timeseries" || panel["type"] == "heatmap";
        for panel in dashboard.shown().filter(graphs) {
            let targets = array(&panel["targets"]);
            let has_exemplars = |target: &Value| {
                let expression = text(&target["expr"]);
                WITH_EXEMPLARS.iter().any(|name| expression.contains(name))
            };
            if targets.iter().any(has_exemplars) {
                let shown = targets.iter().any(|target| target["exemplar"] == true);
                assert!(shown, "{} shows no exemplars", place(&dashboard, panel));
                count += 1;
            }
        }
    }
    assert!(count >= 6, "{count}");
}
