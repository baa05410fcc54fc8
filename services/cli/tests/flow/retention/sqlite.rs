//! Lifetimes on SQLite, where adapters forget by the time in each row.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::Path,
    time::Duration,
};

use waybill::embedded::rusqlite::Connection;
use waybill_testkit::wait;

use super::{an_order_comes_and_goes, table};
use crate::support::{client::Client, process::Process, stack::Stack};

const HOUR_MS: i64 = 3_600_000;

/// The key, and the time by which rows are forgotten, of each table that forgets.
const FORGETTING: [(&str, &str, &str); 3] = [
    ("notification.notifications", "id", "create_time_ms"),
    ("story.attempt", "id", "recorded_ms"),
    ("user.inbox", "event_id", "handled_ms"),
];

/// The files of a platform.
fn files(folder: &Path) -> BTreeMap<String, Connection> {
    let entries = folder.read_dir().expect("the platform has a folder");
    let paths = entries.map(|entry| entry.expect("the folder can be read").path());
    let databases = paths.filter(|path| path.extension().is_some_and(|extension| extension == "db"));
    let open = |path: std::path::PathBuf| {
        let name = path.file_stem().expect("a file has a name");
        let connection = Connection::open(&path).expect("the file can be opened");
        (name.to_string_lossy().into_owned(), connection)
    };
    databases.map(open).collect()
}

fn tables(connection: &Connection) -> Vec<String> {
    let tables = "SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite%'";
    let mut tables = connection.prepare(tables).unwrap();
    let names = tables.query_map([], |row| row.get(0)).unwrap();
    names.map(Result::unwrap).collect()
}

/// The rows of a table that forgets, of which there are at least two.
struct Aged<'a> {
    connection: &'a Connection,
    table: &'a str,
    time: &'a str,
    count: i64,
    before: i64,
}

impl<'a> Aged<'a> {
    /// Puts the times of all rows back until they are an hour from being forgotten, and that of one to an
    /// hour beyond.
    fn new(
        connection: &'a Connection,
        (table, key, time): (&'a str, &'a str, &'a str),
        lifetime: Duration,
    ) -> Self {
        let lifetime = i64::try_from(lifetime.as_millis()).unwrap();
        let move_back = |by: i64, which: &str| {
            let sql = format!("UPDATE {table} SET {time} = {time} - ?1 {which}");
            connection.execute(&sql, [by]).unwrap()
        };
        let count = move_back(lifetime - HOUR_MS, "");
        assert!(count >= 2, "{table} has rows");
        let one = format!("WHERE {key} = (SELECT min({key}) FROM {table})");
        assert_eq!(move_back(2 * HOUR_MS, &one), 1);
        let newest = format!("SELECT max({time}) FROM {table}");
        Self {
            connection,
            table,
            time,
            count: count.try_into().unwrap(),
            before: connection.query_row(&newest, [], |row| row.get(0)).unwrap(),
        }
    }

    /// Waits until the one is forgotten. All that is due goes in one write, so the others stay.
    async fn forget_one(&self) {
        let old = format!("SELECT count(*) FROM {} WHERE {} <= ?1", self.table, self.time);
        wait::until("what is too old is forgotten", async || {
            let old = self
                .connection
                .query_row(&old, [self.before], |row| row.get::<_, i64>(0));
            let forgotten = self.count - old.unwrap();
            assert!(forgotten <= 1, "{}: {forgotten} are forgotten", self.table);
            (forgotten == 1).then_some(())
        })
        .await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn sqlite_keeps_what_is_stated_for_as_long() {
    let stack = Stack::embedded();
    let up = Process::start(&stack, &["up"]).ready().await;
    an_order_comes_and_goes(&Client::of(up.channel())).await;
    // What is still being told is told before it ends.
    assert!(up.terminate().await.success());

    let files = files(&stack.data_dir());
    let named = |(file, connection)| {
        tables(connection)
            .into_iter()
            .map(move |table| format!("{file}.{table}"))
    };
    let found: BTreeSet<_> = files.iter().flat_map(named).collect();
    assert_eq!(found, table::all(|row| &row.sqlite));
    let forgetting = found
        .into_iter()
        .filter(|name| !table::lifetimes(name, |row| &row.sqlite).is_empty());
    assert!(forgetting.eq(FORGETTING.map(|(name, ..)| name.to_owned())));

    let aged = FORGETTING.map(|(name, key, time)| {
        let lifetimes = table::lifetimes(name, |row| &row.sqlite);
        let (file, table) = name.split_once('.').expect("a table is in a file");
        let lifetime = *lifetimes.first().expect("it forgets");
        Aged::new(&files[file], (table, key, time), lifetime)
    });
    let up = Process::start(&stack, &["up"]).ready().await;
    // Stories are forgotten when others are told.
    an_order_comes_and_goes(&Client::of(up.channel())).await;
    for aged in &aged {
        aged.forget_one().await;
    }
}
