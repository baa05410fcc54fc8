//! Forgetting what is too old: now and then, in writes so small that nobody waits long behind one.

use std::{future::Future, time::Duration};

use tokio_util::sync::CancellationToken;
use tracing::{debug, warn};

use crate::store::Result;

/// Most records that one write removes.
pub const BATCH: u32 = 1000;

/// How often it is looked for records that are too old.
const INTERVAL: Duration = Duration::from_hours(1);

/// Calls `remove`, which removes [`BATCH`] records at most and answers how many, until there are no more.
/// Answers how many there were.
pub async fn all<F: Future<Output = Result<usize>>>(remove: impl Fn() -> F) -> Result<usize> {
    let mut purged = 0;
    loop {
        let removed = remove().await?;
        purged += removed;
        if removed < BATCH as usize {
            return Ok(purged);
        }
    }
}

/// Removes [all] now and then, until `stop`. `what` is said in the log.
pub async fn now_and_then<F: Future<Output = Result<usize>>>(
    what: &str,
    remove: impl Fn() -> F,
    stop: CancellationToken,
) {
    let purging = async {
        loop {
            match all(&remove).await {
                Ok(purged) => debug!(what, purged, "purged"),
                Err(error) => warn!(what, %error, "cannot be purged now"),
            }
            tokio::time::sleep(INTERVAL).await;
        }
    };
    stop.run_until_cancelled(purging).await;
}
