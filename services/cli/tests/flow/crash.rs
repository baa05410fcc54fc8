//! A consumer dies after its commit and before its ack, every time, at every batch: no effect is doubled.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use async_trait::async_trait;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use tonic::transport::Endpoint;
use waybill::{
    broker::{Acknowledgement, Batch, Broker, Deliveries, Error},
    clock::{SystemClock, UuidV7Generator},
    config::ConsumerTrace,
    host::Host,
    mongo,
    platform::{Databases, Platform},
    publisher::Publisher,
    retry::RetryPolicy,
    topology::{DEFAULT_PREFETCH, Subscription},
};
use waybill_testkit::wait;

use crate::support::{
    client::Client,
    events::{created_and_cancelled, message},
    stack::Stack,
};

/// How many batches are handled and then not acknowledged.
const CRASHES: usize = 3;

/// A broker whose first consumers die between commit and ack.
struct Crashing {
    broker: Arc<dyn Broker>,
    crashes: Arc<AtomicUsize>,
}

#[async_trait]
impl Broker for Crashing {
    async fn declare(&self, subscription: &Subscription) -> Result<(), Error> {
        self.broker.declare(subscription).await
    }

    async fn subscribe(&self, subscription: &Subscription) -> Result<Box<dyn Deliveries>, Error> {
        Ok(Box::new(CrashingDeliveries {
            deliveries: self.broker.subscribe(subscription).await?,
            crashes: Arc::clone(&self.crashes),
        }))
    }

    fn publisher(&self) -> Arc<dyn Publisher> {
        self.broker.publisher()
    }

    async fn check(&self) -> Result<(), Error> {
        self.broker.check().await
    }
}

struct CrashingDeliveries {
    deliveries: Box<dyn Deliveries>,
    crashes: Arc<AtomicUsize>,
}

#[async_trait]
impl Deliveries for CrashingDeliveries {
    async fn next(&mut self, max: usize) -> Result<Batch, Error> {
        let batch = self.deliveries.next(max).await?;
        if self.crashes.fetch_add(1, Ordering::SeqCst) < CRASHES {
            return Ok(Batch {
                messages: batch.messages,
                acknowledgement: Box::new(Died),
            });
        }
        Ok(batch)
    }
}

/// The end of a process: the broker hears nothing but that the connection is gone.
struct Died;

#[async_trait]
impl Acknowledgement for Died {
    async fn ack(self: Box<Self>) -> Result<(), Error> {
        Err(Error::Unavailable("died before the ack".into()))
    }
}

/// Runs the user service in this process, on a broker that loses its first acks.
async fn counted_once(stack: Stack, databases: Databases) {
    let crashes = Arc::new(AtomicUsize::new(0));
    let platform = Platform {
        broker: Arc::new(Crashing {
            broker: stack.broker().await,
            crashes: Arc::clone(&crashes),
        }),
        databases,
        clock: Arc::new(SystemClock),
        ids: Arc::new(UuidV7Generator::default()),
        instance: "test".into(),
        retry: RetryPolicy::default(),
        prefetch: DEFAULT_PREFETCH,
        retention: waybill::retention::Retention::default(),
        consumer_trace: ConsumerTrace::default(),
    };
    // The queue must be there before anything is published.
    for subscription in waybill_user::subscriptions() {
        platform
            .broker
            .declare(&platform.subscription(subscription))
            .await
            .expect("the broker is there");
    }
    let stop = CancellationToken::new();
    let service = waybill_user::service(&platform, &stop)
        .await
        .expect("the service can be built");
    let listen = async || {
        TcpListener::bind("127.0.0.1:0")
            .await
            .expect("loopback has a free port")
    };
    let (grpc, http) = (listen().await, listen().await);
    let address = grpc.local_addr().expect("a bound socket has an address");
    let host = Host {
        grpc,
        http,
        subscriptions: waybill_user::subscriptions(),
        background: stop.clone(),
        drain_timeout: Duration::from_secs(10),
    };
    let running = host.run(&platform, vec![service], &stop);
    let testing = async {
        let channel = Endpoint::from_shared(format!("http://{address}"))
            .expect("a URL")
            .connect_lazy();
        let client = Client::of(channel);
        let user_id = client.register().await.user_id;
        let (created, cancelled) = created_and_cancelled(&user_id);
        stack.publish([message(&created)]).await;
        wait::until("the event has come back after every crash", async || {
            (crashes.load(Ordering::SeqCst) > CRASHES).then_some(())
        })
        .await;
        stack.publish([message(&cancelled)]).await;
        client.stats_of(&user_id, 1, 1).await;
        stop.cancel();
    };
    let (ran, ()) = tokio::join!(running, testing);
    ran.expect("the service ends cleanly");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_crash_between_commit_and_ack_counts_once_embedded() {
    let stack = Stack::embedded();
    let databases = Databases::Sqlite(stack.data_dir());
    counted_once(stack, databases).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_crash_between_commit_and_ack_counts_once_on_rabbitmq_and_mongodb() {
    let stack = Stack::real().await;
    let client = mongo::Client::new(stack.database())
        .await
        .expect("the URL is well-formed");
    counted_once(stack, Databases::Mongo(client)).await;
}
