//! One SQLite file: one writer that commits for many callers at once, and a few readers.
//!
//! In WAL mode: when a write has been answered it is on disk. Writes that arrive while a commit is
//! under way share the next one, each in a savepoint of its own, so that one that fails takes nobody
//! with it and one fsync serves all. A write that may be forgotten in a power failure, because it
//! is safe to repeat, says so and waits for no fsync.

pub(super) mod statements;
mod writer;

use std::{
    path::{Path, PathBuf},
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

use rusqlite::{Connection, ErrorCode, OpenFlags, TransactionBehavior};
use tokio::sync::{Semaphore, mpsc, oneshot};
use tracing::warn;

use self::writer::{Durability, Write};
use crate::{
    store::{Error, Result},
    telemetry::{metrics::database::Operation, trace::database::Query},
};

/// Writes waiting for the writer; more callers wait for room.
const MAX_WAITING_WRITES: usize = 1024;

/// Connections that read at the same time.
const READERS: usize = 4;

/// How long a write waits for another process that is writing to the same file.
const BUSY_TIMEOUT: Duration = Duration::from_secs(5);

/// Pages in the log at which it is written back to the file: at 4 KiB each, 16 MiB. Rows that live
/// shorter than that, as most messages do, are never written back at all.
const CHECKPOINT_PAGES: i64 = 4000;

/// To what the log is cut after it has grown beyond, in bytes: twice what it needs.
const MAX_IDLE_LOG_BYTES: i64 = 32 * 1024 * 1024;

/// Pages that the writer keeps in memory, in KiB: those of a few thousand messages in flight.
const WRITER_CACHE_KIB: i64 = 16 * 1024;

/// Where SQLite keeps pages as they were before a savepoint: in a file it would write each of them. They
/// are those of the writes that share a commit.
const IN_MEMORY: i64 = 2;

/// A SQLite database. Clones share it; the file is closed when the last one is dropped.
#[derive(Clone)]
pub struct Database {
    writes: mpsc::Sender<Write>,
    readers: Arc<Readers>,
    operations: Arc<Operations>,
}

struct Operations {
    database: String,
    read: Operation,
    write: Operation,
}

impl Operations {
    fn on(path: &Path) -> Self {
        let name = path.file_stem().unwrap_or_default().to_string_lossy();
        Self {
            read: Operation::new("sqlite", Some(&name), "read"),
            write: Operation::new("sqlite", Some(&name), "write"),
            database: name.into_owned(),
        }
    }

    /// Asks the database, as a step of its own, and measures how long that takes.
    async fn observed<T>(
        &self,
        name: &'static str,
        operation: &Operation,
        asking: impl Future<Output = Result<T>>,
    ) -> Result<T> {
        let started = Instant::now();
        let query = Query {
            system: "sqlite",
            operation: name,
            namespace: &self.database,
            collection: None,
            server: None,
        };
        let span = query.start();
        let result = asking.await;
        let error_type = result.as_ref().err().map(Error::kind);
        operation.ended(error_type, started.elapsed(), &span.span_context());
        span.end(error_type);
        result
    }
}

impl std::fmt::Debug for Database {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Database").field(&self.readers.path).finish()
    }
}

impl Database {
    /// Opens the file at `path`, making it and its folder if need be, and brings its schema up to
    /// date: `migrations` are run once each, in order, and only ever added to.
    pub fn open(path: &Path, migrations: &[&str]) -> Result<Self> {
        if let Some(folder) = path.parent() {
            std::fs::create_dir_all(folder)
                .map_err(|e| Error::Failed(format!("{}: {e}", folder.display())))?;
        }
        let mut connection = connect(path, OpenFlags::default())?;
        enter_wal_mode(&connection).map_err(error)?;
        for (name, value) in [
            ("cache_size", -WRITER_CACHE_KIB),
            ("wal_autocheckpoint", CHECKPOINT_PAGES),
            ("journal_size_limit", MAX_IDLE_LOG_BYTES),
            ("temp_store", IN_MEMORY),
        ] {
            connection.pragma_update(None, name, value).map_err(error)?;
        }
        migrate(&mut connection, migrations).map_err(error)?;

        let (writes, waiting) = mpsc::channel(MAX_WAITING_WRITES);
        std::thread::Builder::new()
            .name("sqlite-writer".to_owned())
            .spawn(move || writer::run(connection, waiting))
            .map_err(|e| Error::Failed(format!("writer thread: {e}")))?;
        let readers = Arc::new(Readers {
            path: path.to_owned(),
            permits: Semaphore::new(READERS),
            idle: Mutex::new(Vec::new()),
        });
        Ok(Self {
            writes,
            readers,
            operations: Arc::new(Operations::on(path)),
        })
    }

