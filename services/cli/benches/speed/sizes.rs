//! How much of everything is measured.

use std::time::Duration;

use crate::pace::Times;

/// How much of everything is measured.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Sizes {
    /// How long calls are made, as many at a time as there may be.
    pub(crate) times: Times,
    /// How long calls are made at a fixed rate: longer, for there are few of them.
    pub(crate) paced_times: Times,
    /// Messages in a queue that a floor takes.
    pub(crate) messages: usize,
    /// Users whose orders they are.
    pub(crate) users: usize,
    /// Orders whose way is followed to its end.
    pub(crate) end_to_end: usize,
    /// The same for each instance that has only a small share of a processor.
    pub(crate) limited: usize,
    /// Events that wait for a consumer.
    pub(crate) backlog: usize,
    /// Orders that are there when orders are read.
    pub(crate) stored: usize,
    /// Orders whose bytes on the broker's wire are counted.
    pub(crate) on_the_wire: usize,
    /// Orders that are few, and orders that are many.
    pub(crate) few: usize,
    pub(crate) many: usize,
    /// Documents that a database server has written before: as many as its log of operations keeps, which from then
    /// on removes an entry for each new one.
    pub(crate) history: usize,
    /// How long a store is left alone once it is filled: databases write out once a minute what has changed.
    pub(crate) settling: Duration,
    /// How long calls are made where so many are stored: not for long, since what is placed stays.
    pub(crate) stored_times: Times,
    /// Events that a relay has to find: so few that they are stored before it looks for them.
    pub(crate) left_behind: usize,
}

impl Sizes {
    /// What figures are published of.
    pub(crate) fn full() -> Self {
        Self {
            times: times(1_000, 4_000),
            paced_times: times(1_000, 10_000),
            messages: 100_000,
            users: 1_000,
            end_to_end: 30_000,
            limited: 4_000,
            backlog: 200_000,
            stored: 10_000,
            on_the_wire: 2_000,
            few: 10_000,
            many: 5_000_000,
            history: 100_000,
            settling: Duration::from_mins(1),
            stored_times: times(1_000, 3_000),
            left_behind: 5_000,
        }
    }

    /// A tenth of it, to see that everything runs.
    pub(crate) fn quick() -> Self {
        let full = Self::full();
        Self {
            times: times(100, 400),
            paced_times: times(100, 1_000),
            messages: full.messages / 10,
            users: full.users / 10,
            end_to_end: full.end_to_end / 10,
            limited: full.limited / 10,
            backlog: full.backlog / 10,
            stored: full.stored / 10,
            on_the_wire: full.on_the_wire / 10,
            few: full.few / 10,
            many: full.few,
            history: full.history / 10,
            settling: full.settling / 10,
            stored_times: times(100, 300),
            left_behind: full.left_behind / 10,
        }
    }
}

fn times(warm_up_ms: u64, measured_ms: u64) -> Times {
    Times {
        warm_up: Duration::from_millis(warm_up_ms),
        measured: Duration::from_millis(measured_ms),
    }
}
