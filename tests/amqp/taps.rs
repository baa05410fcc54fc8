//! Watching events on RabbitMQ: what every broker must do, and what a watch leaves on the server.

use std::sync::Arc;

use waybill::{amqp::AmqpTaps, broker::Broker, tap::Taps};
use waybill_testkit::{
    conformance::broker::watching::consumed,
    rabbitmq::{Node, VirtualHost},
    wait,
};

use crate::fixture::{connected, fresh as fresh_broker, publish};

fn taps_on(host: &VirtualHost) -> Arc<dyn Taps> {
    Arc::new(AmqpTaps::new(host.url(), "test", &consumed()).expect("the URL is one"))
}

async fn fresh() -> (Arc<dyn Broker>, Arc<dyn Taps>, VirtualHost) {
    let (broker, host) = fresh_broker().await;
    (broker, taps_on(&host), host)
}

waybill_testkit::taps_conformance!(fresh);

/// Names of the queues that belong to watchers, with their arguments.
async fn watchers(host: &VirtualHost) -> Vec<serde_json::Value> {
    let mut queues = host.queues().await;
    queues.retain(|queue| {
        queue["name"]
            .as_str()
            .is_some_and(|name| name.starts_with("waybill.tail."))
    });
    queues
}

#[tokio::test(flavor = "multi_thread")]
async fn a_watchers_queue_is_small_drops_the_oldest_and_vanishes_with_its_watcher() {
    let (_broker, taps, host) = fresh().await;
    let tap = taps.open().await.unwrap();
    let queues = watchers(&host).await;
    assert_eq!(queues.len(), 1, "{queues:?}");
    assert_eq!(queues[0]["type"], "classic");
    let arguments = &queues[0]["arguments"];
    assert_eq!(arguments["x-overflow"], "drop-head");
    assert_eq!(arguments["x-max-length"], 1000);
    drop(tap);
    wait::until("the queue is gone", async || {
        watchers(&host).await.is_empty().then_some(())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_watch_ends_with_an_error_when_the_broker_dies_and_another_can_be_opened() {
    let mut node = Node::start().await;
    let host = VirtualHost::fresh_on(&node).await;
    let (broker, taps) = (connected(&host).await, taps_on(&host));
    let mut tap = taps.open().await.unwrap();
    node.kill();
    let ended = tokio::time::timeout(wait::PATIENCE, tap.next()).await;
    ended.expect("it is told").unwrap_err();
    node.resume().await;
    let mut tap = wait::until("watching again", async || taps.open().await.ok()).await;
    broker.declare(&consumed()[0]).await.ok();
    wait::until("confirmed again", async || {
        publish(broker.as_ref(), 1).await[0].1.is_ok().then_some(())
    })
    .await;
    assert!(!tap.next().await.unwrap().messages.is_empty());
}