    /// Runs `job` in a transaction, which may be shared with other callers' jobs. If it fails,
    /// nothing of it is kept. When this returns `Ok`, it is on disk.
    pub async fn write<T, F>(&self, job: F) -> Result<T>
    where
        T: Send + 'static,
        F: FnOnce(&Connection) -> rusqlite::Result<T> + Send + 'static,
    {
        self.answered(Durability::Machine, job).await
    }

    /// Like [`write`](Self::write), for what is safe to repeat: it survives a `kill -9`, but a power
    /// failure may undo it.
    pub async fn write_repeatable<T, F>(&self, job: F) -> Result<T>
    where
        T: Send + 'static,
        F: FnOnce(&Connection) -> rusqlite::Result<T> + Send + 'static,
    {
        self.answered(Durability::Process, job).await
    }

    async fn answered<T, F>(&self, durability: Durability, job: F) -> Result<T>
    where
        T: Send + 'static,
        F: FnOnce(&Connection) -> rusqlite::Result<T> + Send + 'static,
    {
        let (answer, answered) = oneshot::channel();
        // A caller that no longer waits needs no answer.
        let write = Write::new(durability, job, |result| drop(answer.send(result)));
        let writing = async {
            match self.writes.send(write).await {
                Ok(()) => answered.await.unwrap_or_else(|_| Err(closed())),
                Err(_) => Err(closed()),
            }
        };
        let operations = &self.operations;
        operations.observed("write", &operations.write, writing).await
    }

    /// Queues `job` like [`write_repeatable`](Self::write_repeatable), from where nothing can be
    /// awaited, as in a drop. It is run after every write that was queued before; it is given up when
    /// there is no room.
    pub(super) fn write_later<F>(&self, job: F)
    where
        F: FnOnce(&Connection) -> rusqlite::Result<()> + Send + 'static,
    {
        let write = Write::new(Durability::Process, job, |result| {
            if let Err(error) = result {
                warn!(%error, "a write in the background failed");
            }
        });
        if self.writes.try_send(write).is_err() {
            warn!("a write in the background found no room");
        }
    }

    /// Runs a query. It sees every write that was answered before it began.
    pub async fn read<T, F>(&self, query: F) -> Result<T>
    where
        T: Send + 'static,
        F: FnOnce(&Connection) -> rusqlite::Result<T> + Send + 'static,
    {
        let readers = Arc::clone(&self.readers);
        let reading = async {
            let _permit = self.readers.permits.acquire().await.map_err(|_| closed())?;
            tokio::task::spawn_blocking(move || readers.run(query))
                .await
                .unwrap_or_else(|e| Err(Error::Failed(e.to_string())))
        };
        let operations = &self.operations;
        operations.observed("read", &operations.read, reading).await
    }
}

struct Readers {
    path: PathBuf,
    permits: Semaphore,
    idle: Mutex<Vec<Connection>>,
}

impl Readers {
    fn run<T>(&self, query: impl FnOnce(&Connection) -> rusqlite::Result<T>) -> Result<T> {
        let idle = self.idle.lock().expect("no holder of the lock can panic").pop();
        let connection = match idle {
            Some(connection) => connection,
            None => connect(
                &self.path,
                OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX,
            )?,
        };
        let result = query(&connection).map_err(error);
        self.idle
            .lock()
            .expect("no holder of the lock can panic")
            .push(connection);
        result
    }
}

fn connect(path: &Path, flags: OpenFlags) -> Result<Connection> {
    let mut connection = Connection::open_with_flags(path, flags).map_err(error)?;
    statements::write_down(&mut connection, path).map_err(error)?;
    connection.busy_timeout(BUSY_TIMEOUT).map_err(error)?;
    connection.set_prepared_statement_cache_capacity(64);
    Ok(connection)
}

