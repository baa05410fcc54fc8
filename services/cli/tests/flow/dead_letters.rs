//! Messages that cannot be handled: poison goes at once, a missing contact is waited for.

use bytes::Bytes;
use waybill::{
    contract::notification::v1::list_notifications_request::Filter,
    dead_letter::{ATTEMPTS, FAILED_CONSUMER, FAILURE_CLASS, FAILURE_REASON, ORIGINAL_ROUTING_KEY},
    message::{HeaderValue, Message},
};

use crate::support::{
    client::{Client, new_id, order_for},
    events::{Peek, created_and_cancelled, message},
    process::Process,
    stack::Stack,
};

const STATS: &str = "waybill.user.order-stats";
const MAIL: &str = "waybill.notification.mail";

/// Every service but that of operations, which would take dead letters out of the queues that are looked
/// into here.
struct Consumers(Vec<Process>);

impl Consumers {
    async fn start(stack: &Stack) -> Self {
        let started = ["order", "user", "notification"].map(|role| Process::start(stack, &["serve", role]));
        let mut ready = Vec::new();
        for process in started {
            ready.push(process.ready().await);
        }
        Self(ready)
    }

    fn client(&self) -> Client {
        let channel = |at: usize| self.0[at].channel();
        Client::split(channel(0), channel(1), channel(2))
    }
}

async fn poison_is_set_aside(stack: Stack) {
    let consumers = Consumers::start(&stack).await;
    let client = consumers.client();
    let user = client.register().await;
    let good = || message(&created_and_cancelled(&user.user_id).0);
    let spoiled = |spoil: fn(&mut Message)| {
        let mut message = good();
        spoil(&mut message);
        message
    };
    let no_protobuf = spoiled(|m| m.body = Bytes::from_static(b"\xff\xff\xff"));
    let unknown_type = spoiled(|m| {
        m.properties.type_name = Some("some.Other".into());
        m.headers.insert("cloudEvents_type".into(), "some.Other".into());
    });
    let no_header = spoiled(|m| drop(m.headers.remove("cloudEvents_id")));
    stack
        .publish([good(), no_protobuf, unknown_type, no_header, good()])
        .await;

    client.stats_of(&user.user_id, 2, 0).await;
    client
        .notifications_of(Filter::UserId(user.user_id.clone()), 2)
        .await;
    for queue in [STATS, MAIL] {
        let dead = Peek::into(stack.broker().await, &format!("{queue}.dead"))
            .await
            .messages(3)
            .await;
        let mut reasons: Vec<_> = dead.iter().filter_map(|m| m.header(FAILURE_REASON)).collect();
        reasons.sort_unstable();
        assert_eq!(reasons, ["INVALID_BODY", "INVALID_ENVELOPE", "UNKNOWN_TYPE"]);
        for message in &dead {
            assert_eq!(message.header(FAILURE_CLASS), Some("permanent"));
            assert_eq!(message.header(FAILED_CONSUMER), Some(queue));
            assert_eq!(message.headers.get(ATTEMPTS), Some(&HeaderValue::Integer(1)));
            assert_eq!(message.header(ORIGINAL_ROUTING_KEY), Some("order.created.v1"));
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn poison_is_set_aside_and_the_queue_goes_on_embedded() {
    poison_is_set_aside(Stack::embedded()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn poison_is_set_aside_and_the_queue_goes_on_on_rabbitmq_and_mongodb() {
    poison_is_set_aside(Stack::real().await).await;
}

async fn a_contact_that_never_comes(stack: Stack) {
    let stack = stack
        .with("WAYBILL_RETRY_MAX_ATTEMPTS", "3")
        .with("WAYBILL_RETRY_FIRST_DELAY", "50ms");
    let consumers = Consumers::start(&stack).await;
    let client = consumers.client();
    let stranger = new_id();
    let order = client.place(order_for(&stranger, 1)).await;
    let dead = Peek::into(stack.broker().await, &format!("{MAIL}.dead"))
        .await
        .messages(1)
        .await;
    let message = &dead[0];
    assert_eq!(message.header(FAILURE_REASON), Some("CONTACT_UNKNOWN"));
    assert_eq!(message.header(FAILURE_CLASS), Some("transient"));
    assert_eq!(message.headers.get(ATTEMPTS), Some(&HeaderValue::Integer(3)));
    assert_eq!(
        message.header("cloudEvents_subject"),
        Some(order.order_id.as_str())
    );
    assert!(stack.mails().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_contact_that_never_comes_is_a_dead_letter_embedded() {
    a_contact_that_never_comes(Stack::embedded()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_contact_that_never_comes_is_a_dead_letter_on_rabbitmq_and_mongodb() {
    a_contact_that_never_comes(Stack::real().await).await;
}

/// The message waits in a queue of the old policy when the new one comes into force.
async fn a_policy_changes(mut stack: Stack) {
    stack.set("WAYBILL_RETRY_FIRST_DELAY", "5s");
    let before = Consumers::start(&stack).await;
    let client = before.client();
    let (created, _) = created_and_cancelled(&new_id());
    stack.publish([message(&created)]).await;
    // The statistics have no wait; when they count it, the mail consumer has had it as long.
    client.stats_of(&created.user_id, 1, 0).await;
    for process in before.0 {
        assert!(process.terminate().await.success());
    }

    stack.set("WAYBILL_RETRY_MAX_ATTEMPTS", "2");
    stack.set("WAYBILL_RETRY_FIRST_DELAY", "100ms");
    let _after = Consumers::start(&stack).await;
    let dead = Peek::into(stack.broker().await, &format!("{MAIL}.dead"))
        .await
        .messages(1)
        .await;
    assert_eq!(dead[0].header(FAILURE_REASON), Some("CONTACT_UNKNOWN"));
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_stuck_when_the_retry_policy_changes_embedded() {
    a_policy_changes(Stack::embedded()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_stuck_when_the_retry_policy_changes_on_rabbitmq_and_mongodb() {
    a_policy_changes(Stack::real().await).await;
}
