//! A message that fails stays in its trace: retries, a dead letter, and its replay.

use waybill::contract::notification::v1::list_notifications_request::Filter;
use waybill_testkit::{jaeger::Span, tools::without_go, wait};

use crate::{
    one_trace::{MAIL, PROCESS_MAIL, PROCESS_STATS, PUBLISH, wait_for_contact},
    platform::{CONVERSATION, Caller, Platform, assert_says, only, trace_with},
    support::{client::order_for, process::Process, stack::Stack},
};

const DEAD: &str = "waybill.notification.mail.dead";
const PUBLISH_DEAD: &str = "publish waybill.notification.mail.dead";

/// Sends all dead letters back, as an operator does, as soon as there is one.
async fn replay(stack: &Stack) -> Process {
    let operations = Process::start(stack, &["serve", "operations"]).ready().await;
    wait::until("the dead letter is kept", async || {
        let listed = dlq(stack, &operations, &["list"]).await;
        (!listed.is_empty()).then_some(())
    })
    .await;
    dlq(stack, &operations, &["replay", "--all", "--actor", "ada"]).await;
    operations
}

async fn dlq(stack: &Stack, operations: &Process, arguments: &[&str]) -> String {
    let mut command = stack.command(&["dlq"]);
    command
        .args(arguments)
        .args(["--json", "--server", &operations.grpc]);
    let output = tokio::task::spawn_blocking(move || command.output()).await;
    let output = output
        .expect("it does not panic")
        .expect("the binary under test starts");
    assert!(output.status.success(), "{output:?}");
    String::from_utf8(output.stdout).expect("JSON is UTF-8")
}

#[tokio::test(flavor = "multi_thread")]
async fn every_attempt_stands_in_the_trace_and_links_the_one_before() {
    if without_go("every_attempt_stands_in_the_trace_and_links_the_one_before") {
        return;
    }
    let mut platform = Platform::start(&[
        ("WAYBILL_RETRY_MAX_ATTEMPTS", "2"),
        ("WAYBILL_RETRY_FIRST_DELAY", "50ms"),
    ])
    .await;
    let user = platform.client.register().await;
    wait_for_contact(&platform, &user.user_id).await;
    platform.smtp.stop();
    let caller = Caller::new();
    let order = platform.place(order_for(&user.user_id, 1), &caller).await;
    let failed = [PROCESS_MAIL, PROCESS_MAIL, PUBLISH_DEAD];
    platform.trace_with(&caller.correlation_id, &failed).await;

    platform.smtp.restart().await;
    let _operations = replay(&platform.stack).await;
    let about = Filter::OrderId(order.order_id.clone());
    platform.client.notifications_of(about, 1).await;
    let names = [
        PROCESS_MAIL,
        PROCESS_MAIL,
        PROCESS_MAIL,
        PROCESS_STATS,
        MAIL,
        MAIL,
        MAIL,
    ];
    let trace = platform.trace_with(&caller.correlation_id, &names).await;

    let publish = only(&trace, PUBLISH);
    // In the order in which they began.
    let attempts: Vec<_> = trace.spans.iter().filter(|s| s.name == PROCESS_MAIL).collect();
    let [first, second, third] = attempts.as_slice() else {
        panic!("not three attempts: {attempts:#?}")
    };
    for attempt in &attempts {
        assert_eq!(attempt.parent_id.as_ref(), Some(&publish.span_id));
    }
    let failure = [
        ("error.type", "MAIL_UNAVAILABLE"),
        (CONVERSATION, caller.correlation_id.as_str()),
    ];
    assert_says(first, &failure);
    assert_says(first, &[("waybill.attempt", "1"), ("waybill.outcome", "retry")]);
    assert_says(second, &failure);
    assert_says(
        second,
        &[("waybill.attempt", "2"), ("waybill.outcome", "dead_letter")],
    );
    assert!(first.status_is_error && second.status_is_error && !third.status_is_error);
    let link = |span: &Span| (span.trace_id.clone(), span.span_id.clone());
    assert_eq!(first.links, []);
    assert_eq!(second.links, [link(first)]);
    assert_eq!(third.links, [link(second)]);

    let to_wait = trace
        .spans
        .iter()
        .find(|s| s.name.contains(".wait."))
        .expect("it waited");
    assert_eq!(to_wait.parent_id.as_ref(), Some(&first.span_id));
    assert_eq!(to_wait.kind, "producer");
    let to_dead = only(&trace, PUBLISH_DEAD);
    assert_eq!(to_dead.parent_id.as_ref(), Some(&second.span_id));
    assert_says(to_dead, &[("messaging.destination.name", DEAD)]);
    let sent_back = only(&trace, "publish waybill.notification.mail");
    assert_eq!(sent_back.parent_id.as_ref(), Some(&second.span_id));
    assert_eq!(sent_back.service, "waybill-operations");
    assert_says(sent_back, &[("order.id", &order.order_id)]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_consumer_starts_a_trace_of_its_own_when_it_is_told_to() {
    if without_go("a_consumer_starts_a_trace_of_its_own_when_it_is_told_to") {
        return;
    }
    let platform = Platform::start(&[("WAYBILL_CONSUMER_TRACE", "link")]).await;
    let user = platform.client.register().await;
    let caller = Caller::new();
    platform.place(order_for(&user.user_id, 1), &caller).await;
    let published = platform.trace_with(&caller.correlation_id, &[PUBLISH]).await;
    let processed = trace_with(
        &platform.jaeger,
        "waybill-user",
        &caller.correlation_id,
        &[PROCESS_STATS],
    )
    .await;
    let (publish, process) = (only(&published, PUBLISH), only(&processed, PROCESS_STATS));
    assert_ne!(published.trace_id, processed.trace_id);
    assert_eq!(process.parent_id, None);
    assert_eq!(
        process.links,
        [(publish.trace_id.clone(), publish.span_id.clone())]
    );
}
