//! A rhythm for rounds of work that nobody waits for, so that what comes one by one is dealt with together.
//!
//! A round has a price of its own, as a commit or a confirm that waits for a disk. Under a steady trickle rounds
//! would follow each other as fast as they can, each for one or two messages, and take the servers' time
//! from whoever does wait. So the next begins some time after the last began. What comes after a
//! pause finds that time over and goes at once; and a backlog is not held up, since rounds
//! that are half full need no company.

use std::time::Duration;

use tokio::time::{Instant, sleep_until};

/// From the begin of a round to the begin of the next: no event is later by more than this, and at a few hundred
/// a second several share a round.
pub const ROUND: Duration = Duration::from_millis(20);

/// When the next round may begin.
#[derive(Debug, Default)]
pub struct Pace {
    next: Option<Instant>,
}

impl Pace {
    /// A round begins now, with so many of the `most` that it may have.
    pub fn begins(&mut self, with: usize, most: usize) {
        self.next = (with < most / 2).then(|| Instant::now() + ROUND);
    }

    /// Waits until the next round may begin. Cancelled, it can be waited for again.
    pub async fn next_round(&self) {
        if let Some(next) = self.next {
            sleep_until(next).await;
        }
    }
}

#[cfg(test)]
mod tests {
    use tokio::time::sleep;

    use super::*;

    /// How long the next round has to wait.
    async fn wait(pace: &Pace) -> Duration {
        let before = Instant::now();
        pace.next_round().await;
        before.elapsed()
    }

    #[tokio::test(start_paused = true)]
    async fn a_round_waits_for_the_time_since_the_last_began() {
        let mut pace = Pace::default();
        assert_eq!(wait(&pace).await, Duration::ZERO);
        pace.begins(1, 256);
        sleep(ROUND / 4).await;
        assert_eq!(wait(&pace).await, ROUND * 3 / 4);
        pace.begins(1, 256);
        sleep(ROUND * 2).await;
        assert_eq!(wait(&pace).await, Duration::ZERO);
    }

    #[tokio::test(start_paused = true)]
    async fn a_backlog_is_not_held_up() {
        let mut pace = Pace::default();
        for (with, most) in [(128, 256), (256, 256), (1, 1), (1, 2), (2, 3)] {
            pace.begins(with, most);
            assert_eq!(wait(&pace).await, Duration::ZERO, "{with} of {most}");
        }
        pace.begins(127, 256);
        assert_eq!(wait(&pace).await, ROUND);
    }
}
