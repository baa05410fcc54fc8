//! The one thread that writes to a database, and commits for many callers at once.

use std::panic::{AssertUnwindSafe, catch_unwind};

use rusqlite::{Connection, Transaction, TransactionBehavior};
use tokio::sync::mpsc;

use super::error;
use crate::store::{Error, Result};

/// Writes that share a commit: beyond this the fsync is no longer what costs.
const MAX_SHARED_WRITES: usize = 256;

/// One caller's write.
pub(super) struct Write {
    durability: Durability,
    run: Job,
}

/// Runs in the writer's transaction and gives back what to do when that has ended.
type Job = Box<dyn FnOnce(&mut Transaction<'_>) -> Finish + Send>;
type Finish = Box<dyn FnOnce(&Result<()>) + Send>;

/// What an answered write survives.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Durability {
    /// The end of this process, however it ends.
    Process,
    /// A power failure too.
    Machine,
}

impl Durability {
    /// The value of SQLite's `synchronous` that gives it.
    fn synchronous(self) -> &'static str {
        match self {
            Self::Process => "normal",
            Self::Machine => "full",
        }
    }
}

/// Commits what is waiting, until nobody can write any more.
pub(super) fn run(connection: Connection, mut waiting: mpsc::Receiver<Write>) {
    let mut writer = Writer {
        connection,
        durability: None,
    };
    let mut batch = Vec::with_capacity(MAX_SHARED_WRITES);
    while waiting.blocking_recv_many(&mut batch, MAX_SHARED_WRITES) > 0 {
        let mut finishes = Vec::with_capacity(batch.len());
        let committed = writer.commit_together(&mut batch, &mut finishes).map_err(error);
        for finish in finishes {
            finish(&committed);
        }
        // Those that were not run are dropped, and so their callers are told.
        batch.clear();
    }
}

impl Write {
    /// Runs `job` in a savepoint of its own, and tells `answer` when the commit has ended.
    pub(super) fn new<T, F>(
        durability: Durability,
        job: F,
        answer: impl FnOnce(Result<T>) + Send + 'static,
    ) -> Self
    where
        T: Send + 'static,
        F: FnOnce(&Connection) -> rusqlite::Result<T> + Send + 'static,
    {
        let run: Job = Box::new(move |transaction| {
            // The savepoint rolls back while a panic unwinds, so the neighbours' work is whole.
            let result = catch_unwind(AssertUnwindSafe(|| in_savepoint(transaction, job).map_err(error)))
                .unwrap_or_else(|_| Err(Error::Failed("a write panicked".to_owned())));
            Box::new(move |committed| answer(committed.clone().and(result)))
        });
        Self { durability, run }
    }
}

struct Writer {
    connection: Connection,
    /// What a commit survives at present, once that is set.
    durability: Option<Durability>,
}

impl Writer {
    fn commit_together(
        &mut self,
        writes: &mut Vec<Write>,
        finishes: &mut Vec<Finish>,
    ) -> rusqlite::Result<()> {
        let most = writes.iter().map(|write| write.durability).max();
        self.give(most.unwrap_or(Durability::Machine))?;
        let mut transaction = self
            .connection
            .transaction_with_behavior(TransactionBehavior::Immediate)?;
        finishes.extend(writes.drain(..).map(|write| (write.run)(&mut transaction)));
        transaction.commit()
    }

    /// Makes what is committed from here on survive what it must.
    fn give(&mut self, durability: Durability) -> rusqlite::Result<()> {
        if self.durability != Some(durability) {
            self.connection
                .pragma_update(None, "synchronous", durability.synchronous())?;
            self.durability = Some(durability);
        }
        Ok(())
    }
}

fn in_savepoint<T>(
    transaction: &mut Transaction<'_>,
    job: impl FnOnce(&Connection) -> rusqlite::Result<T>,
) -> rusqlite::Result<T> {
    let savepoint = transaction.savepoint()?;
    let value = job(&savepoint)?;
    savepoint.commit()?;
    Ok(value)
}
