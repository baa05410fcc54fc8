//! Reads notices from events of orders.

use waybill::{
    contract::{
        google::r#type::Money as WireMoney,
        order::v1::{OrderCancelled, OrderCreated, OrderItem},
    },
    envelope::Envelope,
    failure::Failure,
};

use super::{id, invalid};
use crate::domain::{
    money::Money,
    notice::{Item, Notice},
    notification::Kind,
};

pub(super) fn of_created(envelope: &Envelope, event: OrderCreated) -> Result<Notice, Failure> {
    Ok(Notice {
        event_id: envelope.id,
        time: envelope.time,
        kind: Kind::Confirmation,
        user_id: id("user_id", &event.user_id)?,
        order_id: id("order_id", &event.order_id)?,
        items: items(event.items)?,
        total: money("total_amount", event.total_amount)?,
        reason: String::new(),
    })
}

pub(super) fn of_cancelled(envelope: &Envelope, event: OrderCancelled) -> Result<Notice, Failure> {
    Ok(Notice {
        event_id: envelope.id,
        time: envelope.time,
        kind: Kind::Cancellation,
        user_id: id("user_id", &event.user_id)?,
        order_id: id("order_id", &event.order_id)?,
        items: items(event.items)?,
        total: money("total_amount", event.total_amount)?,
        reason: event.reason,
    })
}

fn items(items: Vec<OrderItem>) -> Result<Vec<Item>, Failure> {
    let item = |item: OrderItem| {
        Ok(Item {
            product_id: item.product_id,
            quantity: item.quantity,
            unit_price: money("items.unit_price", item.unit_price)?,
        })
    };
    items.into_iter().map(item).collect()
}

fn money(field: &str, money: Option<WireMoney>) -> Result<Money, Failure> {
    let money = money.ok_or_else(|| invalid(field, "set"))?;
    let code = &money.currency_code;
    if code.len() != 3 || !code.bytes().all(|b| b.is_ascii_uppercase()) {
        return Err(invalid(field, "in a currency of three capital letters"));
    }
    Ok(Money::new(money.currency_code, money.units, money.nanos))
}
