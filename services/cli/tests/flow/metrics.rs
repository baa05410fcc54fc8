//! What Prometheus is told: every step of an order, under the names that dashboards use, and no more
//! series however much is ordered.

use std::collections::BTreeSet;

use futures::{StreamExt, stream};
use waybill::contract::notification::v1::list_notifications_request::Filter;

use crate::support::{
    client::{Client, order_for},
    events::{created_and_cancelled, message},
    process::Process,
    stack::Stack,
};

/// What one placed and cancelled order and one message that is no event leave behind: names and types.
const MEASURED: &[(&str, &str)] = &[
    ("rpc_server_call_duration_seconds", "histogram"),
    ("messaging_client_operation_duration_seconds", "histogram"),
    ("messaging_client_sent_messages_total", "counter"),
    ("messaging_client_consumed_messages_total", "counter"),
    ("db_client_operation_duration_seconds", "histogram"),
    ("messaging_process_duration_seconds", "histogram"),
    ("process_cpu_time_seconds_total", "counter"),
    ("process_memory_usage_bytes", "gauge"),
    ("waybill_consumer_batch_size", "histogram"),
    ("waybill_consumer_dead_lettered_total", "counter"),
    ("waybill_consumer_in_flight", "gauge"),
    ("waybill_consumer_lag_seconds", "histogram"),
    ("waybill_consumer_prefetch", "gauge"),
    ("waybill_inbox_duplicates_total", "counter"),
    ("waybill_mail_sent_total", "counter"),
    ("waybill_outbox_depth", "gauge"),
    ("waybill_outbox_oldest_age_seconds", "gauge"),
    ("waybill_readiness_check", "gauge"),
    ("waybill_runtime_busy_time_seconds_total", "counter"),
    ("waybill_runtime_queue_depth", "gauge"),
    ("waybill_runtime_tasks", "gauge"),
    ("waybill_runtime_workers", "gauge"),
];

/// Values that must have been counted at least, by series. `SYSTEM` is the broker.
const COUNTED: &[(&str, &[&str])] = &[
    (
        "rpc_server_call_duration_seconds_count",
        &[
            "rpc_method=\"waybill.order.v1.OrderService/PlaceOrder\"",
            "rpc_response_status_code=\"OK\"",
        ],
    ),
    (
        "messaging_client_sent_messages_total",
        &[
            "messaging_system=\"SYSTEM\"",
            "messaging_destination_name=\"waybill.events\"",
            "waybill_event_type=\"waybill.order.v1.OrderCreated\"",
        ],
    ),
    (
        "messaging_client_consumed_messages_total",
        &[
            "messaging_destination_name=\"waybill.notification.mail\"",
            "waybill_event_type=\"waybill.order.v1.OrderCancelled\"",
        ],
    ),
    (
        "waybill_consumer_lag_seconds_count",
        &["waybill_event_type=\"waybill.order.v1.OrderCreated\""],
    ),
    (
        "waybill_consumer_dead_lettered_total",
        &["waybill_event_type=\"_OTHER\"", "error_type=\"INVALID_ENVELOPE\""],
    ),
    ("waybill_mail_sent_total", &[]),
];

/// Series that a process of all services may have: some thousands are what one Prometheus takes from
/// each of hundreds of processes without a thought. Buckets of histograms are most of them.
const MAX_SERIES: usize = 3_000;

async fn scrape(process: &Process) -> String {
    let url = format!("{}/metrics", process.http);
    let fetch = move || ureq::get(&url).call()?.body_mut().read_to_string();
    let text = tokio::task::spawn_blocking(fetch).await;
    text.expect("the request does not panic")
        .expect("metrics are served")
}

/// The value of the one series of this name that has all of these labels, 0 without any.
fn value(text: &str, name: &str, labels: &[&str]) -> f64 {
    let is_it = |line: &&str| {
        line.strip_prefix(name)
            .is_some_and(|rest| rest.starts_with(['{', ' ']))
            && labels.iter().all(|label| line.contains(label))
    };
    let number = |line: &str| line.rsplit(' ').next().and_then(|n| n.parse::<f64>().ok());
    text.lines().filter(is_it).filter_map(number).sum()
}

fn series(text: &str) -> BTreeSet<&str> {
    let samples = text.lines().filter(|line| !line.starts_with('#'));
    samples
        .filter_map(|line| line.rsplit_once(' '))
        .map(|(series, _)| series)
        .collect()
}

async fn every_step_is_measured(stack: Stack, system: &str, database: &str) {
    let up = Process::start(&stack, &["up"]).ready().await;
    let client = Client::of(up.channel());
    let user = client.register().await;
    let order = client.place(order_for(&user.user_id, 7)).await;
    client.cancel(&order.order_id).await;
    client.stats_of(&user.user_id, 1, 1).await;
    client.notifications_of(Filter::OrderId(order.order_id), 2).await;
    let mut stranger = message(&created_and_cancelled(&user.user_id).0);
    stranger.properties.type_name = Some("a.Stranger".to_owned());
    stack.publish([stranger]).await;

    let text = waybill_testkit::wait::until("all of it is counted", async || {
        let text = scrape(&up).await;
        let is_counted = |(name, labels): &(&str, &[&str])| {
            let labels: Vec<_> = labels
                .iter()
                .map(|label| label.replace("SYSTEM", system))
                .collect();
            let labels: Vec<_> = labels.iter().map(String::as_str).collect();
            value(&text, name, &labels) > 0.0
        };
        COUNTED.iter().all(is_counted).then_some(text)
    })
    .await;
    for (name, kind) in MEASURED {
        assert!(
            text.contains(&format!("# TYPE {name} {kind}\n")),
            "{name} in {text}"
        );
    }
    let of_database = format!("db_system_name=\"{database}\"");
    assert!(
        value(
            &text,
            "db_client_operation_duration_seconds_count",
            &[&of_database]
        ) > 0.0
    );
    assert!(up.terminate().await.success());
}

#[tokio::test(flavor = "multi_thread")]
async fn every_step_is_measured_on_embedded_parts() {
    every_step_is_measured(Stack::embedded(), "waybill", "sqlite").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn every_step_is_measured_on_rabbitmq_and_mongodb() {
    every_step_is_measured(Stack::real().await, "rabbitmq", "mongodb").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn ten_thousand_orders_of_a_thousand_users_make_few_series() {
    const CALLERS: usize = 64;
    let stack = Stack::embedded().with("WAYBILL_LOG_FILTER", "warn");
    let up = Process::start(&stack, &["up"]).ready().await;
    let client = Client::of(up.channel());
    stream::iter(0..1_000)
        .for_each_concurrent(CALLERS, async |_| {
            let user = client.register().await;
            for quantity in 1..=10 {
                client.place(order_for(&user.user_id, quantity)).await;
            }
        })
        .await;

    let text = scrape(&up).await;
    let placed = ["rpc_method=\"waybill.order.v1.OrderService/PlaceOrder\""];
    assert!(value(&text, "rpc_server_call_duration_seconds_count", &placed) >= 10_000.0);
    let series = series(&text);
    assert!(series.len() <= MAX_SERIES, "{} series", series.len());
    let ids = regex::Regex::new("[0-9a-f]{8}-[0-9a-f]{4}-|@").expect("it is well-formed");
    for name in series {
        assert!(!ids.is_match(name), "{name}");
    }
}
