//! WatchOrder.

use tonic::{Code, Status, Streaming};
use waybill::contract::order::v1::{Order, WatchOrderRequest, WatchOrderResponse};

use crate::fixture::{Instance, Store, assert_error, cancellation, placement, unknown_id};

impl Instance {
    async fn watch(
        &self,
        order_id: &str,
        after_version: i64,
    ) -> Result<Streaming<WatchOrderResponse>, Status> {
        let request = WatchOrderRequest {
            order_id: order_id.to_owned(),
            after_version,
        };
        Ok(self.client.clone().watch_order(request).await?.into_inner())
    }
}

async fn next(stream: &mut Streaming<WatchOrderResponse>) -> Order {
    stream.message().await.unwrap().unwrap().order.unwrap()
}

#[tokio::test]
async fn versions_come_in_order_wherever_they_were_made() {
    for store in Store::all().await {
        let (here, there) = (Instance::on(&store).await, Instance::on(&store).await);
        let placed = here.place(&placement()).await.unwrap();
        let mut at_home = here.watch(&placed.order_id, 0).await.unwrap();
        let mut elsewhere = there.watch(&placed.order_id, 0).await.unwrap();
        assert_eq!(next(&mut at_home).await, placed);
        assert_eq!(next(&mut elsewhere).await, placed);
        let cancelled = here.cancel(&cancellation(&placed)).await.unwrap();
        assert_eq!(next(&mut at_home).await, cancelled);
        assert_eq!(next(&mut elsewhere).await, cancelled);
    }
}

#[tokio::test]
async fn a_stream_that_a_stopping_instance_ends_is_taken_up_at_another_without_a_gap() {
    for store in Store::all().await {
        let (stopping, other) = (Instance::on(&store).await, Instance::on(&store).await);
        let placed = other.place(&placement()).await.unwrap();
        let mut stream = stopping.watch(&placed.order_id, 0).await.unwrap();
        let seen = next(&mut stream).await.version;
        stopping.stop.cancel();
        let end = stream.message().await;
        assert_error(end, Code::Unavailable, "SERVER_STOPPING");

        let cancelled = other.cancel(&cancellation(&placed)).await.unwrap();
        let mut stream = other.watch(&placed.order_id, seen).await.unwrap();
        assert_eq!(next(&mut stream).await, cancelled);
    }
}

#[tokio::test]
async fn what_cannot_be_watched_is_refused() {
    let store = Store::sqlite();
    let instance = Instance::on(&store).await;
    let placed = instance.place(&placement()).await.unwrap();
    for (order_id, after_version, code, reason) in [
        (unknown_id(), 0, Code::NotFound, "ORDER_NOT_FOUND"),
        ("me".to_owned(), 0, Code::InvalidArgument, "INVALID_FIELD"),
        (placed.order_id, -1, Code::InvalidArgument, "INVALID_FIELD"),
    ] {
        let result = instance.watch(&order_id, after_version).await;
        assert_error(result, code, reason);
    }
}
