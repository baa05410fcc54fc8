//! When calls are made.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use tokio_util::sync::CancellationToken;

use super::{Load, calls::Calls, mix::Mix, outcome::Tallies, progress::Progress};

/// How long after the end calls are still made that were due before it: a platform that takes less than it
/// is asked for would be asked for hours. What is then left counts as failed.
const LATEST: Duration = Duration::from_secs(10);

/// How calls follow each other.
#[derive(Debug, Clone, Copy)]
pub(super) enum Pace {
    /// So many a second, made by that many workers.
    Open { rate: u32, workers: u32 },
    /// Each worker's after the one before.
    Closed { workers: u32 },
}

impl Pace {
    pub(super) fn workers(self) -> u32 {
        match self {
            Self::Open { workers, .. } | Self::Closed { workers } => workers,
        }
    }
}

/// When the next call is due, and whether it counts. Workers share one.
#[derive(Debug)]
pub(super) struct Schedule {
    pace: Pace,
    started: Instant,
    measuring_from: Instant,
    until: Instant,
    /// Calls that have been given out.
    given: AtomicU64,
    /// Calls that still may be measured.
    left: AtomicU64,
    stopped: CancellationToken,
}

/// A call to be made.
#[derive(Debug, Clone, Copy)]
pub(super) struct Due {
    /// When; in a closed loop, now.
    pub(super) at: Instant,
    pub(super) is_measured: bool,
}

impl Schedule {
    pub(super) fn new(load: &Load, started: Instant) -> Self {
        let measuring_from = started + load.warm_up;
        Self {
            pace: load.pace(),
            started,
            measuring_from,
            until: measuring_from + load.duration,
            given: AtomicU64::new(0),
            left: AtomicU64::new(load.requests.unwrap_or(u64::MAX)),
            stopped: CancellationToken::new(),
        }
    }

    /// When the warm-up is over.
    pub(super) fn measuring_from(&self) -> Instant {
        self.measuring_from
    }

    /// Gives out no more calls.
    pub(super) fn stop(&self) {
        self.stopped.cancel();
    }

    /// The next call; `None` when the run is over.
    pub(super) fn next(&self) -> Option<Due> {
        if self.stopped.is_cancelled() {
            return None;
        }
        let at = match self.pace {
            Pace::Closed { .. } => Instant::now(),
            Pace::Open { rate, .. } => {
                let number = self.given.fetch_add(1, Ordering::Relaxed);
                self.started + after(number, rate)
            }
        };
        let is_measured = at >= self.measuring_from;
        if at >= self.until || (is_measured && !self.count()) {
            return None;
        }
        Some(Due { at, is_measured })
    }

    /// Takes one of the calls that may be measured.
    fn count(&self) -> bool {
        let take = |left: u64| left.checked_sub(1);
        let taken = self.left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, take);
        taken.is_ok()
    }

    /// Waits until a call is due. `false` when the run was stopped before.
    async fn wait(&self, due: Due) -> bool {
        if due.at <= Instant::now() {
            return true;
        }
        let sleep = tokio::time::sleep_until(due.at.into());
        self.stopped.run_until_cancelled(sleep).await.is_some()
    }

    /// Whether it is too late for calls that were due.
    fn is_too_late(&self) -> bool {
        Instant::now() > self.until + LATEST
    }
}

/// When call `number` of `rate` a second is due, after the first.
fn after(number: u64, rate: u32) -> Duration {
    let rate = u64::from(rate);
    let (seconds, rest) = (number / rate, number % rate);
    Duration::from_secs(seconds) + Duration::from_nanos(rest * 1_000_000_000 / rate)
}

/// What workers share.
#[derive(Clone)]
pub(super) struct Shared {
    pub(super) mix: Mix,
    pub(super) schedule: Arc<Schedule>,
    pub(super) progress: Arc<Progress>,
    pub(super) tallies: Arc<Tallies>,
}

/// Makes calls until the schedule has no more.
pub(super) async fn work(worker: usize, mut calls: Calls, shared: Shared) {
    let Shared {
        mix,
        schedule,
        progress,
        tallies,
    } = shared;
    while let Some(due) = schedule.next() {
        if !schedule.wait(due).await {
            break;
        }
        if schedule.is_too_late() {
            tallies.of(worker).not_made(mix.at(fastrand::u32(..)));
            continue;
        }
        progress.started();
        let (kind, result) = calls.make(mix.at(fastrand::u32(..))).await;
        let took = due.at.elapsed();
        progress.ended(took, result.is_ok());
        if due.is_measured {
            tallies.of(worker).count(kind, took, result.err().as_ref());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn calls_are_due_evenly_for_ever() {
        assert_eq!(after(0, 300), Duration::ZERO);
        assert_eq!(after(300, 300), Duration::from_secs(1));
        assert_eq!(after(3, 1000), Duration::from_millis(3));
        let day = 86_400 * 1_000_000;
        assert_eq!(after(day, 1_000_000), Duration::from_hours(24));
    }
}
