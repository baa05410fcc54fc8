//! PlaceOrder.

use prost::Message;
use tonic::Code;
use tonic_types::StatusExt;
use waybill::contract::{
    google::r#type::Money,
    order::v1::{GetOrderRequest, OrderState, PlaceOrderRequest},
};
use waybill_testkit::mongodb::PrivateServer;

use crate::fixture::{Instance, Store, assert_error, cancellation, id, item, placement};

#[tokio::test]
async fn a_placed_order_is_answered_and_shown_as_it_was_sent() {
    for store in Store::all().await {
        let instance = Instance::on(&store).await;
        let request = placement();
        let order = instance.place(&request).await.unwrap();
        assert_eq!(order.user_id, request.user_id);
        assert_eq!((order.version, order.state()), (1, OrderState::Placed));
        assert_eq!(order.items[0].unit_price, request.items[0].unit_price);
        let total = Money {
            currency_code: "EUR".into(),
            units: 29,
            nanos: 980_000_000,
        };
        assert_eq!(order.total_amount, Some(total));
        assert_eq!(order.create_time, order.update_time);

        let get = GetOrderRequest {
            order_id: order.order_id.clone(),
        };
        let shown = instance.client.clone().get_order(get).await.unwrap();
        assert_eq!(shown.into_inner().order, Some(order));
    }
}

#[tokio::test]
async fn a_repeated_request_gets_the_first_answer_byte_for_byte() {
    for store in Store::all().await {
        let (one, other) = (Instance::on(&store).await, Instance::on(&store).await);
        let request = placement();
        let first = one.place(&request).await.unwrap();
        let again = other.place(&request).await.unwrap();
        assert_eq!(again.encode_to_vec(), first.encode_to_vec());

        one.cancel(&cancellation(&first)).await.unwrap();
        let again = other.place(&request).await.unwrap();
        assert_eq!(again.encode_to_vec(), first.encode_to_vec());

        let mut changed = request.clone();
        changed.items[0].quantity += 1;
        assert_error(
            one.place(&changed).await,
            Code::AlreadyExists,
            "REQUEST_ID_REUSED",
        );
        assert_eq!(one.orders_of(&request.user_id).await.len(), 1);
    }
}

#[tokio::test]
async fn placements_of_one_request_at_the_same_moment_make_one_order() {
    for store in Store::all().await {
        let instances = [Instance::on(&store).await, Instance::on(&store).await];
        let request = placement();
        let placements = (0..16).map(|n| instances[n % 2].place(&request));
        let answers = futures::future::join_all(placements).await;
        let first = answers[0].clone().unwrap().encode_to_vec();
        for answer in answers {
            assert_eq!(answer.unwrap().encode_to_vec(), first);
        }
        assert_eq!(instances[0].orders_of(&request.user_id).await.len(), 1);
    }
}

#[tokio::test]
async fn requests_without_an_id_are_never_taken_for_repeats() {
    let store = Store::sqlite();
    let instance = Instance::on(&store).await;
    let mut request = placement();
    request.request_id.clear();
    let one = instance.place(&request).await.unwrap();
    let two = instance.place(&request).await.unwrap();
    assert_ne!(one.order_id, two.order_id);
}

#[tokio::test]
async fn each_bad_field_is_named_and_nothing_is_stored() {
    type Spoil = fn(&mut PlaceOrderRequest);
    fn price(request: &mut PlaceOrderRequest) -> &mut Money {
        request.items[1].unit_price.as_mut().unwrap()
    }
    let cases: [(&str, Spoil); 14] = [
        ("request_id", |r| r.request_id = "1".into()),
        ("user_id", |r| r.user_id = "me".into()),
        ("items", |r| r.items.clear()),
        ("items", |r| r.items = vec![item("a", 1, 1); 501]),
        ("items", |r| {
            r.items = vec![item("a", 10_000, 100_000_000_000); 500];
        }),
        ("items[1].product_id", |r| r.items[1].product_id = "a b".into()),
        ("items[1].quantity", |r| r.items[1].quantity = 0),
        ("items[1].quantity", |r| r.items[1].quantity = 10_001),
        ("items[1].unit_price", |r| r.items[1].unit_price = None),
        ("items[1].unit_price.units", |r| price(r).units = 1_000_000_001),
        ("items[1].unit_price.nanos", |r| price(r).nanos = 1_000_000_000),
        ("items[1].unit_price.nanos", |r| price(r).nanos = -1),
        ("items[1].unit_price.currency_code", |r| {
            price(r).currency_code = "ABC".into();
        }),
        ("items[1].unit_price.currency_code", |r| {
            price(r).currency_code = "USD".into();
        }),
    ];
    let store = Store::sqlite();
    let instance = Instance::on(&store).await;
    let user_id = id();
    for (field, spoil) in cases {
        let mut request = placement();
        request.user_id.clone_from(&user_id);
        spoil(&mut request);
        let status = assert_error(
            instance.place(&request).await,
            Code::InvalidArgument,
            "INVALID_FIELD",
        );
        let violations = status.get_details_bad_request().unwrap().field_violations;
        let fields: Vec<_> = violations.iter().map(|v| v.field.as_str()).collect();
        assert_eq!(fields, [field]);
    }
    assert!(instance.orders_of(&user_id).await.is_empty());
}

#[tokio::test]
async fn every_bad_field_is_named_at_once() {
    let store = Store::sqlite();
    let instance = Instance::on(&store).await;
    let request = PlaceOrderRequest {
        request_id: "?".into(),
        user_id: "?".into(),
        items: vec![item("", 0, 1), item("ok", 1, 1)],
    };
    let status = assert_error(
        instance.place(&request).await,
        Code::InvalidArgument,
        "INVALID_FIELD",
    );
    let violations = status.get_details_bad_request().unwrap().field_violations;
    let fields: Vec<_> = violations.iter().map(|v| v.field.as_str()).collect();
    assert_eq!(
        fields,
        [
            "request_id",
            "user_id",
            "items[0].product_id",
            "items[0].quantity"
        ]
    );
}

#[tokio::test]
async fn an_instance_starts_without_its_database_and_goes_on_when_it_is_back() {
    let mut server = PrivateServer::start().await;
    let store = Store::Mongo(server.url());
    server.kill();
    let instance = Instance::on(&store).await;
    let request = placement();
    assert_error(
        instance.place(&request).await,
        Code::Unavailable,
        "STORE_UNAVAILABLE",
    );
    server.restart().await;
    let order = instance.place(&request).await.unwrap();
    instance.cancel(&cancellation(&order)).await.unwrap();
    assert_eq!(instance.orders_of(&request.user_id).await.len(), 1);
}
