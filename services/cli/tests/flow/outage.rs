//! The broker goes away: orders are placed all the same, and each is processed once when it is back.

use futures::{StreamExt, stream};
use waybill::contract::notification::v1::list_notifications_request::Filter;
use waybill_testkit::{rabbitmq::Node, wait};

use crate::support::{
    client::{Client, order_for, sums},
    process::Process,
    stack::Stack,
};

#[tokio::test(flavor = "multi_thread")]
async fn a_hundred_orders_are_placed_while_the_broker_is_down() {
    let mut node = Node::start().await;
    let stack = Stack::real_on(&node).await;
    let up = Process::start(&stack, &["up"]).ready().await;
    let client = Client::of(up.channel());
    let user = client.register().await;
    client.place(order_for(&user.user_id, 0)).await;
    client.stats_of(&user.user_id, 1, 0).await;

    node.settle().await;
    node.kill();
    let mut placed = Vec::new();
    for seed in 1..=100 {
        placed.push(
            client
                .place_once(order_for(&user.user_id, seed))
                .await
                .expect("placing needs no broker"),
        );
    }
    wait::until("readiness tells that the broker is away", async || {
        (!up.is_ready().await).then_some(())
    })
    .await;
    assert_eq!(
        client.stats(&user.user_id).await.orders_placed,
        1,
        "nothing gets past a broker that is down"
    );

    node.resume().await;
    let stats = client.stats_of(&user.user_id, 101, 0).await;
    let orders = client.orders(&user.user_id).await;
    assert_eq!(
        sums(&stats.total_spent),
        sums(orders.iter().filter_map(|o| o.total_amount.as_ref()))
    );
    client
        .notifications_of(Filter::UserId(user.user_id.clone()), 101)
        .await;
    wait::until("readiness tells that the broker is back", async || {
        up.is_ready().await.then_some(())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_broker_that_restarts_under_load_loses_nothing() {
    let mut node = Node::start().await;
    let stack = Stack::real_on(&node).await;
    let up = Process::start(&stack, &["up"]).ready().await;
    let client = Client::of(up.channel());
    let user = client.register().await;
    let place = |seed| {
        let (client, user_id) = (client.clone(), user.user_id.clone());
        async move { client.place(order_for(&user_id, seed)).await }
    };
    let mut placing = stream::iter(0..600).map(place).buffer_unordered(8).enumerate();
    let mut placed = Vec::new();
    node.settle().await;
    while let Some((count, order)) = placing.next().await {
        placed.push(order);
        if count == 200 {
            node.kill();
            node.resume().await;
        }
    }
    let stats = client.stats_of(&user.user_id, 600, 0).await;
    assert_eq!(
        sums(&stats.total_spent),
        sums(placed.iter().filter_map(|o| o.total_amount.as_ref()))
    );
    client
        .notifications_of(Filter::UserId(user.user_id.clone()), 600)
        .await;
}
