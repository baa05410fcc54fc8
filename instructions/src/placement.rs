//! Placements as they come over the wire, to the real service on a store that only encodes.

use std::{
    hint::black_box,
    sync::Arc,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use async_trait::async_trait;
use prost::Message as _;
use tokio_util::sync::CancellationToken;
use tonic::body::Body;
use tower::Service;
use uuid::Uuid;
use waybill::{
    clock::{IdGenerator, ManualClock, UuidV7Generator},
    contract::{
        google::r#type::Money,
        order::v1::{PlaceOrderItem, PlaceOrderRequest},
    },
    message::Message,
    mongo::bson,
    outbox::Entry,
    store::Result,
};
use waybill_order::{
    adapters::{
        events::ContractEvents,
        grpc::{self, GrpcOrderService},
        mongo,
    },
    app::{Orders, Parts},
    domain::{ItemDraft, Order, OrderDraft, PriceDraft},
    ports::{EventOffers, Insert, OrderQueries, OrderRepository, Position, Recorded, Request, Update},
};

type OrderServer = waybill::contract::order::v1::order_service_server::OrderServiceServer<GrpcOrderService>;

/// Items of an order: what a cart usually holds.
const ITEMS: u32 = 3;

/// When everything happens.
pub(crate) fn time() -> SystemTime {
    UNIX_EPOCH + Duration::from_hours(500_000)
}

/// An order of three items.
pub(crate) fn order() -> Order {
    let item = |n| ItemDraft {
        product_id: format!("sku-{n}"),
        quantity: n + 1,
        unit_price: Some(PriceDraft {
            currency_code: "EUR".into(),
            units: 12,
            nanos: 990_000_000,
        }),
    };
    let draft = OrderDraft {
        user_id: Uuid::from_u128(7).to_string(),
        items: (0..ITEMS).map(item).collect(),
    };
    let new = draft.validate().expect("the draft is good");
    Order::place(Uuid::from_u128(8), new, time())
}

/// The request that places such an order, with the frame of gRPC.
pub(crate) fn request() -> Vec<u8> {
    let item = |n| PlaceOrderItem {
        product_id: format!("sku-{n}"),
        quantity: n + 1,
        unit_price: Some(Money {
            currency_code: "EUR".into(),
            units: 12,
            nanos: 990_000_000,
        }),
    };
    let request = PlaceOrderRequest {
        request_id: Uuid::from_u128(9).to_string(),
        user_id: Uuid::from_u128(7).to_string(),
        items: (0..ITEMS).map(item).collect(),
    };
    let body = request.encode_to_vec();
    let length = u32::try_from(body.len()).expect("it is short");
    let mut frame = vec![0];
    frame.extend(length.to_be_bytes());
    frame.extend(body);
    frame
}

/// The service on [`Encoding`].
pub(crate) fn service() -> OrderServer {
    let ids: Arc<dyn IdGenerator> = Arc::new(UuidV7Generator::default());
    let parts = Parts {
        repository: Arc::new(Encoding),
        queries: Arc::new(Encoding),
        events: Arc::new(ContractEvents::new(Arc::clone(&ids))),
        offers: Arc::new(Encoding),
        clock: Arc::new(ManualClock::new(time())),
        ids: Arc::clone(&ids),
    };
    let orders = Orders::new(parts, CancellationToken::new());
    grpc::service(Arc::new(orders), ids)
}

/// Places an order by a request with its frame.
pub(crate) async fn place(service: &mut OrderServer, frame: &[u8]) {
    let body = Body::new(axum::body::Body::from(frame.to_vec()));
    let request = http::Request::post("/waybill.order.v1.OrderService/PlaceOrder")
        .header("content-type", "application/grpc")
        .body(body)
        .expect("the request is well-formed");
    let answer = service.call(request).await.expect("the service never fails");
    assert!(
        answer.headers().get("grpc-status").is_none(),
        "{:?}",
        answer.headers()
    );
    black_box(answer);
}

/// A store that makes the document which MongoDB would be sent, and nothing of it.
struct Encoding;

#[async_trait]
impl OrderRepository for Encoding {
    async fn insert(&self, order: &Order, request: Request, event: Message) -> Result<Insert> {
        let entry = Entry {
            owner: request.id.to_string(),
            message: event,
        };
        let document = mongo::placement(order, request, &entry)?;
        black_box(bson::serialize_to_raw_document_buf(&document).expect("a document can be encoded"));
        Ok(Insert::Stored(entry))
    }

    async fn cancel(&self, _: &Order, _: Request, _: Message) -> Result<Update> {
        Ok(Update::Moved)
    }

    async fn cancelled_by(&self, _: Uuid) -> Result<Option<Recorded>> {
        Ok(None)
    }
}

#[async_trait]
impl OrderQueries for Encoding {
    async fn find(&self, _: Uuid) -> Result<Option<Order>> {
        Ok(None)
    }

    async fn list(&self, _: Uuid, _: Option<Position>, _: usize) -> Result<Vec<Order>> {
        Ok(Vec::new())
    }

    async fn versions(&self, _: &[Uuid]) -> Result<Vec<(Uuid, i64)>> {
        Ok(Vec::new())
    }
}

impl EventOffers for Encoding {
    fn offer(&self, entry: Entry) {
        black_box(entry);
    }
}
