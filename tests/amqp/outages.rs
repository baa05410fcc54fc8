//! Channels, connections and brokers that die.

use std::collections::BTreeSet;

use waybill::{publisher, topology::UNROUTED};
use waybill_testkit::{
    rabbitmq::{Node, VirtualHost},
    wait,
};

use crate::fixture::{Working, connected, fresh, publish, publish_until_confirmed, subscription};

#[tokio::test(flavor = "multi_thread")]
async fn only_the_channel_dies_and_the_consumer_is_back_by_itself() {
    let node = Node::start().await;
    let host = VirtualHost::fresh_on(&node).await;
    let broker = connected(&host).await;
    let working = Working::on(&broker);
    let mut confirmed = BTreeSet::new();
    broker.declare(&subscription()).await.unwrap();
    publish_until_confirmed(broker.as_ref(), 20, &mut confirmed).await;
    working.until_handled(&confirmed).await;
    let connections = node.eval("lists:sort(rabbit_networking:connections()).").await;
    assert_eq!(node.close_consuming_channels(host.name()).await, 1);
    publish_until_confirmed(broker.as_ref(), 20, &mut confirmed).await;
    working.until_handled(&confirmed).await;
    let same = node.eval("lists:sort(rabbit_networking:connections()).").await;
    assert_eq!(same, connections);
}

#[tokio::test(flavor = "multi_thread")]
async fn connections_that_the_server_closes_are_back_by_themselves() {
    let (broker, host) = fresh().await;
    broker.declare(&subscription()).await.unwrap();
    let working = Working::on(&broker);
    let mut confirmed = BTreeSet::new();
    for direction in ["test consuming", "test publishing"] {
        publish_until_confirmed(broker.as_ref(), 20, &mut confirmed).await;
        working.until_handled(&confirmed).await;
        host.close_connections(direction).await;
        publish_until_confirmed(broker.as_ref(), 20, &mut confirmed).await;
        working.until_handled(&confirmed).await;
    }
    wait::until("ready again", async || broker.check().await.ok()).await;
}

/// Publishing to an exchange that was deleted closes the publisher's channel. The next one declares it.
#[tokio::test(flavor = "multi_thread")]
async fn a_publisher_whose_channel_died_opens_another() {
    let (broker, host) = fresh().await;
    assert_eq!(publish(broker.as_ref(), 1).await[0].1, Ok(()));
    host.delete("exchanges", waybill::topology::EVENTS_EXCHANGE).await;
    let first = &publish(broker.as_ref(), 1).await[0].1;
    assert!(
        matches!(first, Err(publisher::Error::Unavailable(_))),
        "{first:?}"
    );
    assert_eq!(publish(broker.as_ref(), 1).await[0].1, Ok(()));
    host.until_depth(UNROUTED, 2).await;
}

/// A consumer whose queue is deleted declares it anew.
#[tokio::test(flavor = "multi_thread")]
async fn a_consumer_whose_queue_was_deleted_is_back_by_itself() {
    let (broker, host) = fresh().await;
    broker.declare(&subscription()).await.unwrap();
    let working = Working::on(&broker);
    let mut confirmed = BTreeSet::new();
    publish_until_confirmed(broker.as_ref(), 20, &mut confirmed).await;
    working.until_handled(&confirmed).await;
    host.delete("queues", crate::fixture::QUEUE).await;
    let is_back = wait::until("bound again", async || {
        let mut published = BTreeSet::new();
        publish_until_confirmed(broker.as_ref(), 1, &mut published).await;
        let depth = host.depth(UNROUTED).await;
        publish_until_confirmed(broker.as_ref(), 1, &mut published).await;
        let routed = host.depth(UNROUTED).await == depth;
        routed.then_some(())
    });
    is_back.await;
    let mut after = BTreeSet::new();
    publish_until_confirmed(broker.as_ref(), 20, &mut after).await;
    working.until_handled(&after).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_confirmed_is_lost_when_the_broker_is_killed_under_load() {
    let mut node = Node::start().await;
    let host = VirtualHost::fresh_on(&node).await;
    let broker = connected(&host).await;
    broker.declare(&subscription()).await.unwrap();
    node.settle().await;
    let working = Working::on(&broker);
    let mut confirmed = BTreeSet::new();
    publish_until_confirmed(broker.as_ref(), 200, &mut confirmed).await;
    let under_load = {
        let broker = broker.clone();
        tokio::spawn(async move {
            let mut confirmed = BTreeSet::new();
            // Until the broker is gone: only that ends it.
            loop {
                for (id, result) in publish(broker.as_ref(), 20).await {
                    match result {
                        Ok(()) => confirmed.insert(id),
                        Err(publisher::Error::Unavailable(_)) => return confirmed,
                        Err(error) => panic!("{error}"),
                    };
                }
            }
        })
    };
    node.kill();
    confirmed.extend(under_load.await.unwrap());
    wait::until("away", async || broker.check().await.err()).await;
    node.resume().await;
    publish_until_confirmed(broker.as_ref(), 200, &mut confirmed).await;
    working.until_handled(&confirmed).await;
    wait::until("ready again", async || broker.check().await.ok()).await;
}
