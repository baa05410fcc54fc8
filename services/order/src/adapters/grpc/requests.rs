//! From the contract's requests to what the use cases take. Whatever is wrong with a request is
//! told at once.

use uuid::Uuid;
use waybill::{
    clock::IdGenerator,
    contract::order::v1::{
        CancelOrderRequest, GetOrderRequest, ListOrdersRequest, PlaceOrderItem, PlaceOrderRequest,
        WatchOrderRequest,
    },
    grpc::{page::Page, request, status::Violations},
};

use tonic::Status;

use crate::{
    domain::{ItemDraft, NewOrder, OrderDraft, PriceDraft, Reason, Violation},
    ports::Request,
};

pub(super) struct PlaceOrder {
    pub(super) new: NewOrder,
    pub(super) request: Request,
}

pub(super) struct CancelOrder {
    pub(super) order_id: Uuid,
    pub(super) reason: Reason,
    pub(super) request: Request,
}

pub(super) struct ListOrders {
    pub(super) user_id: Uuid,
    pub(super) page: Page,
    /// What a page token belongs to.
    pub(super) query: String,
}

pub(super) struct WatchOrder {
    pub(super) order_id: Uuid,
    pub(super) after_version: i64,
}

pub(super) fn place_order(
    mut message: PlaceOrderRequest,
    ids: &dyn IdGenerator,
) -> Result<PlaceOrder, Status> {
    let mut violations = Violations::default();
    let request_id = std::mem::take(&mut message.request_id);
    let request = Request {
        id: request::request_id(&request_id, ids, &mut violations),
        fingerprint: request::fingerprint("PlaceOrder", &message),
    };
    let new = draft(message).validate();
    let new = noting(new, &mut violations);
    violations.into_result()?;
    Ok(PlaceOrder {
        new: new.expect("without violations it is valid"),
        request,
    })
}

pub(super) fn cancel_order(
    mut message: CancelOrderRequest,
    ids: &dyn IdGenerator,
) -> Result<CancelOrder, Status> {
    let mut violations = Violations::default();
    let request_id = std::mem::take(&mut message.request_id);
    let request = Request {
        id: request::request_id(&request_id, ids, &mut violations),
        fingerprint: request::fingerprint("CancelOrder", &message),
    };
    let order_id = request::uuid("order_id", &message.order_id, &mut violations);
    let reason = Reason::parse(message.reason).map_err(|violation| vec![violation]);
    let reason = noting(reason, &mut violations);
    violations.into_result()?;
    Ok(CancelOrder {
        order_id,
        reason: reason.expect("without violations it is valid"),
        request,
    })
}

pub(super) fn get_order(message: &GetOrderRequest) -> Result<Uuid, Status> {
    let mut violations = Violations::default();
    let order_id = request::uuid("order_id", &message.order_id, &mut violations);
    violations.into_result().map(|()| order_id)
}

pub(super) fn list_orders(message: &ListOrdersRequest) -> Result<ListOrders, Status> {
    let mut violations = Violations::default();
    let user_id = request::uuid("user_id", &message.user_id, &mut violations);
    if message.page_size < 0 {
        violations.add("page_size", "must not be negative");
    }
    violations.into_result()?;
    let query = format!("waybill.order.v1.ListOrders user_id={user_id}");
    let page = Page::from_request(message.page_size, &message.page_token, &query)?;
    Ok(ListOrders { user_id, page, query })
}

pub(super) fn watch_order(message: &WatchOrderRequest) -> Result<WatchOrder, Status> {
    let mut violations = Violations::default();
    let order_id = request::uuid("order_id", &message.order_id, &mut violations);
    if message.after_version < 0 {
        violations.add("after_version", "must not be negative");
    }
    violations.into_result()?;
    Ok(WatchOrder {
        order_id,
        after_version: message.after_version,
    })
}

fn noting<T>(result: Result<T, Vec<Violation>>, violations: &mut Violations) -> Option<T> {
    result
        .map_err(|found| {
            for Violation { field, takes } in found {
                violations.add(field, takes);
            }
        })
        .ok()
}

fn draft(message: PlaceOrderRequest) -> OrderDraft {
    OrderDraft {
        user_id: message.user_id,
        items: message.items.into_iter().map(item).collect(),
    }
}

fn item(message: PlaceOrderItem) -> ItemDraft {
    ItemDraft {
        product_id: message.product_id,
        quantity: message.quantity,
        unit_price: message.unit_price.map(|price| PriceDraft {
            currency_code: price.currency_code,
            units: price.units,
            nanos: price.nanos,
        }),
    }
}
