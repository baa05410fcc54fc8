//! Waiting for something to become true, with an end.

use std::time::Duration;

/// How long a test waits for what must happen. Far above what it takes, so that only a defect ends it.
pub const PATIENCE: Duration = Duration::from_mins(1);

/// Asks again and again until `probe` gives a value. Panics with `what` when it does not within [`PATIENCE`].
pub async fn until<T>(what: &str, probe: impl AsyncFnMut() -> Option<T>) -> T {
    within(PATIENCE, what, probe).await
}

/// Like [`until`], with another patience: for what waits for others who use this machine.
pub async fn within<T>(patience: Duration, what: &str, mut probe: impl AsyncFnMut() -> Option<T>) -> T {
    let asking = async {
        loop {
            if let Some(value) = probe().await {
                return value;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(patience, asking)
        .await
        .unwrap_or_else(|_| panic!("not within {patience:?}: {what}"))
}
