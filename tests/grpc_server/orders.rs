//! An order service that does what the id of the order says.

use std::sync::Arc;

use futures::{StreamExt, stream, stream::BoxStream};
use tokio::sync::Notify;
use tonic::{Code, Request, Response, Status};
use waybill::{
    contract::order::v1::{
        CancelOrderRequest, CancelOrderResponse, GetOrderRequest, GetOrderResponse, ListOrdersRequest,
        ListOrdersResponse, Order, PlaceOrderRequest, PlaceOrderResponse, WatchOrderRequest,
        WatchOrderResponse, order_service_server::OrderService,
    },
    grpc::{
        reason, request,
        status::{self, Violations},
    },
};

/// Returned as soon as it is asked for.
pub(crate) const PLAIN: &str = "plain";
/// Refused with details of the handler's own.
pub(crate) const REFUSED: &str = "refused";
/// Panics.
pub(crate) const PANIC: &str = "panic";
/// Answers when told to go on.
pub(crate) const HELD: &str = "held";

#[derive(Clone, Default)]
pub(crate) struct Orders {
    /// Told when a call of [`HELD`] has begun.
    pub(crate) begun: Arc<Notify>,
    /// Lets one such call go on.
    pub(crate) go_on: Arc<Notify>,
}

fn order(order_id: String, user_id: String) -> Order {
    Order {
        order_id,
        user_id,
        ..Order::default()
    }
}

#[tonic::async_trait]
impl OrderService for Orders {
    type WatchOrderStream = BoxStream<'static, Result<WatchOrderResponse, Status>>;

    /// Gives back the correlation id of the call's context as user id.
    async fn get_order(&self, call: Request<GetOrderRequest>) -> Result<Response<GetOrderResponse>, Status> {
        let correlation_id = request::context(&call).correlation_id;
        let id = call.into_inner().order_id;
        match id.as_str() {
            REFUSED => return Err(status::error(Code::NotFound, reason::ORDER_NOT_FOUND, "no order")),
            PANIC => panic!("on purpose"),
            HELD => {
                self.begun.notify_one();
                self.go_on.notified().await;
            }
            _ => {}
        }
        Ok(Response::new(GetOrderResponse {
            order: Some(order(id, correlation_id)),
        }))
    }

    /// One order, and then nothing; or what the id says.
    async fn watch_order(
        &self,
        call: Request<WatchOrderRequest>,
    ) -> Result<Response<Self::WatchOrderStream>, Status> {
        let id = call.into_inner().order_id;
        let first = WatchOrderResponse {
            order: Some(order(id.clone(), String::new())),
        };
        let rest: Self::WatchOrderStream = match id.as_str() {
            PANIC => stream::poll_fn(|_| panic!("on purpose")).boxed(),
            REFUSED => stream::iter([Err(Status::data_loss("gone"))]).boxed(),
            HELD => stream::pending().boxed(),
            _ => stream::empty().boxed(),
        };
        Ok(Response::new(stream::iter([Ok(first)]).chain(rest).boxed()))
    }

    async fn place_order(
        &self,
        _: Request<PlaceOrderRequest>,
    ) -> Result<Response<PlaceOrderResponse>, Status> {
        let mut violations = Violations::default();
        violations.add("items", "must not be empty");
        violations.into_result()?;
        Ok(Response::new(PlaceOrderResponse::default()))
    }

    async fn list_orders(
        &self,
        _: Request<ListOrdersRequest>,
    ) -> Result<Response<ListOrdersResponse>, Status> {
        Err(Status::internal("a bare status"))
    }

    async fn cancel_order(
        &self,
        _: Request<CancelOrderRequest>,
    ) -> Result<Response<CancelOrderResponse>, Status> {
        Ok(Response::new(CancelOrderResponse::default()))
    }
}
