//! The inbox on SQLite.

use std::{iter, path::Path, sync::Arc, time::Duration};

use tempfile::TempDir;
use waybill::{
    clock::{Clock, IdGenerator, ManualClock, SystemClock, UuidV7Generator, from_unix_millis},
    embedded::{
        Database, SqliteInbox, inbox,
        rusqlite::{self, Connection},
    },
    inbox::{Entry, Inbox},
    topology::DEFAULT_PREFETCH,
};
use waybill_testkit::{
    conformance::inbox::{self as suite, Count},
    sqlite::Watched,
};

const FILE: &str = "service.db";

const COUNTERS: &str = "CREATE TABLE counters (name TEXT PRIMARY KEY, n INTEGER NOT NULL) STRICT;";

fn apply(connection: &Connection, effects: &[Count]) -> rusqlite::Result<()> {
    for effect in effects {
        connection.execute(
            "INSERT INTO counters VALUES (?1, 1) ON CONFLICT DO UPDATE SET n = n + 1",
            [&effect.counter],
        )?;
        if effect.fails {
            return Err(rusqlite::Error::InvalidQuery);
        }
    }
    Ok(())
}

async fn counted(database: &Database, counter: &str) -> u64 {
    let counter = counter.to_owned();
    let sum = database.read(|c| {
        c.query_row(
            "SELECT coalesce(sum(n), 0) FROM counters WHERE name = ?1",
            [counter],
            |row| row.get::<_, i64>(0),
        )
    });
    sum.await.unwrap().cast_unsigned()
}

fn open(folder: &Path) -> Database {
    Database::open(&folder.join(FILE), &[inbox::SCHEMA, COUNTERS]).unwrap()
}

fn inbox_of(consumer: &str, database: &Database) -> SqliteInbox<Count> {
    SqliteInbox::new(database.clone(), consumer, Arc::new(SystemClock), apply)
}

fn fixture() -> ((Watched, TempDir), Database) {
    let folder = tempfile::tempdir().unwrap();
    let watched = Watched::new(&folder.path().join(FILE));
    let database = open(folder.path());
    ((watched, folder), database)
}

macro_rules! conforms {
    ($($check:ident),* $(,)?) => {$(
        #[tokio::test]
        async fn $check() {
            let (_folder, database) = fixture();
            let inbox = inbox_of("consumer", &database);
            suite::$check(&inbox, async |counter| counted(&database, counter).await).await;
        }
    )*};
}

conforms!(
    five_deliveries_count_once,
    duplicates_in_a_batch_count_once,
    different_events_add_up,
    a_failure_leaves_no_trace,
);

#[tokio::test]
async fn two_instances_share_the_work() {
    let (file, database) = fixture();
    // Each has a writer of its own, as two processes have.
    let (one, two) = (
        inbox_of("consumer", &database),
        inbox_of("consumer", &open(file.1.path())),
    );
    suite::two_instances_share_the_work(&one, &two, async |counter| counted(&database, counter).await).await;
}

#[tokio::test]
async fn consumers_do_not_hide_events_from_each_other() {
    let (_folder, database) = fixture();
    let (one, other) = (inbox_of("one", &database), inbox_of("other", &database));
    suite::consumers_do_not_hide_events_from_each_other(&one, &other, async |counter| {
        counted(&database, counter).await
    })
    .await;
}

#[tokio::test]
async fn records_are_purged_when_they_are_old_enough() {
    let (_folder, database) = fixture();
    let clock = Arc::new(ManualClock::new(from_unix_millis(1_700_000_000_000)));
    let inbox = SqliteInbox::new(database, "consumer", Arc::clone(&clock) as Arc<dyn Clock>, apply);
    let batch = |from: u128| -> Vec<_> {
        (from..from + 1500)
            .map(|n| Entry {
                event_id: uuid::Uuid::from_u128(n),
                effect: Count {
                    counter: "many".to_owned(),
                    fails: false,
                },
            })
            .collect()
    };
    inbox.commit(&batch(0)).await.unwrap();
    clock.advance(Duration::from_secs(100));
    inbox.commit(&batch(5000)).await.unwrap();
    clock.advance(Duration::from_secs(100));
    assert_eq!(inbox.purge(Duration::from_secs(150)).await.unwrap(), 1500);
    assert_eq!(inbox.commit(&batch(5000)).await.unwrap(), 0);
    assert_eq!(inbox.commit(&batch(0)).await.unwrap(), 1500);
}

/// Bytes that the file has grown by for each of 20,000 entries of `consumer`, committed in batches as large
/// as a consumer's.
async fn bytes_per_entry(consumer: &str, ids: impl Iterator<Item = uuid::Uuid>) -> u64 {
    const ENTRIES: usize = 20_000;
    let (_folder, database) = fixture();
    let bytes = async || {
        let size = "SELECT page_count * page_size FROM pragma_page_count, pragma_page_size";
        let size = database.read(move |c| c.query_row(size, [], |row| row.get::<_, i64>(0)));
        size.await.unwrap().cast_unsigned()
    };
    let clock = Arc::new(ManualClock::new(from_unix_millis(1_780_000_000_000)));
    let inbox = SqliteInbox::new(
        database.clone(),
        consumer,
        Arc::clone(&clock) as _,
        |_, _: &[()]| Ok(()),
    );
    let empty = bytes().await;
    let entries: Vec<_> = ids
        .take(ENTRIES)
        .map(|event_id| Entry { event_id, effect: () })
        .collect();
    for batch in entries.chunks(DEFAULT_PREFETCH.into()) {
        assert_eq!(inbox.commit(batch).await.unwrap(), batch.len());
        clock.advance(Duration::from_millis(100));
    }
    (bytes().await - empty).div_ceil(ENTRIES as u64)
}

#[tokio::test]
async fn an_entry_takes_as_much_of_the_file_as_is_stated() {
    let in_order = UuidV7Generator::default();
    let usual = bytes_per_entry(suite::USUAL_NAME, iter::repeat_with(|| in_order.next_id())).await;
    let mut random = fastrand::Rng::with_seed(7);
    let any_order = iter::repeat_with(|| uuid::Uuid::from_u128(random.u128(..)));
    let most = bytes_per_entry(&suite::longest_name(), any_order).await;
    suite::takes_as_much_as_is_stated("SQLite", usual, most);
}
