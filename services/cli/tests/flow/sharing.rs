//! Two instances of every service share the work, and neither repeats it.

use std::collections::HashSet;

use futures::{StreamExt, stream};
use waybill::contract::notification::v1::list_notifications_request::Filter;

use crate::support::{
    client::{Client, order_for, sums},
    process::Process,
    stack::Stack,
};

const ORDERS: u32 = 400;

async fn two_of_each(stack: Stack) {
    let start = |role| {
        [
            Process::start(&stack, &["serve", role]),
            Process::start(&stack, &["serve", role]),
        ]
    };
    let (order, user, notification) = (start("order"), start("user"), start("notification"));
    let client = |n: usize| Client::split(order[n].channel(), user[n].channel(), notification[n].channel());
    let clients = [client(0), client(1)];
    let user_id = clients[0].register().await.user_id;

    // Every order goes to both instances at once, under one request id: one order comes of it.
    let place = |seed| {
        let (clients, request) = (clients.clone(), order_for(&user_id, seed));
        async move {
            let (a, b) = tokio::join!(clients[0].place(request.clone()), clients[1].place(request));
            assert_eq!(a, b);
            a
        }
    };
    let placed: Vec<_> = stream::iter(0..ORDERS)
        .map(place)
        .buffer_unordered(8)
        .collect()
        .await;
    let ids: HashSet<_> = placed.iter().map(|order| &order.order_id).collect();
    assert_eq!(ids.len(), ORDERS as usize);

    let expected = sums(placed.iter().filter_map(|order| order.total_amount.as_ref()));
    for client in &clients {
        let stats = client.stats_of(&user_id, i64::from(ORDERS), 0).await;
        assert_eq!(sums(&stats.total_spent), expected);
        client
            .notifications_of(Filter::UserId(user_id.clone()), ORDERS as usize)
            .await;
        assert_eq!(client.orders(&user_id).await.len(), ORDERS as usize);
    }
    assert_eq!(stack.mails().len(), ORDERS as usize, "no mail is written twice");
}

#[tokio::test(flavor = "multi_thread")]
async fn two_instances_share_the_work_embedded() {
    two_of_each(Stack::embedded()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn two_instances_share_the_work_on_rabbitmq_and_mongodb() {
    two_of_each(Stack::real().await).await;
}
