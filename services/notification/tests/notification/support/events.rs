//! Events of users and orders.

use uuid::Uuid;
use waybill::{
    clock::{IdGenerator, UuidV7Generator, from_unix_millis},
    context::Context,
    contract::{
        google::r#type::Money,
        order::v1::{OrderCancelled, OrderCreated, OrderItem},
        user::v1::{UserContactChanged, UserRegistered},
    },
    envelope::Envelope,
};

/// Tuesday, 14 November 2023, 22:13:20 UTC.
pub(crate) const EVENT_TIME_MS: i64 = 1_700_000_000_000;

/// A new id.
pub(crate) fn id() -> Uuid {
    static IDS: std::sync::LazyLock<UuidV7Generator> = std::sync::LazyLock::new(UuidV7Generator::default);
    IDS.next_id()
}

fn envelope(event: &impl waybill::contract::Event) -> Envelope {
    let time = from_unix_millis(EVENT_TIME_MS);
    Envelope::new(id(), time, "waybill.test", &Context::new("c-1"), event)
}

fn euros(units: i64, nanos: i32) -> Money {
    Money {
        currency_code: "EUR".into(),
        units,
        nanos,
    }
}

fn items() -> Vec<OrderItem> {
    vec![OrderItem {
        product_id: "tea-1".into(),
        quantity: 3,
        unit_price: Some(euros(4, 950_000_000)),
    }]
}

/// A user registered.
pub(crate) fn registered(user_id: Uuid, email: &str, display_name: &str) -> Envelope {
    envelope(&UserRegistered {
        user_id: user_id.to_string(),
        email: email.into(),
        display_name: display_name.into(),
        version: 1,
        create_time: None,
    })
}

/// A user's contact changed.
pub(crate) fn contact_changed(user_id: Uuid, email: &str, display_name: &str, version: i64) -> Envelope {
    envelope(&UserContactChanged {
        user_id: user_id.to_string(),
        email: email.into(),
        display_name: display_name.into(),
        version,
        update_time: None,
    })
}

/// A user placed an order of three teas, 14.85 EUR in all.
pub(crate) fn created(user_id: Uuid, order_id: Uuid) -> Envelope {
    envelope(&OrderCreated {
        order_id: order_id.to_string(),
        user_id: user_id.to_string(),
        items: items(),
        total_amount: Some(euros(14, 850_000_000)),
        version: 1,
        create_time: None,
    })
}

/// A user's order of three teas was cancelled.
pub(crate) fn cancelled(user_id: Uuid, order_id: Uuid) -> Envelope {
    envelope(&OrderCancelled {
        order_id: order_id.to_string(),
        user_id: user_id.to_string(),
        items: items(),
        total_amount: Some(euros(14, 850_000_000)),
        version: 2,
        create_time: None,
        cancel_time: None,
        reason: "changed my mind".into(),
    })
}
