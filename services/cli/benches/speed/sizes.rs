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
}

impl Sizes {
    /// What figures are published of.
    pub(crate) fn full() -> Self {
        Self {
            times: times(1_000, 4_000),
            paced_times: times(1_000, 10_000),
            messages: 100_000,
        }
    }

    /// A tenth of it, to see that everything runs.
    pub(crate) fn quick() -> Self {
        let full = Self::full();
        Self {
            times: times(100, 400),
            paced_times: times(100, 1_000),
            messages: full.messages / 10,
        }
    }
}

fn times(warm_up_ms: u64, measured_ms: u64) -> Times {
    Times {
        warm_up: Duration::from_millis(warm_up_ms),
        measured: Duration::from_millis(measured_ms),
    }
}
