//! The floor of a call: a server that answers every order with the same one at once.

use tokio::net::TcpListener;
use tonic::{
    Request, Response, Status,
    transport::{Channel, Endpoint, Server, server::TcpIncoming},
};
use waybill::contract::order::v1::{
    CancelOrderRequest, CancelOrderResponse, GetOrderRequest, GetOrderResponse, ListOrdersRequest,
    ListOrdersResponse, PlaceOrderRequest, PlaceOrderResponse, WatchOrderRequest, WatchOrderResponse,
    order_service_client::OrderServiceClient,
    order_service_server::{OrderService, OrderServiceServer},
};

use super::Floor;
use crate::{client::new_id, pace, payload::Payload, statistics::Sample};

/// Calls under way at a time, on one connection.
const IN_FLIGHT: usize = 32;

pub(super) async fn measure(floor: &Floor) -> Sample {
    let calls = Caller::new(&floor.echo).await;
    pace::closed(IN_FLIGHT, 1, floor.times, &floor.watched, move || {
        calls.clone().call()
    })
    .await
}

/// Calls the server on one connection.
#[derive(Clone)]
pub(super) struct Caller {
    orders: OrderServiceClient<Channel>,
    request: PlaceOrderRequest,
}

impl Caller {
    pub(super) async fn new(url: &str) -> Self {
        let endpoint = Endpoint::from_shared(url.to_owned()).expect("it is a URL");
        let channel = endpoint.connect().await.expect("the server listens");
        Self {
            orders: OrderServiceClient::new(channel),
            request: Payload::new(&new_id()).request,
        }
    }

    pub(super) async fn call(self) {
        let Self { mut orders, request } = self;
        let answer = orders.place_order(request).await.expect("it is answered");
        assert!(answer.into_inner().order.is_some());
    }
}

/// Serves until the process ends. Answers the server's URL.
pub(crate) async fn serve() -> String {
    let listener = TcpListener::bind("127.0.0.1:0")
        .await
        .expect("there is a free port");
    let url = format!("http://{}", listener.local_addr().expect("it listens"));
    let echo = OrderServiceServer::new(Echo(PlaceOrderResponse {
        order: Some(Payload::new(&new_id()).answer()),
    }));
    let incoming = TcpIncoming::from(listener).with_nodelay(Some(true));
    tokio::spawn(Server::builder().add_service(echo).serve_with_incoming(incoming));
    url
}

/// Always the same answer.
struct Echo(PlaceOrderResponse);

#[tonic::async_trait]
impl OrderService for Echo {
    async fn place_order(
        &self,
        _: Request<PlaceOrderRequest>,
    ) -> Result<Response<PlaceOrderResponse>, Status> {
        Ok(Response::new(self.0.clone()))
    }

    async fn get_order(&self, _: Request<GetOrderRequest>) -> Result<Response<GetOrderResponse>, Status> {
        Err(unused())
    }

    async fn list_orders(
        &self,
        _: Request<ListOrdersRequest>,
    ) -> Result<Response<ListOrdersResponse>, Status> {
        Err(unused())
    }

    async fn cancel_order(
        &self,
        _: Request<CancelOrderRequest>,
    ) -> Result<Response<CancelOrderResponse>, Status> {
        Err(unused())
    }

    type WatchOrderStream = futures::stream::Empty<Result<WatchOrderResponse, Status>>;

    async fn watch_order(
        &self,
        _: Request<WatchOrderRequest>,
    ) -> Result<Response<Self::WatchOrderStream>, Status> {
        Err(unused())
    }
}

fn unused() -> Status {
    Status::unimplemented("only orders are placed here")
}
