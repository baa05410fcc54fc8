//! CancelOrder.

use prost::Message;
use tonic::Code;
use tonic_types::StatusExt;
use waybill::contract::order::v1::{CancelOrderRequest, OrderState};

use crate::fixture::{Instance, Store, assert_error, cancellation, placement, unknown_id};

#[tokio::test]
async fn a_repeated_cancellation_gets_the_first_answer_and_another_is_refused() {
    for store in Store::all().await {
        let (one, other) = (Instance::on(&store).await, Instance::on(&store).await);
        let placed = one.place(&placement()).await.unwrap();
        let request = cancellation(&placed);
        let first = one.cancel(&request).await.unwrap();
        assert_eq!((first.version, first.state()), (2, OrderState::Cancelled));
        assert_eq!(first.cancel_reason, request.reason);
        let again = other.cancel(&request).await.unwrap();
        assert_eq!(again.encode_to_vec(), first.encode_to_vec());

        let status = assert_error(
            other.cancel(&cancellation(&placed)).await,
            Code::FailedPrecondition,
            "ORDER_ALREADY_CANCELLED",
        );
        let info = status.get_details_error_info().unwrap();
        assert_eq!(info.metadata["order_id"], placed.order_id);
    }
}

#[tokio::test]
async fn a_request_id_cancels_one_order_in_one_way() {
    for store in Store::all().await {
        let instance = Instance::on(&store).await;
        let placed = instance.place(&placement()).await.unwrap();
        let other = instance.place(&placement()).await.unwrap();
        let request = cancellation(&placed);
        instance.cancel(&request).await.unwrap();
        for changed in [
            CancelOrderRequest {
                reason: "another".into(),
                ..request.clone()
            },
            CancelOrderRequest {
                order_id: other.order_id.clone(),
                ..request.clone()
            },
        ] {
            let result = instance.cancel(&changed).await;
            assert_error(result, Code::AlreadyExists, "REQUEST_ID_REUSED");
        }
        assert_eq!(instance.orders_of(&other.user_id).await, [other]);
    }
}

#[tokio::test]
async fn cancellations_of_one_request_at_the_same_moment_all_get_its_answer() {
    for store in Store::all().await {
        let instances = [Instance::on(&store).await, Instance::on(&store).await];
        let placed = instances[0].place(&placement()).await.unwrap();
        let request = cancellation(&placed);
        let calls = (0..8).map(|n| instances[n % 2].cancel(&request));
        for answer in futures::future::join_all(calls).await {
            assert_eq!(answer.unwrap().version, 2);
        }
    }
}

#[tokio::test]
async fn an_unknown_order_or_a_bad_request_is_refused() {
    let store = Store::sqlite();
    let instance = Instance::on(&store).await;
    let request = CancelOrderRequest {
        order_id: unknown_id(),
        ..CancelOrderRequest::default()
    };
    let status = assert_error(instance.cancel(&request).await, Code::NotFound, "ORDER_NOT_FOUND");
    let info = status.get_details_error_info().unwrap();
    assert_eq!(info.metadata["order_id"], unknown_id());

    let bad = CancelOrderRequest {
        request_id: "?".into(),
        order_id: "?".into(),
        reason: "a".repeat(501),
    };
    let status = assert_error(
        instance.cancel(&bad).await,
        Code::InvalidArgument,
        "INVALID_FIELD",
    );
    let violations = status.get_details_bad_request().unwrap().field_violations;
    let fields: Vec<_> = violations.iter().map(|v| v.field.as_str()).collect();
    assert_eq!(fields, ["request_id", "order_id", "reason"]);
}
