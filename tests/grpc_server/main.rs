//! The gRPC server as its clients see it, over TCP, with a service that does as it is told.

mod errors;
mod health;
mod orders;
mod raw;
mod reflection;
mod streams;

use std::{net::SocketAddr, sync::Arc};

use tempfile::TempDir;
use tokio::{net::TcpListener, task::JoinHandle};
use tokio_util::sync::CancellationToken;
use tonic::{Status, transport::Channel};
use tonic_health::server::HealthReporter;
use tonic_types::StatusExt;
use waybill::{
    clock::UuidV7Generator,
    contract::order::v1::{
        order_service_client::OrderServiceClient, order_service_server::OrderServiceServer,
    },
    embedded,
    grpc::{
        reason::DOMAIN,
        server::{self, MAX_CALLS, MAX_MESSAGE_BYTES, Server},
    },
    platform::Database,
    service::Service,
};

use orders::Orders;

/// A running server.
struct Served {
    address: SocketAddr,
    channel: Channel,
    health: HealthReporter,
    orders: Orders,
    stop: CancellationToken,
    running: JoinHandle<Result<(), server::Error>>,
    _folder: TempDir,
}

impl Served {
    async fn start() -> Self {
        Self::taking(MAX_CALLS).await
    }

    /// A server that takes at most `max_calls` at a time.
    async fn taking(max_calls: usize) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let database = embedded::Database::open(&folder.path().join("order.db"), &[]).unwrap();
        let orders = Orders::default();
        let rpcs = OrderServiceServer::new(orders.clone()).max_decoding_message_size(MAX_MESSAGE_BYTES);
        let mut service = Service::new("order", Database::Sqlite(database)).serving(rpcs);

        let mut server = Server::new(Arc::new(UuidV7Generator::default())).max_calls(max_calls);
        server.add(&mut service);
        let health = server.health();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let stop = CancellationToken::new();
        let running = tokio::spawn(server.serve(listener, stop.clone()));
        let channel = Channel::from_shared(format!("http://{address}"))
            .unwrap()
            .connect()
            .await
            .unwrap();
        Self {
            address,
            channel,
            health,
            orders,
            stop,
            running,
            _folder: folder,
        }
    }

    fn client(&self) -> OrderServiceClient<Channel> {
        OrderServiceClient::new(self.channel.clone())
    }
}

/// The reason in an error's `ErrorInfo`; every error must have one.
fn reason(status: &Status) -> String {
    let details = status.get_error_details();
    let info = details
        .error_info()
        .unwrap_or_else(|| panic!("no ErrorInfo in {status:?}"));
    assert_eq!(info.domain, DOMAIN);
    info.reason.clone()
}
