//! Streams: what ends them, and how that is told.

use tokio::net::TcpStream;
use tonic::{Code, Status, Streaming};
use waybill::{
    contract::order::v1::{GetOrderRequest, WatchOrderRequest, WatchOrderResponse},
    grpc::reason,
};

use crate::{
    Served,
    orders::{HELD, PANIC, PLAIN, REFUSED},
    raw, reason,
};

async fn watch(served: &Served, order_id: &str) -> Streaming<WatchOrderResponse> {
    let request = WatchOrderRequest {
        order_id: order_id.to_owned(),
        after_version: 0,
    };
    served.client().watch_order(request).await.unwrap().into_inner()
}

/// The status after the first and only message.
async fn end(served: &Served, order_id: &str) -> Status {
    let mut stream = watch(served, order_id).await;
    assert!(stream.message().await.unwrap().is_some());
    stream.message().await.unwrap_err()
}

#[tokio::test]
async fn an_error_after_messages_has_error_info_too() {
    let served = Served::start().await;
    let status = end(&served, REFUSED).await;
    assert_eq!((status.code(), status.message()), (Code::DataLoss, "gone"));
    assert_eq!(reason(&status), reason::UNSPECIFIED);
}

#[tokio::test]
async fn a_stream_that_panics_ends_with_internal_and_nothing_else_does() {
    let served = Served::start().await;
    // tonic had not sent the first message yet: it gathers what is ready.
    let status = watch(&served, PANIC).await.message().await.unwrap_err();
    assert_eq!(status.code(), Code::Internal);
    assert_eq!(reason(&status), reason::INTERNAL);

    let mut stream = watch(&served, PLAIN).await;
    assert!(stream.message().await.unwrap().is_some());
    assert!(stream.message().await.unwrap().is_none());
}

#[tokio::test]
async fn a_stream_ends_at_its_clients_deadline() {
    let served = Served::start().await;
    let request = WatchOrderRequest {
        order_id: HELD.to_owned(),
        after_version: 0,
    };
    let method = "waybill.order.v1.OrderService/WatchOrder";
    let (headers, status) = raw::call(served.address, method, Some("20m"), &request).await;
    assert!(headers.contains_key("x-correlation-id"));
    assert_eq!(status.code(), Code::DeadlineExceeded);
    assert_eq!(reason(&status), reason::DEADLINE_EXCEEDED);
}

#[tokio::test]
async fn a_server_that_stops_ends_streams_and_lets_calls_finish() {
    let served = Served::start().await;
    let mut stream = watch(&served, HELD).await;
    assert!(stream.message().await.unwrap().is_some());
    let mut client = served.client();
    let request = GetOrderRequest {
        order_id: HELD.to_owned(),
    };
    let call = tokio::spawn(async move { client.get_order(request).await });
    served.orders.begun.notified().await;

    served.stop.cancel();
    let status = stream.message().await.unwrap_err();
    assert_eq!(status.code(), Code::Unavailable);
    assert_eq!(reason(&status), reason::SERVER_STOPPING);

    served.orders.go_on.notify_one();
    call.await.unwrap().unwrap();
    served.running.await.unwrap().unwrap();
}

#[tokio::test]
async fn a_connection_that_says_nothing_does_not_keep_a_server_from_stopping() {
    let served = Served::start().await;
    let _silent = TcpStream::connect(served.address).await.unwrap();
    let mut stream = watch(&served, HELD).await;
    assert!(stream.message().await.unwrap().is_some());

    served.stop.cancel();
    served.running.await.unwrap().unwrap();
    let status = stream.message().await.unwrap_err();
    assert_eq!(reason(&status), reason::SERVER_STOPPING);
}
