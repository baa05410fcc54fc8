//! A broker of a test's own.

use std::sync::Arc;

use waybill::{amqp::AmqpBroker, broker::Broker};
use waybill_testkit::{rabbitmq::VirtualHost, wait};

/// A broker on a virtual host, connected.
pub(crate) async fn connected(host: &VirtualHost, name: &str) -> Arc<dyn Broker> {
    let broker = AmqpBroker::new(host.url(), name).expect("the URL is one");
    wait::until("connected", async || broker.check().await.ok()).await;
    Arc::new(broker)
}

/// A broker on a virtual host of its own.
pub(crate) async fn fresh() -> (Arc<dyn Broker>, VirtualHost) {
    let host = VirtualHost::fresh().await;
    (connected(&host, "test").await, host)
}
