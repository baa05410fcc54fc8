//! The one order that everything here is about: as a client asks for it, as the order service stores it
//! and tells of it, and as the mail that confirms it. All by the services' own code, so that floors carry
//! what the platform carries.

use std::{sync::Arc, time::SystemTime};

use uuid::Uuid;
use waybill::{
    clock::{Clock, IdGenerator, SystemClock, UuidV7Generator, unix_millis},
    context::Context,
    contract::order::v1::{Order as OrderMessage, OrderItem, OrderState, PlaceOrderRequest},
    message::Message,
};
use waybill_notification::domain::{
    contact::Contact,
    mail::Mail,
    money::Money,
    notice::{Item, Notice},
    notification::Kind,
};
use waybill_order::{
    adapters::events::ContractEvents,
    domain::{ItemDraft, Order, OrderDraft, PriceDraft},
    ports::{OrderEvents, Request},
};

use crate::client::{new_id, order_for};

/// An order, as all parts of the platform have it.
pub(crate) struct Payload {
    pub(crate) request: PlaceOrderRequest,
    /// The id of the request, by which a repeat of it is known.
    pub(crate) stored_request: Request,
    pub(crate) order: Order,
    /// The event that tells of it.
    pub(crate) event: Message,
}

impl Payload {
    /// One for this user.
    pub(crate) fn new(user_id: &str) -> Self {
        let ids = Arc::new(UuidV7Generator::default());
        let request = order_for(user_id, 1);
        let items = request.items.iter().map(|item| ItemDraft {
            product_id: item.product_id.clone(),
            quantity: item.quantity,
            unit_price: item.unit_price.as_ref().map(|price| PriceDraft {
                currency_code: price.currency_code.clone(),
                units: price.units,
                nanos: price.nanos,
            }),
        });
        let draft = OrderDraft {
            user_id: user_id.to_owned(),
            items: items.collect(),
        };
        let new = draft.validate().expect("the order is a good one");
        let order = Order::place(ids.next_id(), new, now());
        // A call without a correlation id gets a UUID.
        let event = ContractEvents::new(ids).created(&order, &Context::new(new_id()));
        Self {
            stored_request: Request {
                id: request.request_id.parse().expect("it is a UUID"),
                fingerprint: [7; 32],
            },
            request,
            order,
            event,
        }
    }

    /// The order as a caller gets it.
    pub(crate) fn answer(&self) -> OrderMessage {
        let order = &self.order;
        let total = order.total();
        let money = |price: waybill_order::domain::Money| waybill::contract::google::r#type::Money {
            currency_code: price.currency().code().to_owned(),
            units: price.units().expect("it is small"),
            nanos: price.nanos(),
        };
        OrderMessage {
            order_id: order.id().to_string(),
            user_id: order.user_id().to_string(),
            items: order
                .items()
                .iter()
                .map(|item| OrderItem {
                    product_id: item.product_id.clone(),
                    quantity: item.quantity,
                    unit_price: Some(money(item.unit_price)),
                })
                .collect(),
            total_amount: Some(money(total)),
            state: OrderState::Placed.into(),
            version: order.version(),
            create_time: Some(order.create_time().into()),
            update_time: Some(order.update_time().into()),
            cancel_reason: String::new(),
        }
    }

    /// The mail that confirms it.
    pub(crate) fn mail(&self) -> Mail {
        let money = |price: waybill_order::domain::Money| {
            Money::new(
                price.currency().code(),
                price.units().expect("it is small"),
                price.nanos(),
            )
        };
        let notice = Notice {
            event_id: Uuid::from_u128(u128::MAX),
            time: self.order.create_time(),
            kind: Kind::Confirmation,
            user_id: self.order.user_id(),
            order_id: self.order.id(),
            items: self
                .order
                .items()
                .iter()
                .map(|item| Item {
                    product_id: item.product_id.clone(),
                    quantity: item.quantity,
                    unit_price: money(item.unit_price),
                })
                .collect(),
            total: money(self.order.total()),
            reason: String::new(),
        };
        let contact = Contact {
            user_id: self.order.user_id(),
            email: format!("{}@example.com", self.order.user_id()),
            display_name: "Test User".into(),
            version: 1,
        };
        Mail::new(&notice, &contact, "waybill.example")
    }
}

/// The time, to the millisecond, as services have it.
fn now() -> SystemTime {
    waybill::clock::from_unix_millis(unix_millis(SystemClock.now()))
}

/// Bytes that are the same but for ids in some places: a new one costs a copy.
pub(crate) struct Template {
    bytes: Vec<u8>,
    /// Where each id stands, as text.
    places: Vec<Vec<usize>>,
    ids: UuidV7Generator,
}

impl Template {
    /// `bytes`, in which these ids are new each time.
    pub(crate) fn new(bytes: Vec<u8>, ids: &[&str]) -> Self {
        let found = |id: &&str| -> Vec<usize> {
            let places = bytes.windows(id.len()).enumerate();
            let places: Vec<_> = places
                .filter_map(|(at, window)| (window == id.as_bytes()).then_some(at))
                .collect();
            assert!(!places.is_empty(), "{id} is somewhere");
            places
        };
        Self {
            places: ids.iter().map(found).collect(),
            bytes,
            ids: UuidV7Generator::default(),
        }
    }

    /// The same with new ids.
    pub(crate) fn fresh(&self) -> Vec<u8> {
        let mut bytes = self.bytes.clone();
        let mut text = Uuid::encode_buffer();
        for places in &self.places {
            let id = self.ids.next_id().hyphenated().encode_lower(&mut text).as_bytes();
            for at in places {
                bytes[*at..*at + id.len()].copy_from_slice(id);
            }
        }
        bytes
    }
}
