//! Whatever fails is told, although its trace is not sampled; what goes well is not.

use bytes::Bytes;
use tonic::{Request, metadata::MetadataValue};
use waybill::contract::{
    order::v1::order_service_client::OrderServiceClient,
    user::v1::{ListUsersRequest, user_service_client::UserServiceClient},
};
use waybill_testkit::{jaeger::JaegerServer, tools::without_go};

use crate::{
    one_trace::PROCESS_MAIL,
    platform::{CONVERSATION, assert_says, exporting_to, trace_with},
    support::{
        client::{Client, new_id, order_for},
        events::{created_and_cancelled, message},
        process::Process,
        stack::Stack,
    },
};

#[tokio::test(flavor = "multi_thread")]
async fn what_fails_is_kept_whatever_the_ratio() {
    if without_go("what_fails_is_kept_whatever_the_ratio") {
        return;
    }
    let jaeger = JaegerServer::start().await;
    let mut stack = Stack::embedded()
        .with("OTEL_TRACES_SAMPLER", "parentbased_traceidratio")
        .with("OTEL_TRACES_SAMPLER_ARG", "0")
        .with("WAYBILL_RETRY_MAX_ATTEMPTS", "3")
        .with("WAYBILL_RETRY_FIRST_DELAY", "50ms");
    for (name, value) in exporting_to(&jaeger) {
        stack.set(name, &value);
    }
    let up = Process::start(&stack, &["up"]).ready().await;
    let client = Client::of(up.channel());
    let user = client.register().await;

    // An event that nobody can read.
    let (created, _) = created_and_cancelled(&user.user_id);
    let mut poison = message(&created);
    poison.body = Bytes::from_static(b"\xff\xff\xff");
    let poisons = poison.properties.correlation_id.clone().expect("it has one");
    stack.publish([poison]).await;
    let dead = "publish waybill.user.order-stats.dead";
    let process = "process waybill.events:order.created.v1:waybill.user.order-stats";
    let trace = wait_for_any(&jaeger, &poisons, &[process, dead]).await;
    let failed = trace
        .iter()
        .find(|span| span.name == process)
        .expect("it is waited for");
    assert!(failed.status_is_error);
    assert_says(
        failed,
        &[("error.type", "INVALID_BODY"), ("waybill.outcome", "dead_letter")],
    );

    // An order whose mail fails at every attempt: each links the one before.
    let correlation_id = new_id();
    let mut request = Request::new(order_for(&new_id(), 1));
    correlate(&mut request, &correlation_id);
    let placed = OrderServiceClient::new(up.channel()).place_order(request).await;
    placed.expect("it is placed");
    let names = [
        PROCESS_MAIL,
        PROCESS_MAIL,
        PROCESS_MAIL,
        "publish waybill.notification.mail.dead",
    ];
    let trace = trace_with(&jaeger, "waybill", &correlation_id, &names).await;
    let mut attempts: Vec<_> = trace.spans.iter().filter(|s| s.name == PROCESS_MAIL).collect();
    attempts.sort_by_key(|span| span.attributes["waybill.attempt"].to_string());
    assert_eq!(attempts.len(), 3);
    for pair in attempts.windows(2) {
        assert_eq!(
            pair[1].links,
            [(pair[0].trace_id.clone(), pair[0].span_id.clone())]
        );
    }

    // A call that nobody serves here.
    let mut orders_only = Stack::embedded().with("OTEL_TRACES_SAMPLER", "parentbased_always_off");
    for (name, value) in exporting_to(&jaeger) {
        orders_only.set(name, &value);
    }
    let order = Process::start(&orders_only, &["serve", "order"]).ready().await;
    let correlation_id = new_id();
    let mut request = Request::new(ListUsersRequest::default());
    correlate(&mut request, &correlation_id);
    let answer = UserServiceClient::new(order.channel()).list_users(request).await;
    answer.expect_err("users are served elsewhere");
    let method = "waybill.user.v1.UserService/ListUsers";
    let trace = trace_with(&jaeger, "waybill-order", &correlation_id, &[method]).await;
    assert_says(
        &trace.spans[0],
        &[
            ("error.type", "UNIMPLEMENTED"),
            ("rpc.response.status_code", "UNIMPLEMENTED"),
        ],
    );

    // What went well before left nothing.
    let register = "waybill.user.v1.UserService/RegisterUser";
    assert_eq!(jaeger.traces("waybill", "rpc.method", register).await.len(), 0);
}

fn correlate<T>(request: &mut Request<T>, correlation_id: &str) {
    let value = MetadataValue::try_from(correlation_id).expect("it is ASCII");
    request.metadata_mut().insert("x-correlation-id", value);
}

/// The spans of a correlation id in all traces: a message that came without a trace has one a consumer.
async fn wait_for_any(
    jaeger: &JaegerServer,
    correlation_id: &str,
    names: &[&str],
) -> Vec<waybill_testkit::jaeger::Span> {
    waybill_testkit::wait::until("the failures are told", async || {
        let traces = jaeger.traces("waybill", CONVERSATION, correlation_id).await;
        let spans: Vec<_> = traces.into_iter().flat_map(|trace| trace.spans).collect();
        let has = |name: &&str| spans.iter().any(|span| span.name == *name);
        names.iter().all(has).then_some(spans)
    })
    .await
}
