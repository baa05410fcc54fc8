//! One service, built and ready to run: its rpcs, its relay, its consumers, its background work.

use std::{convert::Infallible, sync::Arc};

use futures::future::BoxFuture;
use tokio_util::sync::CancellationToken;
use tonic::{body::Body, server::NamedService, service::RoutesBuilder};

use crate::{consumer::Consumer, outbox::Outbox, platform::Database, relay::Relay, story::Teller};

type AddRoutes = Box<dyn FnOnce(&mut RoutesBuilder) + Send>;

/// A service. Whoever hosts it runs its parts and decides when they stop.
pub struct Service {
    /// Its short name, for instance `order`.
    pub name: &'static str,
    /// Its database, for readiness.
    pub database: Database,
    /// Full names of its gRPC services, for health.
    pub grpc_names: Vec<&'static str>,
    /// Adds its gRPC services to a server.
    pub routes: Vec<AddRoutes>,
    /// Its outbox and the relay that empties it.
    pub relay: Option<(Arc<dyn Outbox>, Relay)>,
    /// Its consumers.
    pub consumers: Vec<Consumer>,
    /// What else it does until it is told to stop.
    pub background: Vec<BoxFuture<'static, ()>>,
}

impl Service {
    /// A service that does nothing yet.
    pub fn new(name: &'static str, database: Database) -> Self {
        Self {
            name,
            database,
            grpc_names: Vec::new(),
            routes: Vec::new(),
            relay: None,
            consumers: Vec::new(),
            background: Vec::new(),
        }
    }

    /// Serves a generated gRPC service too.
    #[must_use]
    pub fn serving<S>(mut self, service: S) -> Self
    where
        S: tower::Service<http::Request<Body>, Error = Infallible>
            + NamedService
            + Clone
            + Send
            + Sync
            + 'static,
        S::Response: axum::response::IntoResponse,
        S::Future: Send + 'static,
    {
        self.grpc_names.push(S::NAME);
        self.routes.push(Box::new(|routes| {
            routes.add_service(service);
        }));
        self
    }

    /// Publishes what is in its outbox.
    #[must_use]
    pub fn relaying(mut self, outbox: Arc<dyn Outbox>, relay: Relay) -> Self {
        self.relay = Some((outbox, relay));
        self
    }

    /// Consumes events too.
    #[must_use]
    pub fn consuming(mut self, consumer: Consumer) -> Self {
        self.consumers.push(consumer);
        self
    }

    /// Tells `teller` of every attempt of its consumers.
    #[must_use]
    pub fn telling(mut self, teller: &Teller) -> Self {
        let consumers = self.consumers.into_iter();
        self.consumers = consumers
            .map(|consumer| consumer.telling(teller.clone()))
            .collect();
        self
    }

    /// Does something else in the background, until the token that `work` is given is cancelled.
    #[must_use]
    pub fn running<F>(mut self, stop: &CancellationToken, work: impl FnOnce(CancellationToken) -> F) -> Self
    where
        F: Future<Output = ()> + Send + 'static,
    {
        self.background.push(Box::pin(work(stop.clone())));
        self
    }
}
