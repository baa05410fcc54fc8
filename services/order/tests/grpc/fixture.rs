//! Instances of the service on a database of the test's own.

use std::sync::Arc;

use async_trait::async_trait;
use tempfile::TempDir;
use tokio::{net::TcpListener, task::JoinSet};
use tokio_util::sync::CancellationToken;
use tonic::{Code, Status, transport::Channel};
use tonic_types::StatusExt;
use uuid::Uuid;
use waybill::{
    broker::{Broker, Deliveries, Error as BrokerError},
    clock::{IdGenerator, SystemClock, UuidV7Generator},
    config::ConsumerTrace,
    contract::{
        google::r#type::Money,
        order::v1::{
            CancelOrderRequest, ListOrdersRequest, Order, PlaceOrderItem, PlaceOrderRequest,
            order_service_client::OrderServiceClient,
        },
    },
    grpc::server::Server,
    mongo,
    platform::{Databases, Platform},
    publisher::{Error as PublishError, Publication, Publisher},
    retry::RetryPolicy,
    topology::{DEFAULT_PREFETCH, Subscription},
};
use waybill_testkit::mongodb;

/// Largest answer that the tests' client reads: what clients do unless told otherwise.
const MAX_ANSWER_BYTES: usize = 4 * 1024 * 1024;

/// A database that any number of instances may share.
pub(crate) enum Store {
    Sqlite(TempDir),
    Mongo(String),
}

impl Store {
    pub(crate) fn sqlite() -> Self {
        Self::Sqlite(tempfile::tempdir().unwrap())
    }

    /// One of each kind.
    pub(crate) async fn all() -> [Self; 2] {
        let mongo = mongodb::Databases::new().await.url().to_owned();
        [Self::sqlite(), Self::Mongo(mongo)]
    }

    async fn databases(&self) -> Databases {
        match self {
            Self::Sqlite(folder) => Databases::Sqlite(folder.path().to_owned()),
            Self::Mongo(url) => Databases::Mongo(mongo::Client::new(url).await.unwrap()),
        }
    }
}

/// A running instance of the service.
pub(crate) struct Instance {
    pub(crate) client: OrderServiceClient<Channel>,
    pub(crate) stop: CancellationToken,
    _running: JoinSet<()>,
}

impl Instance {
    pub(crate) async fn on(store: &Store) -> Self {
        let ids = Arc::new(UuidV7Generator::default());
        let platform = Platform {
            broker: Arc::new(AwayBroker),
            databases: store.databases().await,
            clock: Arc::new(SystemClock),
            ids: ids.clone(),
            instance: id(),
            retry: RetryPolicy::default(),
            prefetch: DEFAULT_PREFETCH,
            retention: waybill::retention::Retention::default(),
            consumer_trace: ConsumerTrace::default(),
        };
        let stop = CancellationToken::new();
        let mut service = waybill_order::service(&platform, &stop).await.unwrap();

        let mut running = JoinSet::new();
        let (_, relay) = service.relay.take().unwrap();
        running.spawn(relay.run(stop.clone()));
        for work in service.background.drain(..) {
            running.spawn(work);
        }
        let mut server = Server::new(ids);
        server.add(&mut service);
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let serving = server.serve(listener, stop.clone());
        running.spawn(async { serving.await.unwrap() });

        let channel = Channel::from_shared(url).unwrap().connect().await.unwrap();
        Self {
            client: OrderServiceClient::new(channel).max_decoding_message_size(MAX_ANSWER_BYTES),
            stop,
            _running: running,
        }
    }

    pub(crate) async fn place(&self, request: &PlaceOrderRequest) -> Result<Order, Status> {
        let answer = self.client.clone().place_order(request.clone()).await?;
        Ok(answer.into_inner().order.unwrap())
    }

    pub(crate) async fn cancel(&self, request: &CancelOrderRequest) -> Result<Order, Status> {
        let answer = self.client.clone().cancel_order(request.clone()).await?;
        Ok(answer.into_inner().order.unwrap())
    }

    /// The orders of a user: everything that is stored for them.
    pub(crate) async fn orders_of(&self, user_id: &str) -> Vec<Order> {
        let request = ListOrdersRequest {
            user_id: user_id.to_owned(),
            page_size: 500,
            page_token: String::new(),
        };
        let answer = self.client.clone().list_orders(request).await.unwrap();
        answer.into_inner().orders
    }
}

pub(crate) fn id() -> String {
    thread_local!(static IDS: UuidV7Generator = UuidV7Generator::default());
    IDS.with(UuidV7Generator::next_id).to_string()
}

pub(crate) fn item(product_id: &str, quantity: u32, cents: i64) -> PlaceOrderItem {
    PlaceOrderItem {
        product_id: product_id.to_owned(),
        quantity,
        unit_price: Some(Money {
            currency_code: "EUR".to_owned(),
            units: cents / 100,
            nanos: i32::try_from(cents % 100).unwrap() * 10_000_000,
        }),
    }
}

/// A good request of a new user.
pub(crate) fn placement() -> PlaceOrderRequest {
    PlaceOrderRequest {
        request_id: id(),
        user_id: id(),
        items: vec![item("sku-1", 3, 9_99), item("sku-2", 1, 1)],
    }
}

pub(crate) fn cancellation(order: &Order) -> CancelOrderRequest {
    CancelOrderRequest {
        request_id: id(),
        order_id: order.order_id.clone(),
        reason: "changed my mind".to_owned(),
    }
}

/// Asserts on code and reason of an error.
pub(crate) fn assert_error<T: std::fmt::Debug>(
    result: Result<T, Status>,
    code: Code,
    reason: &str,
) -> Status {
    let status = result.expect_err(reason);
    assert_eq!(status.code(), code, "{status:?}");
    let info = status
        .get_details_error_info()
        .expect("every error has ErrorInfo");
    assert_eq!((info.domain.as_str(), info.reason.as_str()), ("waybill", reason));
    status
}

pub(crate) fn unknown_id() -> String {
    Uuid::from_u128(404).to_string()
}

/// A broker that cannot be reached.
struct AwayBroker;

fn away() -> BrokerError {
    BrokerError::Unavailable("away".to_owned())
}

#[async_trait]
impl Broker for AwayBroker {
    async fn declare(&self, _: &Subscription) -> Result<(), BrokerError> {
        Err(away())
    }

    async fn subscribe(&self, _: &Subscription) -> Result<Box<dyn Deliveries>, BrokerError> {
        Err(away())
    }

    fn publisher(&self) -> Arc<dyn Publisher> {
        Arc::new(Self)
    }

    async fn check(&self) -> Result<(), BrokerError> {
        Err(away())
    }
}

#[async_trait]
impl Publisher for AwayBroker {
    async fn publish(&self, batch: Vec<Publication>) -> Vec<Result<(), PublishError>> {
        let refuse = |_| Err(PublishError::Unavailable("away".to_owned()));
        batch.into_iter().map(refuse).collect()
    }
}
