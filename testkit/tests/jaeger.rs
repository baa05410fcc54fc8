//! The private Jaeger takes spans by OTLP, and tells of them what tests ask for.

use std::sync::LazyLock;

use serde_json::{Value, json};
use waybill::clock::{Clock, SystemClock, unix_millis};
use waybill_testkit::{
    jaeger::{JaegerServer, Trace},
    tools::without_go,
    wait,
};

const PLACING: &str = "5b8efff798038103d269b633813fc60c";
const COUNTING: &str = "5b8efff798038103d269b633813fc60d";

/// Start of every span, in microseconds: now, since Jaeger looks no further back than two days unless it is told to.
static START_US: LazyLock<u64> = LazyLock::new(|| {
    let millis = u64::try_from(unix_millis(SystemClock.now())).expect("it is after 1970");
    millis * 1_000
});

/// A span as OTLP has it, in JSON. It takes 3 ms.
fn span(trace_id: &str, span_id: &str, name: &str, kind: u8, more: Value) -> Value {
    let mut span = json!({
        "traceId": trace_id,
        "spanId": span_id,
        "name": name,
        "kind": kind,
        "startTimeUnixNano": format!("{}000", *START_US),
        "endTimeUnixNano": format!("{}000", *START_US + 3_000),
    });
    let Value::Object(more) = more else {
        panic!("not an object: {more}")
    };
    span.as_object_mut().expect("an object").extend(more);
    span
}

fn of_service(name: &str, spans: &[Value]) -> Value {
    let attributes = json!([
        {"key": "service.name", "value": {"stringValue": name}},
        {"key": "service.version", "value": {"stringValue": "0.1.0"}},
    ]);
    json!({"resource": {"attributes": attributes}, "scopeSpans": [{"scope": {}, "spans": spans}]})
}

/// An order that is placed and published, and that another service counts in a trace of its own.
fn send(jaeger: &JaegerServer) {
    let conversation =
        json!([{"key": "messaging.message.conversation_id", "value": {"stringValue": "order \"1\""}}]);
    let place = json!({
        "attributes": [{"key": "items", "value": {"intValue": "2"}}],
        "status": {"code": 2, "message": "no such user"},
    });
    let publish = json!({"parentSpanId": "0000000000000001", "attributes": conversation});
    let count = json!({
        "attributes": conversation,
        "links": [{"traceId": PLACING, "spanId": "0000000000000002"}],
    });
    let order = [
        span(PLACING, "0000000000000001", "PlaceOrder", 2, place),
        span(PLACING, "0000000000000002", "publish", 4, publish),
    ];
    let user = [span(COUNTING, "0000000000000003", "process", 5, count)];
    let body = json!({"resourceSpans": [of_service("order", &order), of_service("user", &user)]});
    ureq::post(format!("{}/v1/traces", jaeger.otlp_http_url()))
        .send_json(body)
        .expect("Jaeger takes the spans");
}

/// The only trace that is found, once it has so many spans: Jaeger takes spans before it stores them.
async fn only(jaeger: &JaegerServer, service: &str, tag: &str, value: &str, spans: usize) -> Trace {
    wait::until("the whole trace is found", async || {
        let mut traces = jaeger.traces(service, tag, value).await;
        assert!(traces.len() <= 1, "{traces:#?}");
        traces.pop().filter(|trace| trace.spans.len() == spans)
    })
    .await
}

#[tokio::test]
async fn traces_are_found_by_an_attribute_and_tell_what_was_sent() {
    if without_go("Jaeger") {
        return;
    }
    let jaeger = JaegerServer::start().await;
    assert_eq!(jaeger.traces("order", "items", "2").await, []);
    send(&jaeger);

    let conversation = "messaging.message.conversation_id";
    let placing = only(&jaeger, "order", conversation, "order \"1\"", 2).await;
    assert_eq!(placing, only(&jaeger, "order", "items", "2", 2).await);
    assert_eq!(Some(&placing), jaeger.trace(PLACING).await.as_ref());
    assert_eq!((placing.trace_id.as_str(), placing.spans.len()), (PLACING, 2));
    let place = placing.span("PlaceOrder");
    assert_eq!((place.kind.as_str(), place.service.as_str()), ("server", "order"));
    assert_eq!(place.parent_id, None);
    assert_eq!(
        Vec::from_iter(&place.attributes),
        [(&"items".to_owned(), &json!(2))]
    );
    assert_eq!(place.resource["service.version"], "0.1.0");
    assert!(place.status_is_error);
    assert_eq!(place.status_description.as_deref(), Some("no such user"));
    assert_eq!((place.start_us, place.duration_us), (*START_US, 3_000));
    let publish = placing.span("publish");
    assert_eq!(publish.kind, "producer");
    assert_eq!(publish.parent_id.as_ref(), Some(&place.span_id));
    assert!(placing.children(place).eq([publish]));
    assert!(!publish.status_is_error && publish.links.is_empty());

    let counting = only(&jaeger, "user", conversation, "order \"1\"", 1).await;
    let process = counting.span("process");
    assert_eq!((process.kind.as_str(), &process.parent_id), ("consumer", &None));
    assert_eq!(process.links, [(PLACING.to_owned(), publish.span_id.clone())]);

    assert_eq!(jaeger.traces("user", "items", "2").await, []);
    assert_eq!(jaeger.trace(&"f".repeat(32)).await, None);
}

#[tokio::test]
async fn each_jaeger_is_its_own_and_ends_with_its_test() {
    if without_go("Jaeger") {
        return;
    }
    let (one, other) = tokio::join!(JaegerServer::start(), JaegerServer::start());
    send(&one);
    assert!(one.trace(PLACING).await.is_some());
    assert_eq!(other.trace(PLACING).await, None);

    let (url, metrics) = (one.otlp_grpc_url(), one.metrics_url());
    let measured = ureq::get(&metrics)
        .call()
        .unwrap()
        .body_mut()
        .read_to_string()
        .unwrap();
    assert!(measured.contains("otelcol_receiver_accepted_spans"), "{measured}");
    drop(one);
    let address = url.trim_start_matches("http://");
    assert!(
        std::net::TcpStream::connect(address).is_err(),
        "{address} answers still"
    );
}
