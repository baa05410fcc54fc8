//! Events of every released version, as they once crossed the broker, still tell what they told.

use uuid::Uuid;
use waybill::{
    clock::from_unix_millis,
    context::Context,
    contract::{
        Event,
        order::v1::{OrderCancelled, OrderCreated},
        user::v1::{UserContactChanged, UserRegistered},
    },
    envelope::Envelope,
};

use super::{contact_in, notice_in};
use crate::domain::{
    contact::Contact,
    money::Money,
    notice::{Item, Notice},
    notification::Kind,
};

const ADA: Uuid = Uuid::from_u128(0x0193_66f0_0000_7000_8000_0000_0000_0002);
const ORDER: Uuid = Uuid::from_u128(0x0193_66f0_0000_7000_8000_0000_0000_0001);

fn golden<E: Event>(bytes: &'static [u8]) -> Envelope {
    let (id, time) = (Uuid::from_u128(7), from_unix_millis(2_000));
    let mut envelope = Envelope::new(id, time, "waybill.test", &Context::new("c"), &E::default());
    envelope.body = bytes.into();
    envelope
}

fn euros(units: i64, nanos: i32) -> Money {
    Money::new("EUR", units, nanos)
}

fn notice(kind: Kind, reason: &str) -> Notice {
    Notice {
        event_id: Uuid::from_u128(7),
        time: from_unix_millis(2_000),
        kind,
        user_id: ADA,
        order_id: ORDER,
        items: vec![Item {
            product_id: "tea-assam-250g".into(),
            quantity: 2,
            unit_price: euros(7, 490_000_000),
        }],
        total: euros(14, 980_000_000),
        reason: reason.into(),
    }
}

fn contact(email: &str, display_name: &str, version: i64) -> Contact {
    Contact {
        user_id: ADA,
        email: email.into(),
        display_name: display_name.into(),
        version,
    }
}

#[test]
fn released_events_of_orders_are_the_same_notices() {
    let placed = golden::<OrderCreated>(include_bytes!(
        "../../../../../tests/golden/waybill.order.v1.OrderCreated.binpb"
    ));
    let cancelled = golden::<OrderCancelled>(include_bytes!(
        "../../../../../tests/golden/waybill.order.v1.OrderCancelled.binpb"
    ));
    assert_eq!(notice_in(&placed), Ok(notice(Kind::Confirmation, "")));
    assert_eq!(
        notice_in(&cancelled),
        Ok(notice(Kind::Cancellation, "ordered twice"))
    );
}

#[test]
fn released_events_of_users_are_the_same_contacts() {
    let registered = golden::<UserRegistered>(include_bytes!(
        "../../../../../tests/golden/waybill.user.v1.UserRegistered.binpb"
    ));
    let changed = golden::<UserContactChanged>(include_bytes!(
        "../../../../../tests/golden/waybill.user.v1.UserContactChanged.binpb"
    ));
    assert_eq!(contact_in(&registered), Ok(contact("ada@example.com", "Ada", 1)));
    assert_eq!(contact_in(&changed), Ok(contact("ada@shop.example", "Ada L.", 2)));
}
