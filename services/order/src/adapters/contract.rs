//! From the domain to the contract's messages, for answers and events alike. The other way is
//! `grpc::requests`.

use std::time::SystemTime;

use prost_types::Timestamp;
use waybill::contract::{
    google::r#type::Money as MoneyMessage,
    order::v1::{Order as OrderMessage, OrderItem as ItemMessage, OrderState},
};

use crate::domain::{Money, Order, State};

/// The order as clients see it.
pub(super) fn order_message(order: &Order) -> OrderMessage {
    OrderMessage {
        order_id: order.id().to_string(),
        user_id: order.user_id().to_string(),
        items: items(order),
        total_amount: Some(money(order.total())),
        state: state(order.state()).into(),
        version: order.version(),
        create_time: Some(timestamp(order.create_time())),
        update_time: Some(timestamp(order.update_time())),
        cancel_reason: order.cancel_reason().to_owned(),
    }
}

/// What was ordered.
pub(super) fn items(order: &Order) -> Vec<ItemMessage> {
    let item = |item: &crate::domain::OrderItem| ItemMessage {
        product_id: item.product_id.clone(),
        quantity: item.quantity,
        unit_price: Some(money(item.unit_price)),
    };
    order.items().iter().map(item).collect()
}

/// An amount.
pub(super) fn money(money: Money) -> MoneyMessage {
    MoneyMessage {
        currency_code: money.currency().code().to_owned(),
        units: money
            .units()
            .expect("no order's sum comes near the limit of units"),
        nanos: money.nanos(),
    }
}

/// A time.
pub(super) fn timestamp(time: SystemTime) -> Timestamp {
    Timestamp::from(time)
}

fn state(state: State) -> OrderState {
    match state {
        State::Placed => OrderState::Placed,
        State::Cancelled => OrderState::Cancelled,
    }
}
