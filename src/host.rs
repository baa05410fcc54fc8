//! Runs services in one process, from the first call to a clean end.
//!
//! Calls are served at once: an order can be placed while the broker is away. Nothing is published
//! before every queue that this binary knows of is there, or an event would find no binding.
//!
//! The end comes in this order, and within a time limit: readiness says no; calls and consumers
//! finish what they have in hand; relays publish what was offered to them; the rest ends.

mod group;

use std::{io, time::Duration};

use tokio::{net::TcpListener, time::timeout};
use tokio_util::sync::CancellationToken;
use tracing::{error, info, warn};

use self::group::Group;
use crate::{
    backoff::Backoff,
    broker::{self, Broker},
    grpc::server::{self, Server},
    health::{self, Readiness, Watched},
    platform::Platform,
    service::Service,
    telemetry::metrics,
    topology::Subscription,
};

/// Why a process ended other than cleanly.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The broker's topology contradicts ours.
    #[error(transparent)]
    Broker(#[from] broker::Error),
    /// The gRPC server could not run.
    #[error(transparent)]
    Grpc(#[from] server::Error),
    /// The HTTP server could not run.
    #[error("HTTP server: {0}")]
    Http(#[from] io::Error),
    /// A part of the process panicked.
    #[error("{0} panicked")]
    Panicked(String),
    /// Stopping took longer than it may.
    #[error("not stopped within {limit:?}, cut off: {}", running.join(", "))]
    CutOff {
        /// How long it may take.
        limit: Duration,
        /// What still ran.
        running: Vec<String>,
    },
}

/// What a process listens on and how it ends.
pub struct Host {
    /// For calls.
    pub grpc: TcpListener,
    /// For `/healthz`, `/readyz` and `/metrics`.
    pub http: TcpListener,
    /// Every subscription of every service that this binary knows, hosted here or not.
    pub subscriptions: Vec<Subscription>,
    /// What its services were given to stop their background work; cancelled last.
    pub background: CancellationToken,
    /// Longest that stopping may take.
    pub drain_timeout: Duration,
}

/// The parts, in the order in which they stop.
struct Parts {
    readiness: Group,
    calls: Group,
    consumers: Group,
    relays: Group,
    background: Group,
    http: Group,
}

impl Host {
    /// Runs `services` until `stop`, or until a part of them fails.
    pub async fn run(
        self,
        platform: &Platform,
        services: Vec<Service>,
        stop: &CancellationToken,
    ) -> Result<(), Error> {
        metrics::process::observe();
        let stop = stop.child_token();
        let (background, drain_timeout) = (self.background.clone(), self.drain_timeout);
        let mut parts = self.start(platform, services, &stop).await;
        stop.cancelled().await;
        match timeout(drain_timeout, parts.drain(&background)).await {
            Ok(Ok(())) => info!("stopped"),
            Ok(Err(error)) => return Err(error),
            Err(_) => {
                let running = parts.running();
                error!(?running, "stopping took too long, cutting off what still runs");
                return Err(Error::CutOff {
                    limit: drain_timeout,
                    running,
                });
            }
        }
        Ok(())
    }

    async fn start(self, platform: &Platform, services: Vec<Service>, stop: &CancellationToken) -> Parts {
        let mut parts = Parts::none(stop);
        let mut server = Server::new(platform.ids.clone());
        let mut watched = Vec::new();
        let declared = CancellationToken::new();
        for mut service in services {
            server.add(&mut service);
            watched.push(parts.run_service(service, &declared));
        }

        let (broker, clock) = (platform.broker.clone(), platform.clock.clone());
        let mut readiness = Readiness::new(broker.clone(), declared.clone(), watched, clock, server.health());
        readiness.start().await;
        let report = readiness.report();
        let ready_until = parts.readiness.stop_token();
        parts.readiness.spawn("readiness", async {
            readiness.run(ready_until).await;
            Ok::<_, Error>(())
        });
        let calls_until = parts.calls.stop_token();
        parts.calls.spawn("calls", server.serve(self.grpc, calls_until));
        let http_until = parts.http.stop_token();
        parts
            .http
            .spawn("http", health::serve(self.http, report, http_until));

        let subscriptions: Vec<_> = self
            .subscriptions
            .into_iter()
            .map(|s| platform.subscription(s))
            .collect();
        let declaring_until = parts.consumers.stop_token();
        parts.consumers.spawn("topology", async move {
            let declaring = declare(broker.as_ref(), &subscriptions);
            if let Some(result) = declaring_until.run_until_cancelled(declaring).await {
                result?;
                declared.cancel();
            }
            Ok::<_, Error>(())
        });
        parts
    }
}

/// Declares every subscription, however long the broker is away.
async fn declare(broker: &dyn Broker, subscriptions: &[Subscription]) -> Result<(), broker::Error> {
    for subscription in subscriptions {
        let mut backoff = Backoff::default();
        while let Err(error) = broker.declare(subscription).await {
            if let broker::Error::Mismatch { .. } = error {
                return Err(error);
            }
            warn!(queue = subscription.queue, %error, "cannot declare the queue now");
            backoff.wait().await;
        }
    }
    info!(queues = subscriptions.len(), "topology is there");
    Ok(())
}

impl Parts {
    fn none(process: &CancellationToken) -> Self {
        Self {
            readiness: Group::new(process),
            calls: Group::new(process),
            consumers: Group::new(process),
            relays: Group::new(process),
            background: Group::new(process),
            http: Group::new(process),
        }
    }

    /// Runs what a service does beside its calls, events from `declared` on.
    fn run_service(&mut self, service: Service, declared: &CancellationToken) -> Watched {
        let name = service.name;
        let mut outbox = None;
        if let Some((of_service, relay)) = service.relay {
            outbox = Some(of_service);
            let (stop, declared) = (self.relays.stop_token(), declared.clone());
            self.relays.spawn(format!("{name} relay"), async move {
                if stop.run_until_cancelled(declared.cancelled()).await.is_some() {
                    relay.run(stop).await;
                }
                Ok::<_, Error>(())
            });
        }
        for consumer in service.consumers {
            let (stop, declared) = (self.consumers.stop_token(), declared.clone());
            let queue = consumer.subscription().queue.clone();
            self.consumers.spawn(queue, async move {
                match stop.run_until_cancelled(declared.cancelled()).await {
                    Some(()) => consumer.run(stop).await,
                    None => Ok(()),
                }
            });
        }
        for (at, work) in service.background.into_iter().enumerate() {
            self.background.spawn(format!("{name} background {at}"), async {
                work.await;
                Ok::<_, Error>(())
            });
        }
        Watched {
            name,
            grpc_names: service.grpc_names,
            database: service.database,
            outbox,
        }
    }

    async fn drain(&mut self, background: &CancellationToken) -> Result<(), Error> {
        let readiness = self.readiness.stop().await;
        let (calls, consumers) = tokio::join!(self.calls.stop(), self.consumers.stop());
        let relays = self.relays.stop().await;
        background.cancel();
        let background = self.background.stop().await;
        let http = self.http.stop().await;
        readiness
            .and(calls)
            .and(consumers)
            .and(relays)
            .and(background)
            .and(http)
    }

    fn running(&self) -> Vec<String> {
        [
            &self.readiness,
            &self.calls,
            &self.consumers,
            &self.relays,
            &self.background,
            &self.http,
        ]
        .iter()
        .flat_map(|group| group.running())
        .collect()
    }
}
