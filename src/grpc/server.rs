//! The server that all gRPC services of a process share.
//!
//! It adds what every client expects of any server: reflection, health, deadlines, limits, a
//! correlation id, one log line a call, and `ErrorInfo` on every error, whoever made it.

mod body;
mod call;
mod deadline;
mod framework_error;
mod methods;
mod record;
mod reflection;

use std::{sync::Arc, time::Duration};

use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use tonic::{service::RoutesBuilder, transport};
use tonic_health::server::{HealthReporter, HealthService};

use self::call::Calls;
use crate::{clock::IdGenerator, service::Service};

/// Largest message that a service takes. An order of 500 items stays under 100 KB. Services pass it
/// to the `max_decoding_message_size` of their generated server.
pub const MAX_MESSAGE_BYTES: usize = 1024 * 1024;

/// Longest that a unary call may take, however long its client would wait.
pub const MAX_CALL_TIME: Duration = Duration::from_secs(30);

/// Unary calls under way at the same time, over all connections. Each holds a request of at most
/// [`MAX_MESSAGE_BYTES`] and waits for one write; beyond this, waiting longer helps nobody.
pub const MAX_CALLS: usize = 4096;

/// Calls under way on one connection; a client's further calls wait at the client.
pub const MAX_CONCURRENT_STREAMS: u32 = 1024;

/// Bytes of headers in one request: a `tracestate` and a `baggage` of 8 KiB each, and room.
pub const MAX_HEADER_BYTES: u32 = 32 * 1024;

/// How often an idle connection is probed, and how long its answer may take: below the 350 s after
/// which common load balancers forget a connection, and soon enough to end streams of dead clients.
const KEEPALIVE_INTERVAL: Duration = Duration::from_mins(1);
const KEEPALIVE_TIMEOUT: Duration = Duration::from_secs(20);

/// How long connections may take to close once the last call has its answer. Some never do: those
/// that a load balancer opened and said nothing on.
const GOODBYE_TIME: Duration = Duration::from_secs(1);

/// Why a server could not run.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A descriptor set cannot be read. That is a defect of the build.
    #[error("descriptors for reflection: {0}")]
    Descriptors(String),
    /// The transport gave up.
    #[error("gRPC server: {0}")]
    Transport(#[from] transport::Error),
}

/// A gRPC server that is being put together.
pub struct Server {
    routes: RoutesBuilder,
    names: Vec<&'static str>,
    health: HealthReporter,
    ids: Arc<dyn IdGenerator>,
    max_calls: usize,
}

impl Server {
    /// A server of health and reflection alone. `ids` makes the correlation ids of calls that bring none.
    pub fn new(ids: Arc<dyn IdGenerator>) -> Self {
        Self {
            routes: RoutesBuilder::default(),
            names: Vec::new(),
            health: HealthReporter::new(),
            ids,
            max_calls: MAX_CALLS,
        }
    }

    /// Takes at most `max_calls` unary calls at a time, instead of [`MAX_CALLS`].
    #[must_use]
    pub fn max_calls(mut self, max_calls: usize) -> Self {
        self.max_calls = max_calls;
        self
    }

    /// Serves the rpcs of `service` too, which it takes out of it.
    pub fn add(&mut self, service: &mut Service) {
        self.names.extend(&service.grpc_names);
        for add in service.routes.drain(..) {
            add(&mut self.routes);
        }
    }

    /// Through which health is told: per gRPC service name, and for the whole under the empty name.
    pub fn health(&self) -> HealthReporter {
        self.health.clone()
    }

    /// Serves calls on `listener` until `stop`; then takes no more, ends streams with UNAVAILABLE,
    /// and returns when the last call has its answer, whatever connections are left.
    pub async fn serve(mut self, listener: TcpListener, stop: CancellationToken) -> Result<(), Error> {
        reflection::add(&mut self.routes, &self.names)?;
        let health = HealthService::from_health_reporter(self.health);
        self.routes
            .add_service(tonic_health::pb::health_server::HealthServer::new(health));
        let calls = Calls::new(
            self.routes.routes().prepare(),
            self.ids,
            self.max_calls,
            stop.clone(),
        )?;
        let incoming = transport::server::TcpIncoming::from(listener).with_nodelay(Some(true));
        let under_way = calls.under_way();
        let stopping = stop.clone();
        let serving = transport::Server::builder()
            .max_concurrent_streams(MAX_CONCURRENT_STREAMS)
            .http2_max_header_list_size(MAX_HEADER_BYTES)
            .http2_keepalive_interval(Some(KEEPALIVE_INTERVAL))
            .http2_keepalive_timeout(Some(KEEPALIVE_TIMEOUT))
            .serve_with_incoming_shutdown(calls, incoming, stop.cancelled_owned());
        let answered = async {
            stopping.cancelled().await;
            under_way.close();
            under_way.wait().await;
            tokio::time::sleep(GOODBYE_TIME).await;
        };
        tokio::select! {
            served = serving => Ok(served?),
            () = answered => Ok(()),
        }
    }
}