/// Changing the mode of a new file needs it alone, and is the one thing for which SQLite does not
/// wait by itself: whoever else opens the file at this moment is done in no time.
fn enter_wal_mode(connection: &Connection) -> rusqlite::Result<()> {
    const ASK_AGAIN: Duration = Duration::from_millis(10);
    let mut waited = Duration::ZERO;
    loop {
        match connection.pragma_update(None, "journal_mode", "wal") {
            Err(error) if is_busy(&error) && waited < BUSY_TIMEOUT => std::thread::sleep(ASK_AGAIN),
            result => return result,
        }
        waited += ASK_AGAIN;
    }
}

fn is_busy(error: &rusqlite::Error) -> bool {
    matches!(
        error.sqlite_error_code(),
        Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked)
    )
}

fn migrate(connection: &mut Connection, migrations: &[&str]) -> rusqlite::Result<()> {
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let done: u32 = transaction.pragma_query_value(None, "user_version", |row| row.get(0))?;
    for migration in migrations.iter().skip(done as usize) {
        transaction.execute_batch(migration)?;
    }
    let current = u32::try_from(migrations.len()).unwrap_or(u32::MAX);
    transaction.pragma_update(None, "user_version", current.max(done))?;
    transaction.commit()
}

fn closed() -> Error {
    Error::Unavailable("the database's writer did not take the call".to_owned())
}

/// What a store's callers hear of a SQLite error.
fn error(error: rusqlite::Error) -> Error {
    let text = error.to_string();
    match error.sqlite_error_code() {
        Some(
            ErrorCode::DatabaseBusy
            | ErrorCode::DatabaseLocked
            | ErrorCode::DiskFull
            | ErrorCode::SystemIoFailure
            | ErrorCode::CannotOpen,
        ) => Error::Unavailable(text),
        _ => Error::Failed(text),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SCHEMA: &[&str] = &["CREATE TABLE t (n INTEGER PRIMARY KEY) STRICT"];

    async fn insert(database: &Database, n: i64) -> Result<usize> {
        database
            .write(move |c| c.execute("INSERT INTO t VALUES (?1)", [n]))
            .await
    }

    #[tokio::test]
    async fn a_write_that_fails_takes_no_neighbour_with_it() {
        let folder = tempfile::tempdir().unwrap();
        let database = Database::open(&folder.path().join("a/t.db"), SCHEMA).unwrap();
        let results = futures::future::join_all([1, 2, 1, 3].map(|n| insert(&database, n))).await;
        assert_eq!(results.iter().filter(|r| r.is_ok()).count(), 3);
        let count: i64 = database
            .read(|c| c.query_row("SELECT count(*) FROM t", [], |r| r.get(0)))
            .await
            .unwrap();
        assert_eq!(count, 3);
    }

    #[tokio::test]
    async fn a_write_that_panics_leaves_nothing_and_the_writer_goes_on() {
        let folder = tempfile::tempdir().unwrap();
        let database = Database::open(&folder.path().join("t.db"), SCHEMA).unwrap();
        let panics = database.write(|c| -> rusqlite::Result<()> {
            c.execute("INSERT INTO t VALUES (1)", [])?;
            panic!("on purpose")
        });
        assert!(matches!(panics.await, Err(Error::Failed(_))));
        assert_eq!(insert(&database, 1).await.unwrap(), 1);
    }

    #[tokio::test]
    async fn many_open_a_new_file_at_the_same_time() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("t.db");
        let threads: Vec<_> = (0..8)
            .map(|_| {
                let path = path.clone();
                std::thread::spawn(move || Database::open(&path, SCHEMA).map(drop))
            })
            .collect();
        for thread in threads {
            thread.join().unwrap().unwrap();
        }
    }

    #[tokio::test]
    async fn a_file_is_opened_again_and_migrated_once() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("t.db");
        insert(&Database::open(&path, SCHEMA).unwrap(), 1).await.unwrap();
        let more = [SCHEMA[0], "ALTER TABLE t ADD COLUMN m INTEGER"];
        let database = Database::open(&path, &more).unwrap();
        let n: i64 = database
            .read(|c| c.query_row("SELECT n FROM t WHERE m IS NULL", [], |r| r.get(0)))
            .await
            .unwrap();
        assert_eq!(n, 1);
    }
}
