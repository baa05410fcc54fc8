//! Limits of queues, and queues that are not as they should be.

use std::sync::Arc;

use lapin::{options::QueueDeclareOptions, types::FieldTable};
use serde_json::json;
use tokio_util::sync::CancellationToken;
use waybill::{
    amqp::AmqpBroker,
    broker::{Broker, Error},
    clock::SystemClock,
    consumer::Consumer,
    handler::Handler,
    publisher,
    topology::{DELIVERY_LIMIT, Subscription},
};
use waybill_testkit::{rabbitmq::VirtualHost, server::free_port, wait};

use crate::fixture::{QUEUE, Working, fresh, publish, subscription};

struct Nothing;

#[async_trait::async_trait]
impl Handler for Nothing {
    async fn handle(
        &self,
        batch: &[waybill::envelope::Envelope],
    ) -> Result<Vec<waybill::failure::Outcome>, waybill::handler::Error> {
        Ok(batch.iter().map(|_| Ok(())).collect())
    }
}

/// Every queue that is declared is replicated and refuses what it has no room for.
#[tokio::test(flavor = "multi_thread")]
async fn every_queue_is_a_quorum_queue_that_drops_nothing() {
    let (broker, host) = fresh().await;
    let subscription = Subscription::new(QUEUE);
    broker.declare(&subscription).await.unwrap();
    let queues = host.queues().await;
    assert_eq!(queues.len(), 3 + subscription.retry.delays().len());
    for queue in queues {
        assert_eq!(queue["arguments"]["x-queue-type"], "quorum", "{queue}");
        assert_eq!(queue["arguments"]["x-overflow"], "reject-publish", "{queue}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_queue_with_other_arguments_is_named_and_ends_the_consumer() {
    let (broker, host) = fresh().await;
    let durable = QueueDeclareOptions {
        durable: true,
        ..QueueDeclareOptions::default()
    };
    let channel = host.channel().await;
    let declared = channel
        .queue_declare(QUEUE.into(), durable, FieldTable::default())
        .await;
    declared.unwrap();
    let consumer = Consumer::new(
        broker,
        subscription(),
        Arc::new(Nothing),
        Arc::new(SystemClock),
        "an-instance",
    );
    let error = consumer.run(CancellationToken::new()).await.unwrap_err();
    assert!(
        matches!(&error, Error::Mismatch { name, .. } if name == QUEUE),
        "{error}"
    );
}

/// A message that takes its consumer down every time does not do so for ever.
#[tokio::test(flavor = "multi_thread")]
async fn a_message_that_is_never_acknowledged_becomes_a_dead_letter() {
    let (broker, host) = fresh().await;
    broker.declare(&subscription()).await.unwrap();
    assert_eq!(publish(broker.as_ref(), 1).await[0].1, Ok(()));
    let dead = subscription().dead_letter_queue();
    for _ in 0..=DELIVERY_LIMIT {
        let mut deliveries = broker.subscribe(&subscription()).await.unwrap();
        deliveries.next(1).await.unwrap();
    }
    host.until_depth(&dead, 1).await;
    assert_eq!(host.depth(QUEUE).await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_queue_refuses_until_there_is_room() {
    let (broker, host) = fresh().await;
    broker.declare(&subscription()).await.unwrap();
    host.limit(QUEUE, json!({"max-length": 5})).await;
    // The queue counts after it has answered, so that it may take a few more than it should.
    wait::until("the queue is full", async || {
        let results = publish(broker.as_ref(), 10).await;
        let refused = |(_, result): &(_, _)| *result == Err(publisher::Error::Refused);
        results.iter().all(refused).then_some(())
    })
    .await;
    let _working = Working::on(&broker);
    wait::until("there is room again", async || {
        publish(broker.as_ref(), 1).await[0].1.is_ok().then_some(())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_broker_that_is_away_is_told_within_seconds_and_without_its_password() {
    let url = format!("amqp://user:secret@127.0.0.1:{}", free_port());
    let broker = AmqpBroker::new(&url, "test").unwrap();
    let results = publish(&broker, 1000).await;
    assert_eq!(results.len(), 1000);
    for (_, result) in results {
        let error = result.unwrap_err();
        assert!(matches!(error, publisher::Error::Unavailable(_)), "{error}");
        assert!(!error.to_string().contains("secret"));
    }
    let error = broker.check().await.unwrap_err();
    assert!(!error.to_string().contains("secret"), "{error}");
    assert!(broker.declare(&subscription()).await.is_err());
}

/// A wrong password is an outage like any other, for it may be put right on the broker's side.
#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_password_is_not_repeated() {
    let host = VirtualHost::fresh().await;
    let wrong = url::Url::parse(host.url()).map(|mut url| {
        url.set_password(Some("not-this-one")).unwrap();
        url
    });
    let broker = AmqpBroker::new(wrong.unwrap().as_str(), "test").unwrap();
    let error = wait::until("refused", async || {
        let error = broker.check().await.err()?.to_string();
        error.contains("ACCESS_REFUSED").then_some(error)
    })
    .await;
    assert!(!error.contains("not-this-one"), "{error}");
}
