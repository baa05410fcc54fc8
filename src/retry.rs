//! When a message is tried again: exponential backoff with jitter, through wait queues.
//!
//! A wait queue holds messages for one fixed time and then hands them back to the queue they came
//! from. There is one a step, so that a long wait never blocks a short one, and a few *lanes* a
//! step, each with a slightly different time, among which messages spread at random: that is the
//! jitter. (A time per message would not do: a queue looks at its first message only, so all would
//! wait for the longest.) A queue's name carries its time, because a queue's arguments cannot
//! change: a new policy makes new queues, and the old ones still hand back what they hold.

use std::time::Duration;

/// Most attempts that a policy may ask for: with the largest step a message then waits about a week.
pub const MAX_ATTEMPTS: u32 = 100;

/// Longest wait between two attempts.
pub const MAX_DELAY: Duration = Duration::from_hours(1);

/// Jitter: the share of a step's wait that each lane takes, in percent. Three lanes break up a
/// herd; more would multiply queues that are nearly always empty.
const LANE_PERCENT: [u32; 3] = [80, 100, 120];

/// How often and how soon a message is tried again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RetryPolicy {
    /// Attempts in all, the first one included. At least 1, at most [`MAX_ATTEMPTS`].
    pub max_attempts: u32,
    /// Wait after the first attempt.
    pub first_delay: Duration,
    /// Factor by which each wait is longer than the one before.
    pub multiplier: u32,
    /// Longest wait; at most [`MAX_DELAY`].
    pub max_delay: Duration,
}

impl Default for RetryPolicy {
    /// 7 attempts, waiting 1 s, 4 s, 16 s, 64 s, 256 s and 600 s: a restart of whatever is missing
    /// is covered by the first few, a quarter of an hour of outage by all of them.
    fn default() -> Self {
        Self {
            max_attempts: 7,
            first_delay: Duration::from_secs(1),
            multiplier: 4,
            max_delay: Duration::from_mins(10),
        }
    }
}

impl RetryPolicy {
    /// The step to wait after attempt number `attempt` (the first is 1), or `None` when that was the last.
    pub fn step_after(&self, attempt: u32) -> Option<Duration> {
        let growth = self.multiplier.saturating_pow(attempt.saturating_sub(1));
        let step = self.first_delay.saturating_mul(growth);
        (attempt < self.max_attempts).then_some(step.min(self.max_delay).min(MAX_DELAY))
    }

    /// The wait after attempt number `attempt`: its step, with jitter chosen by `random`.
    pub fn delay_after(&self, attempt: u32, random: u32) -> Option<Duration> {
        let lane = LANE_PERCENT[random as usize % LANE_PERCENT.len()];
        self.step_after(attempt).map(|step| in_lane(step, lane))
    }

    /// Every wait that [`delay_after`](Self::delay_after) can answer with, shortest first.
    pub fn delays(&self) -> Vec<Duration> {
        let mut delays: Vec<_> = (1..self.max_attempts.min(MAX_ATTEMPTS))
            .filter_map(|attempt| self.step_after(attempt))
            .flat_map(|step| LANE_PERCENT.map(|percent| in_lane(step, percent)))
            .collect();
        delays.sort_unstable();
        delays.dedup();
        delays
    }
}

/// A lane's share of a step, in whole milliseconds and at least one, as a queue's time is.
fn in_lane(step: Duration, percent: u32) -> Duration {
    let millis = (step * percent / 100).as_millis().max(1);
    Duration::from_millis(u64::try_from(millis).unwrap_or(u64::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    const POLICY: RetryPolicy = RetryPolicy {
        max_attempts: 5,
        first_delay: Duration::from_millis(100),
        multiplier: 3,
        max_delay: Duration::from_millis(500),
    };

    #[test]
    fn steps_grow_by_the_multiplier_up_to_the_longest_and_end_with_the_attempts() {
        let steps: Vec<_> = (1..=5)
            .map(|n| POLICY.step_after(n).map(|d| d.as_millis()))
            .collect();
        assert_eq!(steps, [Some(100), Some(300), Some(500), Some(500), None]);
    }

    #[test]
    fn every_delay_has_a_queue() {
        let delays = POLICY.delays();
        for attempt in 1..5 {
            for random in 0..10 {
                let delay = POLICY.delay_after(attempt, random).expect("attempts are left");
                assert!(delays.contains(&delay));
            }
        }
    }

    #[test]
    fn a_huge_attempt_number_does_not_overflow() {
        let policy = RetryPolicy {
            max_attempts: u32::MAX,
            ..POLICY
        };
        assert_eq!(policy.step_after(u32::MAX - 1), Some(POLICY.max_delay));
    }
}
