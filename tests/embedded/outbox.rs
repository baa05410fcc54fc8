//! The outbox on SQLite.

use tempfile::TempDir;
use waybill::{
    clock::{Clock, SystemClock},
    embedded::{Database, SqliteOutbox, outbox},
    outbox::{Entry, MAX_COUNTED, Outbox},
};
use waybill_testkit::{conformance::outbox as suite, sqlite::Watched};

struct Fixture {
    database: Database,
    outbox: SqliteOutbox,
    _file: (Watched, TempDir),
}

fn fixture() -> Fixture {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("service.db");
    let watched = Watched::new(&path);
    let database = Database::open(&path, &[outbox::SCHEMA]).unwrap();
    Fixture {
        outbox: SqliteOutbox::new(database.clone()),
        database,
        _file: (watched, folder),
    }
}

impl Fixture {
    async fn put(&self, entries: Vec<Entry>) {
        self.database
            .write(move |c| outbox::insert(c, &entries))
            .await
            .unwrap();
    }
}

macro_rules! conforms {
    ($($check:ident),* $(,)?) => {$(
        #[tokio::test]
        async fn $check() {
            let fixture = fixture();
            suite::$check(&fixture.outbox, async |entries| fixture.put(entries).await).await;
        }
    )*};
}

conforms!(
    oldest_first,
    one_writes_order,
    only_what_is_old_enough,
    nothing_is_lost_of_a_message,
    clearing,
    two_versions_of_one_event,
    backlog,
);

#[tokio::test]
async fn one_leads() {
    suite::one_leads(&fixture().outbox).await;
}

#[tokio::test]
async fn one_of_many_leads() {
    suite::one_of_many_leads(&fixture().outbox).await;
}

#[tokio::test]
async fn counting_a_backlog_ends() {
    let fixture = fixture();
    let entries = suite::of_one_owner(usize::try_from(MAX_COUNTED).unwrap() + 5);
    fixture.put(entries).await;
    assert_eq!(fixture.outbox.backlog().await.unwrap().depth, MAX_COUNTED);
}

#[tokio::test]
async fn a_write_that_fails_leaves_no_event() {
    let fixture = fixture();
    let entries = vec![suite::entry(SystemClock.now())];
    let failing = fixture.database.write(move |c| {
        outbox::insert(c, &entries)?;
        c.execute("INSERT INTO no_such_table VALUES (1)", [])
    });
    failing.await.unwrap_err();
    assert_eq!(fixture.outbox.backlog().await.unwrap().depth, 0);
}
