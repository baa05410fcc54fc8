//! An order and its history.
//!
//! An order is what was placed and the list of what happened to it since. Its version is the length
//! of that list, so every earlier version can be shown exactly as it was.

use std::time::SystemTime;

use uuid::Uuid;

use super::{Money, NewOrder, Reason};

/// One line of an order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OrderItem {
    /// The product.
    pub product_id: String,
    /// How many.
    pub quantity: u32,
    /// Price of one.
    pub unit_price: Money,
}

/// Where an order stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    /// Placed and not cancelled.
    Placed,
    /// Cancelled, for good.
    Cancelled,
}

/// Something that happened to an order; each makes one version.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Change {
    /// It was placed.
    Placed {
        /// When.
        at: SystemTime,
    },
    /// It was cancelled.
    Cancelled {
        /// When.
        at: SystemTime,
        /// Why, in the caller's words; may be empty.
        reason: String,
    },
}

impl Change {
    fn at(&self) -> SystemTime {
        match self {
            Self::Placed { at } | Self::Cancelled { at, .. } => *at,
        }
    }
}

/// The order was cancelled before.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("order was cancelled before")]
pub struct AlreadyCancelled;

/// One order of one user.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Order {
    id: Uuid,
    user_id: Uuid,
    items: Vec<OrderItem>,
    total: Money,
    history: Vec<Change>,
}

impl Order {
    /// Places an order.
    pub fn place(id: Uuid, new: NewOrder, at: SystemTime) -> Self {
        let NewOrder {
            user_id,
            items,
            total,
        } = new;
        Self {
            id,
            user_id,
            items,
            total,
            history: vec![Change::Placed { at }],
        }
    }

    /// An order as a store kept it. `None` when it is none: without items, without history, or with
    /// a sum that cannot be.
    pub fn restore(id: Uuid, user_id: Uuid, items: Vec<OrderItem>, history: Vec<Change>) -> Option<Self> {
        let total = sum(&items)?;
        matches!(history.first(), Some(Change::Placed { .. })).then_some(Self {
            id,
            user_id,
            items,
            total,
            history,
        })
    }

    /// The order after its cancellation.
    pub fn cancel(&self, at: SystemTime, reason: Reason) -> Result<Self, AlreadyCancelled> {
        if self.state() == State::Cancelled {
            return Err(AlreadyCancelled);
        }
        let mut cancelled = self.clone();
        cancelled.history.push(Change::Cancelled {
            // A clock that was set back must not turn the history around.
            at: at.max(self.update_time()),
            reason: reason.into_text(),
        });
        Ok(cancelled)
    }

    /// The order as it was at `version`; `None` when there is no such version (yet).
    pub fn at_version(&self, version: i64) -> Option<Self> {
        let changes = usize::try_from(version).ok()?;
        if changes == 0 || changes > self.history.len() {
            return None;
        }
        let mut earlier = self.clone();
        earlier.history.truncate(changes);
        Some(earlier)
    }

    /// The order as it was when it was placed.
    #[must_use]
    pub fn placed(&self) -> Self {
        self.at_version(1).expect("an order has been placed")
    }

    /// Its id.
    pub fn id(&self) -> Uuid {
        self.id
    }

    /// The user who placed it.
    pub fn user_id(&self) -> Uuid {
        self.user_id
    }

    /// What was ordered, as it was sent.
    pub fn items(&self) -> &[OrderItem] {
        &self.items
    }

    /// The sum of quantity times unit price over all items.
    pub fn total(&self) -> Money {
        self.total
    }

    /// What happened to it, oldest first.
    pub fn history(&self) -> &[Change] {
        &self.history
    }

    /// 1 when placed, one more with every change.
    pub fn version(&self) -> i64 {
        i64::try_from(self.history.len()).expect("a history is short")
    }

    /// Where it stands.
    pub fn state(&self) -> State {
        match self.last() {
            Change::Placed { .. } => State::Placed,
            Change::Cancelled { .. } => State::Cancelled,
        }
    }

    /// When it was placed.
    pub fn create_time(&self) -> SystemTime {
        self.history[0].at()
    }

    /// When its state last changed.
    pub fn update_time(&self) -> SystemTime {
        self.last().at()
    }

    /// Why it was cancelled; empty when it was not.
    pub fn cancel_reason(&self) -> &str {
        match self.last() {
            Change::Placed { .. } => "",
            Change::Cancelled { reason, .. } => reason,
        }
    }

    fn last(&self) -> &Change {
        self.history.last().expect("an order has been placed")
    }
}

/// The sum of quantity times unit price. `None` without items, with several currencies, or when its
/// units do not fit into 64 bits.
pub(super) fn sum(items: &[OrderItem]) -> Option<Money> {
    let zero = Money::zero(items.first()?.unit_price.currency());
    items
        .iter()
        .try_fold(zero, |sum, item| sum.plus(item.unit_price.times(item.quantity)?))
        .filter(|sum| sum.units().is_some())
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, UNIX_EPOCH};

    use iso_currency::Currency;

    use super::*;

    fn placed() -> Order {
        let item = |quantity, cents: i32| OrderItem {
            product_id: "p".into(),
            quantity,
            unit_price: Money::new(Currency::USD, 0, cents * 10_000_000),
        };
        Order::restore(
            Uuid::from_u128(1),
            Uuid::from_u128(2),
            vec![item(3, 33), item(1, 1)],
            vec![Change::Placed { at: UNIX_EPOCH }],
        )
        .unwrap()
    }

    #[test]
    fn the_total_is_the_exact_sum_of_all_items() {
        assert_eq!(placed().total(), Money::new(Currency::USD, 1, 0));
    }

    #[test]
    fn a_cancelled_order_can_be_shown_as_it_was_before() {
        let later = UNIX_EPOCH + Duration::from_secs(5);
        let reason = Reason::parse("changed my mind".into()).unwrap();
        let order = placed().cancel(later, reason).unwrap();
        assert_eq!((order.version(), order.state()), (2, State::Cancelled));
        assert_eq!(
            (order.update_time(), order.cancel_reason()),
            (later, "changed my mind")
        );
        assert_eq!(order.at_version(1), Some(placed()));
        assert_eq!(order.at_version(2), Some(order.clone()));
        for none in [i64::MIN, -1, 0, 3, i64::MAX] {
            assert_eq!(order.at_version(none), None);
        }
    }

    #[test]
    fn an_order_is_cancelled_once() {
        let order = placed().cancel(UNIX_EPOCH, Reason::default()).unwrap();
        assert_eq!(order.cancel(UNIX_EPOCH, Reason::default()), Err(AlreadyCancelled));
    }
}
