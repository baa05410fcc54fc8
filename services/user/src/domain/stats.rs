//! What a user's orders come to, and how each event about an order changes it.
//!
//! Changes only add and take the latest time, so their order does not matter: a cancellation that is
//! seen before its placement ends in the same statistics, and changes of one user may be merged.

use std::{
    collections::{BTreeMap, btree_map::Entry},
    time::SystemTime,
};

use uuid::Uuid;

use super::amount::{Amount, Currency};

/// What a user's orders come to.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct OrderStats {
    /// Orders ever placed, cancelled ones included.
    pub placed: i64,
    /// Orders cancelled.
    pub cancelled: i64,
    /// Sum over the orders that stand, for each currency in which the user ever ordered.
    pub spent: BTreeMap<Currency, Amount>,
    /// When the latest order was placed; `None` before the first.
    pub last_order_time: Option<SystemTime>,
}

impl OrderStats {
    /// Adds to these statistics. Adding is commutative and associative.
    pub fn add(&mut self, other: &Self) {
        self.placed += other.placed;
        self.cancelled += other.cancelled;
        for (currency, amount) in &other.spent {
            *self.spent.entry(*currency).or_default() += *amount;
        }
        self.last_order_time = self.last_order_time.max(other.last_order_time);
    }
}

/// What one event, or several of one user merged, adds to the user's statistics.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StatsChange {
    /// Whose statistics.
    pub user_id: Uuid,
    /// What to add.
    pub added: OrderStats,
}

impl StatsChange {
    /// The effect of an order that was placed.
    pub fn placed(user_id: Uuid, currency: Currency, amount: Amount, placed_at: SystemTime) -> Self {
        Self {
            user_id,
            added: OrderStats {
                placed: 1,
                cancelled: 0,
                spent: BTreeMap::from([(currency, amount)]),
                last_order_time: Some(placed_at),
            },
        }
    }

    /// The effect of an order that was cancelled: what its placement added to the sum is taken back.
    pub fn cancelled(user_id: Uuid, currency: Currency, amount: Amount) -> Self {
        Self {
            user_id,
            added: OrderStats {
                placed: 0,
                cancelled: 1,
                spent: BTreeMap::from([(currency, -amount)]),
                last_order_time: None,
            },
        }
    }

    /// The same effect as one change a user, by user, so that a batch costs one write a user.
    pub fn merge<'a>(changes: impl IntoIterator<Item = &'a Self>) -> Vec<Self> {
        let mut by_user: BTreeMap<Uuid, Self> = BTreeMap::new();
        for change in changes {
            match by_user.entry(change.user_id) {
                Entry::Vacant(entry) => drop(entry.insert(change.clone())),
                Entry::Occupied(mut entry) => entry.get_mut().added.add(&change.added),
            }
        }
        by_user.into_values().collect()
    }
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, UNIX_EPOCH};

    use super::*;

    const EUR: &str = "EUR";

    fn at(seconds: u64) -> SystemTime {
        UNIX_EPOCH + Duration::from_secs(seconds)
    }

    fn placed(user: u128, units: i64, second: u64) -> StatsChange {
        let currency = Currency::parse(EUR).unwrap();
        StatsChange::placed(Uuid::from_u128(user), currency, Amount::new(units, 1), at(second))
    }

    fn cancelled(user: u128, units: i64) -> StatsChange {
        let currency = Currency::parse(EUR).unwrap();
        StatsChange::cancelled(Uuid::from_u128(user), currency, Amount::new(units, 1))
    }

    #[test]
    fn any_order_of_events_ends_in_the_same_statistics() {
        let changes = [placed(1, 10, 5), placed(1, 20, 4), cancelled(1, 10)];
        let expected = OrderStats {
            placed: 2,
            cancelled: 1,
            spent: BTreeMap::from([(Currency::parse(EUR).unwrap(), Amount::new(20, 1))]),
            last_order_time: Some(at(5)),
        };
        for order in [[0, 1, 2], [2, 1, 0], [1, 2, 0], [2, 0, 1]] {
            let mut stats = OrderStats::default();
            for i in order {
                stats.add(&changes[i].added);
            }
            assert_eq!(stats, expected, "{order:?}");
        }
    }

    #[test]
    fn a_batch_becomes_one_change_a_user() {
        let changes = [placed(2, 1, 1), placed(1, 1, 1), cancelled(2, 1), placed(2, 5, 3)];
        let merged = StatsChange::merge(&changes);
        let users: Vec<_> = merged.iter().map(|change| change.user_id.as_u128()).collect();
        assert_eq!(users, [1, 2]);
        assert_eq!((merged[1].added.placed, merged[1].added.cancelled), (2, 1));
        assert_eq!(
            merged[1].added.spent.values().collect::<Vec<_>>(),
            [&Amount::new(5, 1)]
        );
    }
}
