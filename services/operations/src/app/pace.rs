//! How fast messages are sent.

use std::time::Duration;

use tokio::time::{Interval, MissedTickBehavior};

/// Most messages sent together: at 1 MiB each as much as a small container has room for.
const MAX_CHUNK: u32 = 32;

/// How often a second a chunk is sent when few are: often enough that a consumer sees no bursts.
const CHUNKS_A_SECOND: u32 = 10;

/// A chunk, and the time that it may take.
pub(super) struct Pace {
    chunk: u32,
    ticks: Interval,
}

impl Pace {
    /// `rate` messages a second, at least 1.
    pub(super) fn of(rate: u32) -> Self {
        let rate = rate.max(1);
        let chunk = (rate / CHUNKS_A_SECOND).clamp(1, MAX_CHUNK);
        let mut ticks = tokio::time::interval(Duration::from_secs(chunk.into()) / rate);
        // A broker that was slow is not made up for by a burst.
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        Self { chunk, ticks }
    }

    /// Messages to send next.
    pub(super) fn chunk(&self) -> usize {
        self.chunk as usize
    }

    /// Waits until they may be sent.
    pub(super) async fn wait(&mut self) {
        self.ticks.tick().await;
    }
}

#[cfg(test)]
mod tests {
    use tokio::time::Instant;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn no_more_is_sent_in_a_second_than_may_be() {
        for rate in [1, 3, 10, 99, 100, 1000] {
            let mut pace = Pace::of(rate);
            pace.wait().await;
            let started = Instant::now();
            let mut sent = 0;
            while sent < 2 * rate {
                pace.wait().await;
                sent += u32::try_from(pace.chunk()).unwrap();
            }
            let took = started.elapsed().as_secs_f64();
            assert!((1.9..3.1).contains(&took), "{rate} a second: {sent} in {took} s");
        }
    }
}
