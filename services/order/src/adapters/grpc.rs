//! `waybill.order.v1.OrderService` over the use cases.

mod error;
mod paging;
mod requests;

use std::sync::Arc;

use futures::{Stream, StreamExt, stream::BoxStream};
use tonic::{Request, Response, Status};
use waybill::{
    clock::IdGenerator,
    contract::order::v1::{
        CancelOrderRequest, CancelOrderResponse, GetOrderRequest, GetOrderResponse, ListOrdersRequest,
        ListOrdersResponse, PlaceOrderRequest, PlaceOrderResponse, WatchOrderRequest, WatchOrderResponse,
        order_service_server::{OrderService, OrderServiceServer},
    },
    grpc::{request, server::MAX_MESSAGE_BYTES},
    telemetry::trace,
};

use self::error::status;
use super::contract::order_message;
use crate::{app::Orders, domain::Order};

/// The service over `orders`, ready to be added to a server. `ids` names requests that came without
/// a request id.
pub fn service(orders: Arc<Orders>, ids: Arc<dyn IdGenerator>) -> OrderServiceServer<GrpcOrderService> {
    OrderServiceServer::new(GrpcOrderService { orders, ids }).max_decoding_message_size(MAX_MESSAGE_BYTES)
}

/// The gRPC face of the use cases.
pub struct GrpcOrderService {
    orders: Arc<Orders>,
    ids: Arc<dyn IdGenerator>,
}

#[tonic::async_trait]
impl OrderService for GrpcOrderService {
    async fn place_order(
        &self,
        request: Request<PlaceOrderRequest>,
    ) -> Result<Response<PlaceOrderResponse>, Status> {
        let context = request::context(&request);
        let command = requests::place_order(request.into_inner(), &*self.ids)?;
        let order = self
            .orders
            .place_order(command.new, command.request, &context)
            .await
            .map_err(status)?;
        trace::about("order_id", &order.id().to_string());
        Ok(Response::new(PlaceOrderResponse {
            order: Some(order_message(&order)),
        }))
    }

    async fn get_order(
        &self,
        request: Request<GetOrderRequest>,
    ) -> Result<Response<GetOrderResponse>, Status> {
        let order_id = requests::get_order(request.get_ref())?;
        let order = self.orders.get_order(order_id).await.map_err(status)?;
        Ok(Response::new(GetOrderResponse {
            order: Some(order_message(&order)),
        }))
    }

    async fn list_orders(
        &self,
        request: Request<ListOrdersRequest>,
    ) -> Result<Response<ListOrdersResponse>, Status> {
        let query = requests::list_orders(request.get_ref())?;
        // One more than fits, to know whether there is another page.
        let orders = self
            .orders
            .list_orders(query.user_id, paging::position(&query.page), query.page.size + 1)
            .await
            .map_err(status)?;
        Ok(Response::new(paging::response(&query, &orders)))
    }

    async fn cancel_order(
        &self,
        request: Request<CancelOrderRequest>,
    ) -> Result<Response<CancelOrderResponse>, Status> {
        let context = request::context(&request);
        let command = requests::cancel_order(request.into_inner(), &*self.ids)?;
        let order = self
            .orders
            .cancel_order(command.order_id, command.reason, command.request, &context)
            .await
            .map_err(status)?;
        Ok(Response::new(CancelOrderResponse {
            order: Some(order_message(&order)),
        }))
    }

    type WatchOrderStream = BoxStream<'static, Result<WatchOrderResponse, Status>>;

    async fn watch_order(
        &self,
        request: Request<WatchOrderRequest>,
    ) -> Result<Response<Self::WatchOrderStream>, Status> {
        let query = requests::watch_order(request.get_ref())?;
        let versions = self
            .orders
            .watch_order(query.order_id, query.after_version)
            .await
            .map_err(status)?;
        Ok(Response::new(responses(versions)))
    }
}

fn responses(
    versions: impl Stream<Item = Result<Order, crate::app::Error>> + Send + 'static,
) -> BoxStream<'static, Result<WatchOrderResponse, Status>> {
    let response = |version: Result<Order, _>| {
        let order = Some(order_message(&version.map_err(status)?));
        Ok(WatchOrderResponse { order })
    };
    versions.map(response).boxed()
}
