//! One order's way: placed, counted, confirmed by mail, cancelled.

use waybill::contract::notification::v1::{
    NotificationState, NotificationType, list_notifications_request::Filter,
};

use crate::support::{
    client::{Client, order_for, sums},
    process::Process,
    stack::Stack,
};

async fn an_order_is_counted_and_confirmed(stack: Stack, client: Client) {
    let user = client.register().await;
    let placed = client.place(order_for(&user.user_id, 7)).await;
    let kept = client.place(order_for(&user.user_id, 8)).await;
    let stats = client.stats_of(&user.user_id, 2, 0).await;
    let spent = sums(placed.total_amount.iter().chain(&kept.total_amount));
    assert_eq!(sums(&stats.total_spent), spent);

    client
        .notifications_of(Filter::OrderId(placed.order_id.clone()), 1)
        .await;
    let cancelled = client.cancel(&placed.order_id).await;
    assert_eq!(cancelled.version, 2);
    let stats = client.stats_of(&user.user_id, 2, 1).await;
    assert_eq!(sums(&stats.total_spent), sums(&kept.total_amount));

    let about = Filter::OrderId(placed.order_id.clone());
    let mut notifications = client.notifications_of(about, 2).await;
    notifications.sort_by_key(|n| n.r#type);
    let types = [
        NotificationType::OrderConfirmation,
        NotificationType::OrderCancellation,
    ];
    for (notification, expected) in notifications.iter().zip(types) {
        assert_eq!(notification.r#type(), expected);
        assert_eq!(notification.state(), NotificationState::Sent);
        let with_id = |mail: &&String| mail.contains(&notification.message_id);
        let mails = stack.mails();
        assert_eq!(
            mails.iter().filter(with_id).count(),
            1,
            "one mail of that Message-ID"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn all_in_one_process_with_nothing_else() {
    let stack = Stack::embedded();
    let up = Process::start(&stack, &["up"]).ready().await;
    an_order_is_counted_and_confirmed(stack, Client::of(up.channel())).await;
    assert!(up.terminate().await.success());
}

#[tokio::test(flavor = "multi_thread")]
async fn all_in_one_process_on_rabbitmq_and_mongodb() {
    let stack = Stack::real().await;
    let up = Process::start(&stack, &["up"]).ready().await;
    an_order_is_counted_and_confirmed(stack, Client::of(up.channel())).await;
    assert!(up.terminate().await.success());
}

async fn one_process_a_service(stack: Stack) {
    // Orders first: nothing is bound yet when the first event could be published.
    let order = Process::start(&stack, &["serve", "order"]);
    let early = Client::split(order.channel(), order.channel(), order.channel());
    let stranger = crate::support::client::new_id();
    early.place(order_for(&stranger, 1)).await;
    let user = Process::start(&stack, &["serve", "user"]);
    let notification = Process::start(&stack, &["serve", "notification"]);
    let client = Client::split(order.channel(), user.channel(), notification.channel());
    client.stats_of(&stranger, 1, 0).await;
    an_order_is_counted_and_confirmed(stack, client).await;
    for process in [order, user, notification] {
        assert!(process.terminate().await.success());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn one_process_a_service_with_nothing_else() {
    one_process_a_service(Stack::embedded()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn one_process_a_service_on_rabbitmq_and_mongodb() {
    one_process_a_service(Stack::real().await).await;
}
