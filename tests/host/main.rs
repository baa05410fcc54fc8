//! A process from its first call to its end: what comes before what, and what ends it.

mod parts;

use std::{
    sync::{Arc, atomic::Ordering},
    time::Duration,
};

use parts::Scripted;
use tempfile::TempDir;
use tokio::{net::TcpListener, task::JoinHandle};
use tokio_util::sync::CancellationToken;
use tonic::transport::Channel;
use tonic_health::pb::{
    HealthCheckRequest, health_check_response::ServingStatus, health_client::HealthClient,
};
use waybill::{
    broker,
    clock::{ManualClock, UuidV7Generator, from_unix_millis},
    config::ConsumerTrace,
    health::MAX_OUTBOX_AGE,
    host::{Error, Host},
    message::Message,
    outbox::Entry,
    platform::{Databases, Platform},
    retry::RetryPolicy,
    service::Service,
    topology::{DEFAULT_PREFETCH, Subscription},
};
use waybill_testkit::wait::until;

/// When everything here happens, in milliseconds since the Unix epoch.
const NOW_MS: i64 = 1_700_000_000_000;

/// A process of one service that has an outbox.
struct Process {
    platform: Platform,
    service: Service,
    scripted: Scripted,
    stop: CancellationToken,
    background: CancellationToken,
    folder: TempDir,
}

impl Process {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let scripted = Scripted::default();
        scripted.is_up.store(true, Ordering::SeqCst);
        let platform = Platform {
            broker: Arc::new(scripted.clone()),
            databases: Databases::Sqlite(folder.path().to_owned()),
            clock: Arc::new(ManualClock::new(from_unix_millis(NOW_MS))),
            ids: Arc::new(UuidV7Generator::default()),
            instance: "test".to_owned(),
            retry: RetryPolicy::default(),
            prefetch: DEFAULT_PREFETCH,
            retention: waybill::retention::Retention::default(),
            consumer_trace: ConsumerTrace::default(),
        };
        let database = platform.database("order", &[]).unwrap();
        Self {
            platform,
            service: Service::new("order", database),
            scripted,
            stop: CancellationToken::new(),
            background: CancellationToken::new(),
            folder,
        }
    }

    /// Runs it, and tells where gRPC listens.
    async fn run(self, drain_timeout: Duration) -> (String, JoinHandle<Result<(), Error>>) {
        let listen = async || TcpListener::bind("127.0.0.1:0").await.unwrap();
        let host = Host {
            grpc: listen().await,
            http: listen().await,
            subscriptions: vec![Subscription::new("waybill.test")],
            background: self.background,
            drain_timeout,
        };
        let address = format!("http://{}", host.grpc.local_addr().unwrap());
        let running = tokio::spawn(async move {
            let _folder = self.folder;
            host.run(&self.platform, vec![self.service], &self.stop).await
        });
        (address, running)
    }
}

const PATIENT: Duration = Duration::from_mins(1);

#[tokio::test]
async fn nothing_is_published_before_the_queues_are_there() {
    let mut process = Process::new();
    let (scripted, stop) = (process.scripted.clone(), process.stop.clone());
    scripted.is_up.store(false, Ordering::SeqCst);
    let outbox = Arc::new(scripted.clone());
    let (relay, offers) = process.platform.relay(outbox.clone());
    process.service = process.service.relaying(outbox, relay);
    offers.offer([Entry {
        owner: "o".to_owned(),
        message: Message::default(),
    }]);
    let (_, running) = process.run(PATIENT).await;

    let has = async |what: &'static str| {
        until(what, || async {
            scripted.happened.lock().unwrap().contains(&what).then_some(())
        })
        .await;
    };
    has("cannot declare").await;
    scripted.is_up.store(true, Ordering::SeqCst);
    has("cleared").await;
    stop.cancel();
    running.await.unwrap().unwrap();

    let mut happened = scripted.happened.lock().unwrap().clone();
    happened.retain(|what| *what != "cannot declare");
    assert_eq!(happened, ["declared", "published", "cleared"]);
}

#[tokio::test]
async fn a_broker_that_contradicts_us_ends_the_process() {
    let process = Process::new();
    process.scripted.contradicts.store(true, Ordering::SeqCst);
    let (_, running) = process.run(PATIENT).await;
    let error = running.await.unwrap().unwrap_err();
    assert!(
        matches!(error, Error::Broker(broker::Error::Mismatch { .. })),
        "{error}"
    );
}

#[tokio::test]
async fn a_part_that_panics_ends_the_process() {
    let mut process = Process::new();
    process.service = process
        .service
        .running(&process.background, |_| async { panic!("on purpose") });
    let (_, running) = process.run(PATIENT).await;
    let error = running.await.unwrap().unwrap_err();
    assert!(
        matches!(&error, Error::Panicked(part) if part == "order background 0"),
        "{error}"
    );
}

#[tokio::test]
async fn what_does_not_stop_in_time_is_cut_off_and_named() {
    let mut process = Process::new();
    let stop = process.stop.clone();
    process.service = process
        .service
        .running(&process.background, |_| std::future::pending());
    let (_, running) = process.run(Duration::from_millis(50)).await;
    stop.cancel();
    let error = running.await.unwrap().unwrap_err();
    let Error::CutOff { running, .. } = error else {
        panic!("{error}");
    };
    assert!(running.contains(&"order background 0".to_owned()), "{running:?}");
}

#[tokio::test]
async fn health_follows_the_broker_and_the_outbox() {
    let mut process = Process::new();
    let (scripted, stop) = (process.scripted.clone(), process.stop.clone());
    let outbox = Arc::new(scripted.clone());
    let (relay, _offers) = process.platform.relay(outbox.clone());
    process.service = process.service.relaying(outbox, relay);
    process.service.grpc_names.push("order.Service");
    let (address, running) = process.run(PATIENT).await;
    let channel = Channel::from_shared(address).unwrap().connect().await.unwrap();
    for name in ["", "order.Service"] {
        let request = HealthCheckRequest {
            service: name.to_owned(),
        };
        let mut health = HealthClient::new(channel.clone())
            .watch(request)
            .await
            .unwrap()
            .into_inner();
        let mut becomes = async |expected| {
            while health.message().await.unwrap().unwrap().status() != expected {}
        };
        becomes(ServingStatus::Serving).await;
        scripted.is_up.store(false, Ordering::SeqCst);
        becomes(ServingStatus::NotServing).await;
        scripted.is_up.store(true, Ordering::SeqCst);
        becomes(ServingStatus::Serving).await;

        let too_old = from_unix_millis(NOW_MS) - MAX_OUTBOX_AGE - Duration::from_secs(1);
        *scripted.oldest.lock().unwrap() = Some(too_old);
        becomes(ServingStatus::NotServing).await;
        *scripted.oldest.lock().unwrap() = None;
        becomes(ServingStatus::Serving).await;
    }
    stop.cancel();
    running.await.unwrap().unwrap();
}
