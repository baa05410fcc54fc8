//! Every error has a code that is right for a client, and `ErrorInfo`.

use prost_types::Timestamp;
use tonic::{Code, Request};
use tonic_types::StatusExt;
use waybill::{
    context::MAX_CORRELATION_ID_BYTES,
    contract::order::v1::{GetOrderRequest, ListOrdersRequest, PlaceOrderRequest},
    grpc::{reason, server::MAX_MESSAGE_BYTES},
};

use crate::{
    Served,
    orders::{HELD, PANIC, PLAIN, REFUSED},
    raw, reason,
};

const GET_ORDER: &str = "waybill.order.v1.OrderService/GetOrder";

fn get(order_id: impl Into<String>) -> GetOrderRequest {
    GetOrderRequest {
        order_id: order_id.into(),
    }
}

#[tokio::test]
async fn a_handlers_own_details_are_left_as_they_are() {
    let served = Served::start().await;
    let refused = served.client().get_order(get(REFUSED)).await.unwrap_err();
    assert_eq!(refused.code(), Code::NotFound);
    assert_eq!(reason(&refused), reason::ORDER_NOT_FOUND);

    let invalid = served
        .client()
        .place_order(PlaceOrderRequest::default())
        .await
        .unwrap_err();
    assert_eq!(reason(&invalid), reason::INVALID_FIELD);
    let details = invalid.get_error_details();
    assert_eq!(details.bad_request().unwrap().field_violations[0].field, "items");
}

#[tokio::test]
async fn a_bare_status_is_given_error_info() {
    let served = Served::start().await;
    let bare = served.client().list_orders(ListOrdersRequest::default()).await;
    let bare = bare.unwrap_err();
    assert_eq!((bare.code(), bare.message()), (Code::Internal, "a bare status"));
    assert_eq!(reason(&bare), reason::INTERNAL);
}

#[tokio::test]
async fn a_method_that_is_not_there_is_unimplemented() {
    let served = Served::start().await;
    for method in ["waybill.order.v1.OrderService/Nope", "no.such.Service/Get", "x"] {
        let (headers, status) = raw::call(served.address, method, None, &()).await;
        assert_eq!(status.code(), Code::Unimplemented, "{method}");
        assert_eq!(reason(&status), reason::METHOD_UNKNOWN);
        assert!(headers.contains_key("x-correlation-id"));
    }
}

#[tokio::test]
async fn bytes_that_are_no_message_are_the_clients_fault() {
    let served = Served::start().await;
    // Field 1 as a number, where a string belongs.
    let not_an_id = Timestamp { seconds: 7, nanos: 0 };
    let (_, status) = raw::call(served.address, GET_ORDER, None, &not_an_id).await;
    assert_eq!(status.code(), Code::InvalidArgument, "{status:?}");
    assert_eq!(reason(&status), reason::MALFORMED_MESSAGE);
}

#[tokio::test]
async fn a_message_over_the_limit_is_refused() {
    let served = Served::start().await;
    let large = get("x".repeat(MAX_MESSAGE_BYTES));
    let status = served.client().get_order(large).await.unwrap_err();
    assert_eq!(status.code(), Code::ResourceExhausted);
    assert_eq!(reason(&status), reason::MESSAGE_TOO_LARGE);
}

#[tokio::test]
async fn a_deadline_that_passes_is_told_as_such() {
    let served = Served::start().await;
    let (_, status) = raw::call(served.address, GET_ORDER, Some("20m"), &get(HELD)).await;
    assert_eq!(status.code(), Code::DeadlineExceeded, "{status:?}");
    assert_eq!(reason(&status), reason::DEADLINE_EXCEEDED);
}

#[tokio::test]
async fn a_panic_fails_its_call_and_no_other_on_the_connection() {
    let served = Served::start().await;
    let status = served.client().get_order(get(PANIC)).await.unwrap_err();
    assert_eq!(
        (status.code(), status.message()),
        (Code::Internal, "internal error")
    );
    assert_eq!(reason(&status), reason::INTERNAL);
    served.client().get_order(get(PLAIN)).await.unwrap();
}

#[tokio::test]
async fn a_call_too_many_is_turned_away_and_may_come_again() {
    let served = Served::taking(1).await;
    let mut client = served.client();
    let held = tokio::spawn(async move { client.get_order(get(HELD)).await });
    served.orders.begun.notified().await;

    let status = served.client().get_order(get(PLAIN)).await.unwrap_err();
    assert_eq!(status.code(), Code::Unavailable);
    assert_eq!(reason(&status), reason::OVERLOADED);

    served.orders.go_on.notify_one();
    held.await.unwrap().unwrap();
    served.client().get_order(get(PLAIN)).await.unwrap();
}

#[tokio::test]
async fn the_correlation_id_comes_back_and_reaches_the_handler() {
    let served = Served::start().await;
    let call = async |correlation_id: &str, order_id: &str| {
        let mut request = Request::new(get(order_id));
        let metadata = request.metadata_mut();
        metadata.insert("x-correlation-id", correlation_id.parse().unwrap());
        served.client().get_order(request).await
    };
    let answer = call("caller-1", PLAIN).await.unwrap();
    assert_eq!(answer.metadata().get("x-correlation-id").unwrap(), "caller-1");
    assert_eq!(answer.into_inner().order.unwrap().user_id, "caller-1");

    let refused = call("caller-2", REFUSED).await.unwrap_err();
    assert_eq!(refused.metadata().get("x-correlation-id").unwrap(), "caller-2");

    let too_long = "x".repeat(MAX_CORRELATION_ID_BYTES + 1);
    let answer = call(&too_long, PLAIN).await.unwrap();
    let made = answer.metadata().get("x-correlation-id").unwrap().clone();
    assert_eq!(made.len(), 36, "a UUID of the server's");
    assert_eq!(answer.into_inner().order.unwrap().user_id, made.to_str().unwrap());
}

#[test]
fn every_reason_is_explained_to_clients() {
    let source = include_str!("../../src/grpc/reason.rs");
    let explained = include_str!("../../docs/errors.md");
    let reasons = source
        .lines()
        .filter_map(|line| line.strip_prefix("pub const ")?.split(':').next())
        .filter(|name| *name != "DOMAIN");
    for reason in reasons {
        assert!(explained.contains(&format!("| `{reason}` |")), "{reason}");
    }
}
