//! `waybill load`: what it says it did is what the platform has seen.

use std::process::Output;

use serde_json::Value;

use crate::support::{process::Process, stack::Stack};

/// Runs `waybill load` with these arguments against a platform.
fn load(stack: &Stack, platform: &Process, arguments: &[&str]) -> Output {
    let mut command = stack.command(&["load", "--server", &platform.grpc]);
    command
        .args(arguments)
        .output()
        .expect("the binary under test runs")
}

fn report(output: &Output) -> Value {
    let (text, error) = (
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr),
    );
    assert!(output.status.success(), "{error}");
    serde_json::from_str(&text).unwrap_or_else(|_| panic!("not one JSON value: {text} {error}"))
}

/// Calls of a method that the platform has answered with `OK`.
fn answered(platform: &Process, method: &str) -> u64 {
    let mut response = ureq::get(format!("{}/metrics", platform.http))
        .call()
        .expect("metrics are served");
    let text = response.body_mut().read_to_string().expect("they are text");
    let is_meant = |line: &&str| {
        line.starts_with("rpc_server_call_duration_seconds_count")
            && line.contains(&format!("/{method}\""))
            && line.contains("rpc_response_status_code=\"OK\"")
    };
    let counts = text.lines().filter(is_meant);
    counts
        .filter_map(|line| line.split("} ").nth(1)?.split(' ').next()?.parse::<u64>().ok())
        .sum()
}

#[tokio::test]
async fn a_closed_loop_makes_every_kind_of_call() {
    let stack = Stack::embedded();
    let platform = Process::start(&stack, &["up"]).ready().await;
    let arguments = [
        "--json",
        "--concurrency=8",
        "--warm-up=0s",
        "--duration=30s",
        "--requests=400",
        "--mix=place=4,get=3,list=2,cancel=1",
        "--users=20",
        "--hot-users=5:50",
        "--prefill=50",
        "--connections=2",
    ];
    let report = report(&load(&stack, &platform, &arguments));
    let operations = report["operations"].as_object().unwrap();
    let mut calls = 0;
    for (kind, method) in [
        ("place", "PlaceOrder"),
        ("get", "GetOrder"),
        ("list", "ListOrders"),
        ("cancel", "CancelOrder"),
    ] {
        let told = &operations[kind];
        assert_eq!(told["errors"], serde_json::json!({}), "{kind}");
        let ok = told["ok"].as_u64().unwrap();
        let prefilled = if kind == "place" { 50 } else { 0 };
        assert_eq!(answered(&platform, method), ok + prefilled, "{kind}");
        for quantile in ["p50", "p90", "p99", "p99.9", "p99.99", "max"] {
            assert!(
                told["latency_us"][quantile].as_u64() > Some(0),
                "{kind} {quantile}"
            );
        }
        calls += ok;
    }
    assert_eq!(calls, 400);
    assert_eq!(answered(&platform, "RegisterUser"), 20);
    let most = report["in_flight_max"].as_u64().unwrap();
    assert!((1..=8).contains(&most), "{most}");
    assert_eq!(report["target"]["mix"]["get"], 3);
}

#[tokio::test]
async fn an_open_loop_keeps_to_its_rate() {
    let stack = Stack::embedded();
    let platform = Process::start(&stack, &["up"]).ready().await;
    let arguments = [
        "--json",
        "--rate=100",
        "--warm-up=500ms",
        "--duration=1s",
        "--users=5",
    ];
    let report = report(&load(&stack, &platform, &arguments));
    // Calls that are due from 0.5 s to 1.5 s, whenever they are answered.
    assert_eq!(report["operations"]["place"]["ok"], 100);
    assert_eq!(answered(&platform, "PlaceOrder"), 150);
    assert_eq!(report["target"]["rate"], 100);
}

#[tokio::test]
async fn a_load_that_nobody_answers_fails() {
    let stack = Stack::embedded();
    let arguments = ["load", "--server=http://127.0.0.1:1", "--no-register", "--json"];
    let mut command = stack.command(&arguments);
    let output = command
        .args(["--requests=3", "--concurrency=1", "--warm-up=0s"])
        .output();
    let output = output.expect("the binary under test runs");
    assert!(!output.status.success());
    let report: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(report["operations"]["place"]["ok"], 0);
    assert_eq!(report["operations"]["place"]["errors"]["Unavailable"], 3);
    assert!(String::from_utf8_lossy(&output.stderr).contains("every call failed"));
}

#[test]
fn a_flag_that_is_wrong_is_named_with_what_it_takes() {
    let stack = Stack::embedded();
    for (flag, takes) in [
        ("--rate=0", "1..=1000000"),
        ("--concurrency=10001", "1..=10000"),
        ("--duration=5", "500ms, 30s or 2m"),
        ("--mix=buy=1", "place=90,get=10"),
        ("--users=0", "1..=1000000"),
        ("--hot-users=1", "1:50"),
        ("--items=501", "1..=500"),
        ("--connections=65", "1..=64"),
        ("--requests=0", "1.."),
    ] {
        let output = stack.command(&["load", flag]).output().expect("it runs");
        let told = String::from_utf8_lossy(&output.stderr);
        let name = flag.split('=').next().unwrap();
        assert!(!output.status.success(), "{flag}");
        assert!(told.contains(name) && told.contains(takes), "{flag}: {told}");
    }
}
