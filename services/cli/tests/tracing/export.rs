//! How telemetry leaves a process, and that a process does not care whether anybody takes it.

use std::net::TcpListener;

use waybill_testkit::{jaeger::JaegerServer, tools::without_go};

use crate::{
    one_trace::{PROCESS_STATS, PUBLISH},
    platform::{Caller, place, trace_with},
    support::{
        client::{Client, order_for},
        process::Process,
        stack::Stack,
    },
};

#[tokio::test(flavor = "multi_thread")]
async fn spans_go_out_over_http_and_the_last_ones_when_the_process_ends() {
    if without_go("spans_go_out_over_http_and_the_last_ones_when_the_process_ends") {
        return;
    }
    let jaeger = JaegerServer::start().await;
    // A minute between exports: what arrives was sent because the process ended.
    let stack = Stack::embedded()
        .with("OTEL_EXPORTER_OTLP_ENDPOINT", &jaeger.otlp_http_url())
        .with("OTEL_SERVICE_NAME", "shop")
        .with("OTEL_BSP_SCHEDULE_DELAY", "60000");
    let up = Process::start(&stack, &["up"]).ready().await;
    let client = Client::of(up.channel());
    let user = client.register().await;
    let caller = Caller::new();
    place(up.channel(), order_for(&user.user_id, 1), &caller).await;
    client.stats_of(&user.user_id, 1, 0).await;
    assert!(up.terminate().await.success());
    trace_with(&jaeger, "shop", &caller.correlation_id, &[PUBLISH, PROCESS_STATS]).await;
    // A caller that does not trace begins a trace here.
    let register = "waybill.user.v1.UserService/RegisterUser";
    assert_eq!(jaeger.traces("shop", "rpc.method", register).await.len(), 1);
}

/// A receiver that takes connections and never answers.
struct Silent(TcpListener);

impl Silent {
    fn listen() -> Self {
        Self(TcpListener::bind("127.0.0.1:0").expect("there is a free port"))
    }

    fn url(&self) -> String {
        format!("http://{}", self.0.local_addr().expect("it listens"))
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_waits_for_a_receiver_that_is_silent_and_what_is_dropped_is_counted() {
    let silent = Silent::listen();
    let stack = Stack::embedded()
        .with("OTEL_EXPORTER_OTLP_ENDPOINT", &silent.url())
        .with("OTEL_BSP_MAX_QUEUE_SIZE", "8")
        .with("OTEL_BSP_MAX_EXPORT_BATCH_SIZE", "8")
        .with("WAYBILL_LOG_FILTER", "error");
    let up = Process::start(&stack, &["up"]).ready().await;
    let client = Client::of(up.channel());
    let user = client.register().await;
    for seed in 0..50 {
        client.place(order_for(&user.user_id, seed)).await;
    }
    client.stats_of(&user.user_id, 50, 0).await;
    let url = format!("{}/metrics", up.http);
    let text = tokio::task::spawn_blocking(move || ureq::get(&url).call()?.body_mut().read_to_string())
        .await
        .expect("the request does not panic")
        .expect("metrics are served");
    let dropped = text.lines().find(|line| {
        line.starts_with("otel_sdk_processor_span_processed_total{")
            && line.contains("error_type=\"queue_full\"")
    });
    let dropped = dropped.unwrap_or_else(|| panic!("no count of what was dropped in {text}"));
    let count: f64 = dropped
        .rsplit(' ')
        .next()
        .and_then(|n| n.parse().ok())
        .expect("a number");
    assert!(count > 0.0, "{dropped}");
    assert!(up.terminate().await.success());
}
