//! Waits between attempts to reach something that is away.

use std::time::Duration;

/// First wait.
const FIRST: Duration = Duration::from_millis(100);

/// Longest wait: an outage of an hour costs a few hundred attempts, and its end is seen within seconds.
const LONGEST: Duration = Duration::from_secs(5);

/// Exponential backoff with full jitter, for reconnecting. (Messages wait by
/// [`RetryPolicy`](crate::retry::RetryPolicy) instead.)
#[derive(Debug, Default)]
pub struct Backoff {
    failures: u32,
}

impl Backoff {
    /// Starts anew: what was away is back.
    pub fn reset(&mut self) {
        self.failures = 0;
    }

    /// The wait before the next attempt: between half of and the whole of a time that doubles.
    pub fn next_delay(&mut self) -> Duration {
        let ceiling = FIRST
            .saturating_mul(2_u32.saturating_pow(self.failures))
            .min(LONGEST);
        self.failures = self.failures.saturating_add(1);
        ceiling.mul_f64(fastrand::f64().mul_add(0.5, 0.5))
    }

    /// Sleeps for [`next_delay`](Self::next_delay).
    pub async fn wait(&mut self) {
        tokio::time::sleep(self.next_delay()).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_double_up_to_the_longest_and_start_anew() {
        let mut backoff = Backoff::default();
        for expected in [100, 200, 400, 800, 1600, 3200, 5000, 5000] {
            let millis = backoff.next_delay().as_millis();
            assert!(
                (expected / 2..=expected).contains(&millis),
                "{millis} of {expected}"
            );
        }
        backoff.reset();
        assert!(backoff.next_delay() <= FIRST);
    }
}
