//! Events that come in another order, or again, or again and again.

use waybill::contract::notification::v1::{
    NotificationState, NotificationType, list_notifications_request::Filter,
};

use crate::support::{
    client::Client,
    events::{created_and_cancelled, message},
    process::Process,
    stack::Stack,
};

async fn cancelled_before_created(stack: Stack) {
    let up = Process::start(&stack, &["up"]).ready().await;
    let client = Client::of(up.channel());
    let user_id = client.register().await.user_id;
    let (created, cancelled) = created_and_cancelled(&user_id);
    let about = Filter::OrderId(created.order_id.clone());

    stack.publish([message(&cancelled)]).await;
    client.stats_of(&user_id, 0, 1).await;
    client.notifications_of(about.clone(), 1).await;

    stack.publish([message(&created)]).await;
    let stats = client.stats_of(&user_id, 1, 1).await;
    assert!(
        stats
            .total_spent
            .iter()
            .all(|money| (money.units, money.nanos) == (0, 0)),
        "{stats:?}"
    );
    let notifications = client.notifications_of(about, 2).await;
    let confirmation = notifications
        .iter()
        .find(|n| n.r#type() == NotificationType::OrderConfirmation);
    assert_eq!(
        confirmation.expect("it is recorded").state(),
        NotificationState::Superseded
    );
    assert_eq!(stack.mails().len(), 1, "the cancellation alone is mailed");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cancellation_may_come_first_embedded() {
    cancelled_before_created(Stack::embedded()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cancellation_may_come_first_on_rabbitmq_and_mongodb() {
    cancelled_before_created(Stack::real().await).await;
}

async fn delivered_five_times(stack: Stack) {
    let up = Process::start(&stack, &["up"]).ready().await;
    let client = Client::of(up.channel());
    let user_id = client.register().await.user_id;
    let (created, cancelled) = created_and_cancelled(&user_id);
    let again = message(&created);
    for _ in 0..5 {
        stack.publish([again.clone()]).await;
    }
    // What is published later is handled later: when it shows, the five have been dealt with.
    stack.publish([message(&cancelled)]).await;
    client.stats_of(&user_id, 1, 1).await;
    client.notifications_of(Filter::UserId(user_id.clone()), 2).await;
    assert_eq!(client.stats(&user_id).await.orders_placed, 1);
    assert_eq!(stack.mails().len(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_same_message_five_times_counts_once_embedded() {
    delivered_five_times(Stack::embedded()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_same_message_five_times_counts_once_on_rabbitmq_and_mongodb() {
    delivered_five_times(Stack::real().await).await;
}
