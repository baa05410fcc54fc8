//! An order as stores keep it: the one place that takes it apart and puts it together again.

use std::time::SystemTime;

use serde::{Deserialize, Serialize};
use uuid::Uuid;
use waybill::store::{Error, Result};

use crate::domain::{Change, Money, Order, OrderItem};

/// An order in parts that any store can keep.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct OrderRecord {
    pub(super) order_id: Uuid,
    pub(super) user_id: Uuid,
    /// ISO 4217 code of every amount.
    pub(super) currency: String,
    pub(super) items: Vec<ItemRecord>,
    pub(super) create_time: SystemTime,
    pub(super) cancellation: Option<Cancellation>,
}

/// One line of an order.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct ItemRecord {
    product_id: String,
    quantity: u32,
    /// Whole units of the price of one.
    units: i64,
    /// Billionths beside them.
    nanos: i32,
}

#[derive(Debug, Clone, PartialEq)]
pub(super) struct Cancellation {
    pub(super) time: SystemTime,
    pub(super) reason: String,
}

impl OrderRecord {
    pub(super) fn of(order: &Order) -> Result<Self> {
        let items = order.items().iter().map(ItemRecord::of).collect::<Option<_>>();
        Ok(Self {
            order_id: order.id(),
            user_id: order.user_id(),
            currency: order.total().currency().code().to_owned(),
            items: items.ok_or_else(|| Error::Failed("a price does not fit".to_owned()))?,
            create_time: order.create_time(),
            cancellation: order.history().iter().find_map(|change| match change {
                Change::Placed { .. } => None,
                Change::Cancelled { at, reason } => Some(Cancellation {
                    time: *at,
                    reason: reason.clone(),
                }),
            }),
        })
    }

    pub(super) fn into_order(self) -> Result<Order> {
        let order_id = self.order_id;
        self.restore()
            .ok_or_else(|| Error::Failed(format!("order {order_id} is stored as no order can be")))
    }

    fn restore(self) -> Option<Order> {
        let currency = Money::currency_of(&self.currency)?;
        let items = self.items.into_iter().map(|item| OrderItem {
            product_id: item.product_id,
            quantity: item.quantity,
            unit_price: Money::new(currency, item.units, item.nanos),
        });
        let mut history = vec![Change::Placed { at: self.create_time }];
        history.extend(self.cancellation.map(|c| Change::Cancelled {
            at: c.time,
            reason: c.reason,
        }));
        Order::restore(self.order_id, self.user_id, items.collect(), history)
    }
}

impl ItemRecord {
    fn of(item: &OrderItem) -> Option<Self> {
        Some(Self {
            product_id: item.product_id.clone(),
            quantity: item.quantity,
            units: item.unit_price.units()?,
            nanos: item.unit_price.nanos(),
        })
    }
}
