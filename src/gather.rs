//! Takes together from a channel what comes within a while.

use std::time::Duration;

use tokio::{sync::mpsc, time::timeout};

/// Waits for the first item, then takes what comes within `time` of it, until `batch` holds `max`. `false` when
/// none came because there are no senders any more. Cancelled, it has lost nothing: all it took is in `batch`.
pub async fn gather<T>(
    receiver: &mut mpsc::Receiver<T>,
    batch: &mut Vec<T>,
    max: usize,
    time: Duration,
) -> bool {
    if receiver.recv_many(batch, max).await == 0 {
        return false;
    }
    let gathering = async {
        while batch.len() < max {
            let room = max - batch.len();
            if receiver.recv_many(batch, room).await == 0 {
                break;
            }
        }
    };
    // What came in time is there, whether it filled the batch or not.
    let _ = timeout(time, gathering).await;
    true
}

#[cfg(test)]
mod tests {
    use tokio::time::{Instant, sleep};

    use super::*;

    const TIME: Duration = Duration::from_millis(50);

    #[tokio::test(start_paused = true)]
    async fn what_comes_in_time_is_taken_together() {
        let (sender, mut receiver) = mpsc::channel(10);
        tokio::spawn(async move {
            for wait in [0, 20, 20, 20] {
                sleep(Duration::from_millis(wait)).await;
                sender.send(wait).await.unwrap();
            }
        });
        let mut batch = Vec::new();
        assert!(gather(&mut receiver, &mut batch, 10, TIME).await);
        assert_eq!(batch, [0, 20, 20]);
        batch.clear();
        let before = Instant::now();
        assert!(gather(&mut receiver, &mut batch, 10, TIME).await);
        assert_eq!((batch.as_slice(), before.elapsed() < TIME), (&[20][..], true));
        assert!(!gather(&mut receiver, &mut batch, 10, TIME).await);
    }

    #[tokio::test(start_paused = true)]
    async fn a_full_batch_waits_for_nothing() {
        let (sender, mut receiver) = mpsc::channel(10);
        (0..5).for_each(|n| sender.try_send(n).unwrap());
        let (mut batch, before) = (Vec::new(), Instant::now());
        assert!(gather(&mut receiver, &mut batch, 3, TIME).await);
        assert_eq!((batch, before.elapsed()), (vec![0, 1, 2], Duration::ZERO));
    }
}
