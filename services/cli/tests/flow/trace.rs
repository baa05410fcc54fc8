//! `waybill order trace`: the story of an order, from whichever processes handled its events.

use serde_json::Value;
use waybill::contract::notification::v1::list_notifications_request::Filter;
use waybill_testkit::wait;

use crate::support::{
    client::{Client, new_id, order_for},
    process::Process,
    stack::Stack,
};

/// What `waybill order trace` prints.
async fn traced(stack: &Stack, at: &Process, order_id: &str, format: &[&str]) -> String {
    let mut command = stack.command(&["order", "trace", order_id, "--server", &at.grpc]);
    command.args(format);
    let output = tokio::task::spawn_blocking(move || command.output())
        .await
        .expect("the call does not panic")
        .expect("the binary under test starts");
    assert!(output.status.success(), "{output:?}");
    String::from_utf8(output.stdout).expect("it is text")
}

/// Waits until the story of an order has so many attempts, and answers them.
async fn attempts(stack: &Stack, at: &Process, order_id: &str, count: usize) -> Vec<Value> {
    wait::until("the story is told", async || {
        let lines = traced(stack, at, order_id, &["--json"]).await;
        let attempts: Vec<Value> = lines
            .lines()
            .map(|line| serde_json::from_str(line).expect("a line is JSON"))
            .collect();
        assert!(attempts.len() <= count, "more than happened: {attempts:?}");
        (attempts.len() == count).then_some(attempts)
    })
    .await
}

fn sorted<'a>(attempts: &'a [Value], fields: &[&str]) -> Vec<Vec<&'a str>> {
    let of = |attempt: &'a Value| {
        fields
            .iter()
            .map(|name| attempt[*name].as_str().unwrap_or("-"))
            .collect()
    };
    let mut values: Vec<Vec<_>> = attempts.iter().map(of).collect();
    values.sort_unstable();
    values
}

/// One process a service: the story of all of them is told by the one that is asked.
async fn a_story_of_several_processes(stack: Stack) {
    let order = Process::start(&stack, &["serve", "order"]).ready().await;
    let user = Process::start(&stack, &["serve", "user"]).ready().await;
    let notification = Process::start(&stack, &["serve", "notification"]).ready().await;
    let client = Client::split(order.channel(), user.channel(), notification.channel());
    let registered = client.register().await;
    // A mail waits for its contact. Once one was sent that is known, and no attempt fails.
    let first = client.place(order_for(&registered.user_id, 1)).await;
    client.notifications_of(Filter::OrderId(first.order_id), 1).await;
    let placed = client.place(order_for(&registered.user_id, 7)).await;
    attempts(&stack, &order, &placed.order_id, 2).await;
    client.cancel(&placed.order_id).await;
    let told = attempts(&stack, &order, &placed.order_id, 4).await;
    let (created, cancelled) = ("waybill.order.v1.OrderCreated", "waybill.order.v1.OrderCancelled");
    let (mail, stats) = ("waybill.notification.mail", "waybill.user.order-stats");
    let handled = "ATTEMPT_STATE_HANDLED";
    assert_eq!(
        sorted(&told, &["type", "consumer", "state"]),
        [
            [cancelled, mail, handled],
            [cancelled, stats, handled],
            [created, mail, handled],
            [created, stats, handled],
        ]
    );
    let text = traced(&stack, &order, &placed.order_id, &[]).await;
    let lines: Vec<_> = text.lines().collect();
    assert_eq!(lines[0], format!("order {}", placed.order_id));
    assert!(
        lines[1].contains(" OrderCreated ") && lines[4].contains(" OrderCancelled "),
        "{text}"
    );
    for line in [2, 3, 5, 6].map(|n| lines[n]) {
        assert!(
            line.contains("attempt 1 handled at 2") && line.contains(" ms, in "),
            "{line}"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_story_of_several_processes_embedded() {
    a_story_of_several_processes(Stack::embedded()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_story_of_several_processes_on_rabbitmq_and_mongodb() {
    a_story_of_several_processes(Stack::real().await).await;
}

/// Nobody knows where to mail to: every attempt stands there with its number and its reason.
async fn a_story_that_ends_badly(stack: Stack) {
    let stack = stack
        .with("WAYBILL_RETRY_MAX_ATTEMPTS", "3")
        .with("WAYBILL_RETRY_FIRST_DELAY", "50ms");
    let up = Process::start(&stack, &["up"]).ready().await;
    let client = Client::of(up.channel());
    let order = client.place(order_for(&new_id(), 1)).await;
    let told = attempts(&stack, &up, &order.order_id, 4).await;
    let mail: Vec<_> = told
        .iter()
        .filter(|attempt| attempt["consumer"] == "waybill.notification.mail")
        .collect();
    let (retried, given_up) = ("ATTEMPT_STATE_RETRIED", "ATTEMPT_STATE_GIVEN_UP");
    for (attempt, (number, state)) in mail.iter().zip([(1, retried), (2, retried), (3, given_up)]) {
        assert_eq!(attempt["number"], number, "{mail:?}");
        assert_eq!(attempt["state"], state, "{mail:?}");
        assert_eq!(attempt["reason"], "CONTACT_UNKNOWN", "{mail:?}");
    }
    let text = traced(&stack, &up, &order.order_id, &[]).await;
    assert!(
        text.contains("attempt 3 failed (CONTACT_UNKNOWN), a dead letter at "),
        "{text}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_story_that_ends_badly_embedded() {
    a_story_that_ends_badly(Stack::embedded()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_story_that_ends_badly_on_rabbitmq_and_mongodb() {
    a_story_that_ends_badly(Stack::real().await).await;
}
