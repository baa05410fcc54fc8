//! Parts of a process that run at the same time and stop together.

use std::{
    collections::BTreeSet,
    panic::AssertUnwindSafe,
    sync::{Arc, Mutex},
};

use futures::FutureExt;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use tracing::error;

use super::Error;

/// A group. Dropping it cuts off what still runs.
pub(super) struct Group {
    stop: CancellationToken,
    /// Cancelled when a part fails, so that the whole process stops.
    process: CancellationToken,
    parts: JoinSet<Result<(), Error>>,
    running: Arc<Mutex<BTreeSet<String>>>,
}

impl Group {
    /// A group of nothing. `process` is cancelled when one of its parts fails.
    pub(super) fn new(process: &CancellationToken) -> Self {
        Self {
            stop: CancellationToken::new(),
            process: process.clone(),
            parts: JoinSet::new(),
            running: Arc::default(),
        }
    }

    /// The token that tells its parts to stop.
    pub(super) fn stop_token(&self) -> CancellationToken {
        self.stop.clone()
    }

    /// Runs a part.
    pub(super) fn spawn<E: Into<Error>>(
        &mut self,
        name: impl Into<String>,
        part: impl Future<Output = Result<(), E>> + Send + 'static,
    ) {
        let (name, process, running) = (name.into(), self.process.clone(), Arc::clone(&self.running));
        lock(&running).insert(name.clone());
        self.parts.spawn(async move {
            let ended = match AssertUnwindSafe(part).catch_unwind().await {
                Ok(ended) => ended.map_err(Into::into),
                Err(_) => Err(Error::Panicked(name.clone())),
            };
            if let Err(error) = &ended {
                error!(part = name, %error, "a part of the process failed");
                process.cancel();
            }
            lock(&running).remove(&name);
            ended
        });
    }

    /// Tells its parts to stop and waits for them. Answers with the first error that one ended with.
    pub(super) async fn stop(&mut self) -> Result<(), Error> {
        self.stop.cancel();
        let mut result = Ok(());
        while let Some(ended) = self.parts.join_next().await {
            result = result.and(ended.unwrap_or(Ok(())));
        }
        result
    }

    /// What still runs.
    pub(super) fn running(&self) -> Vec<String> {
        lock(&self.running).iter().cloned().collect()
    }
}

fn lock(running: &Mutex<BTreeSet<String>>) -> std::sync::MutexGuard<'_, BTreeSet<String>> {
    running.lock().expect("no holder of the lock can panic")
}
