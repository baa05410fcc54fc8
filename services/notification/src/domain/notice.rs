//! What an event says about an order, as far as a letter tells it.

use std::time::SystemTime;

use uuid::Uuid;

use super::{money::Money, notification::Kind};

/// Something that a user is to be told about an order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Notice {
    /// Id of the event that says so.
    pub event_id: Uuid,
    /// When it happened.
    pub time: SystemTime,
    /// What is told.
    pub kind: Kind,
    /// Whom to tell.
    pub user_id: Uuid,
    /// The order.
    pub order_id: Uuid,
    /// What was ordered.
    pub items: Vec<Item>,
    /// Sum over all items, as the order service computed it.
    pub total: Money,
    /// Why the order was cancelled; empty when nobody said, and for a confirmation.
    pub reason: String,
}

/// One line of an order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Item {
    /// The product.
    pub product_id: String,
    /// How many.
    pub quantity: u32,
    /// Price of one.
    pub unit_price: Money,
}
