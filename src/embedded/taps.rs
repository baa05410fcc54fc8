//! Watches events that pass through the embedded broker, whichever process publishes them.
//!
//! It reads the broker's file through connections of its own, so that neither the broker's writer nor
//! its subscribers ever wait for a reader of events.

use std::{
    path::PathBuf,
    sync::{Arc, OnceLock, atomic::AtomicBool, atomic::Ordering},
    time::Duration,
};

use async_trait::async_trait;
use tokio::task::AbortHandle;
use tracing::warn;

use super::{
    Database,
    broker::{SCHEMA, passing},
    duration_millis,
};
use crate::{
    broker::Error,
    clock::{Clock, unix_millis},
    store,
    tap::{Passed, Tap, Taps},
};

/// How long events are still noted for a tap whose process died.
const LEASE: Duration = Duration::from_secs(10);

/// How often a tap is renewed: five times before it runs out.
const RENEWAL: Duration = Duration::from_secs(2);

/// How often a tap looks for events: soon enough for a person, seldom enough to cost nothing.
const LOOK: Duration = Duration::from_millis(100);

/// Events that are read at a time: with the largest bodies they still fit into memory.
const MAX_READ: u32 = 64;

/// Opens taps on a broker's file.
pub struct EmbeddedTaps {
    path: PathBuf,
    clock: Arc<dyn Clock>,
    database: OnceLock<Database>,
}

impl EmbeddedTaps {
    /// Taps on the broker's file at `path`, which is opened when the first tap is.
    pub fn new(path: PathBuf, clock: Arc<dyn Clock>) -> Self {
        Self {
            path,
            clock,
            database: OnceLock::new(),
        }
    }

    fn database(&self) -> store::Result<Database> {
        if let Some(database) = self.database.get() {
            return Ok(database.clone());
        }
        let opened = Database::open(&self.path, SCHEMA)?;
        Ok(self.database.get_or_init(|| opened).clone())
    }
}

#[async_trait]
impl Taps for EmbeddedTaps {
    async fn open(&self) -> Result<Box<dyn Tap>, Error> {
        let database = self.database().map_err(unavailable)?;
        let id = fastrand::i64(1..);
        let now = unix_millis(self.clock.now());
        let until = now + duration_millis(LEASE);
        let opening = database.write(move |c| passing::open(c, id, now, until)).await;
        let last = opening.map_err(unavailable)?;
        let has_run_out = Arc::new(AtomicBool::new(false));
        let renewing = renew(
            database.clone(),
            id,
            Arc::clone(&self.clock),
            Arc::clone(&has_run_out),
        );
        Ok(Box::new(EmbeddedTap {
            id,
            last,
            renewing: tokio::spawn(renewing).abort_handle(),
            has_run_out,
            database,
        }))
    }
}

/// Renews a tap until it has run out all the same, or until it is dropped.
async fn renew(database: Database, id: i64, clock: Arc<dyn Clock>, has_run_out: Arc<AtomicBool>) {
    loop {
        tokio::time::sleep(RENEWAL).await;
        let now = unix_millis(clock.now());
        let until = now + duration_millis(LEASE);
        let renewed = database.write_repeatable(move |c| passing::renew(c, id, now, until));
        match renewed.await {
            Ok(true) => {}
            Ok(false) => return has_run_out.store(true, Ordering::Relaxed),
            Err(error) => warn!(%error, "cannot renew a tap now"),
        }
    }
}

/// One watcher's place in what passes.
struct EmbeddedTap {
    database: Database,
    id: i64,
    /// Number of the last event that it has seen, or that passed before it was opened.
    last: i64,
    renewing: AbortHandle,
    has_run_out: Arc<AtomicBool>,
}

#[async_trait]
impl Tap for EmbeddedTap {
    async fn next(&mut self) -> Result<Passed, Error> {
        loop {
            if self.has_run_out.load(Ordering::Relaxed) {
                return Err(Error::Unavailable("the tap ran out".to_owned()));
            }
            let last = self.last;
            let read = self.database.read(move |c| passing::after(c, last, MAX_READ));
            let passed = read.await.map_err(unavailable)?;
            if let (Some((first, _)), Some((newest, _))) = (passed.first(), passed.last()) {
                let missed = u64::try_from(first - last - 1).unwrap_or(0);
                self.last = *newest;
                let messages = passed.into_iter().map(|(_, message)| message).collect();
                return Ok(Passed { missed, messages });
            }
            tokio::time::sleep(LOOK).await;
        }
    }
}

impl Drop for EmbeddedTap {
    fn drop(&mut self) {
        self.renewing.abort();
        let id = self.id;
        self.database.write_later(move |c| passing::close(c, id));
    }
}

fn unavailable(error: store::Error) -> Error {
    Error::Unavailable(error.to_string())
}
