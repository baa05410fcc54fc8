//! Watching events on SQLite: what every broker must do, across processes too, and what a watch leaves
//! in the file.

use std::{path::Path, sync::Arc};

use waybill::{
    broker::Broker,
    clock::{Clock, ManualClock, SystemClock, from_unix_millis},
    embedded::{EmbeddedBroker, EmbeddedTaps, rusqlite::Connection},
    tap::{MAX_HELD, Taps},
};
use waybill_testkit::wait;

use crate::{
    broker::{event, open, publish, subscription},
    folder::Folder,
    peer::Peer,
};

fn taps_on(folder: &Path, clock: Arc<dyn Clock>) -> Arc<dyn Taps> {
    Arc::new(EmbeddedTaps::new(folder.join("broker.db"), clock))
}

async fn fresh() -> (Arc<dyn Broker>, Arc<dyn Taps>, Folder) {
    let folder = Folder::new();
    let taps = taps_on(folder.path(), Arc::new(SystemClock));
    (Arc::new(open(folder.path()).await), taps, folder)
}

waybill_testkit::taps_conformance!(fresh);

/// Rows of a table in the broker's file.
fn rows(folder: &Path, table: &str) -> usize {
    let connection = Connection::open(folder.join("broker.db")).unwrap();
    let sql = format!("SELECT count(*) FROM {table}");
    let count: i64 = connection.query_row(&sql, [], |row| row.get(0)).unwrap();
    usize::try_from(count).unwrap()
}

async fn until_rows(folder: &Path, table: &str, count: usize) {
    wait::until(&format!("{count} rows in {table}"), async || {
        (rows(folder, table) == count).then_some(())
    })
    .await;
}

#[tokio::test]
async fn nothing_is_noted_without_a_watcher_and_nothing_is_left_behind_by_one() {
    let folder = Folder::new();
    let broker = open(folder.path()).await;
    broker.declare(&subscription()).await.unwrap();
    publish(&broker, vec![event(0)]).await;
    assert_eq!(rows(folder.path(), "passed"), 0);
    let taps = taps_on(folder.path(), Arc::new(SystemClock));
    let (tap, other) = (taps.open().await.unwrap(), taps.open().await.unwrap());
    publish(&broker, (0..MAX_HELD + 10).map(event).collect()).await;
    assert_eq!(rows(folder.path(), "passed"), MAX_HELD);
    drop(tap);
    until_rows(folder.path(), "tap", 1).await;
    assert_eq!(rows(folder.path(), "passed"), MAX_HELD);
    drop(other);
    until_rows(folder.path(), "passed", 0).await;
}

#[tokio::test]
async fn a_watcher_sees_what_other_processes_publish() {
    let folder = Folder::new();
    let broker = open(folder.path()).await;
    broker.declare(&subscription()).await.unwrap();
    let mut tap = taps_on(folder.path(), Arc::new(SystemClock))
        .open()
        .await
        .unwrap();
    let mut publisher = Peer::start("publish", folder.path());
    // It publishes 0, 1, 2 and so on, as fast as it can: faster, at times, than anybody reads.
    assert_eq!(publisher.next_word(), "0");
    let mut next = 0;
    while next < 20 {
        let passed = tap.next().await.unwrap();
        next += passed.missed;
        for message in passed.messages {
            assert_eq!(message.properties.message_id, Some(next.to_string()));
            next += 1;
        }
    }
}

#[tokio::test]
async fn nobody_notes_events_for_a_watcher_that_died_and_the_next_one_clears_up() {
    let folder = Folder::new();
    let clock = Arc::new(ManualClock::new(from_unix_millis(1_000_000)));
    let path = folder.path().join("broker.db");
    let broker = EmbeddedBroker::open(&path, clock.clone()).await.unwrap();
    broker.declare(&subscription()).await.unwrap();
    let taps = taps_on(folder.path(), clock.clone());
    // It is never dropped, and never renewed: a process that died says no goodbye.
    std::mem::forget(taps.open().await.unwrap());
    publish(&broker, vec![event(0)]).await;
    assert_eq!(rows(folder.path(), "passed"), 1);
    clock.advance(std::time::Duration::from_mins(1));
    publish(&broker, vec![event(1)]).await;
    assert_eq!(rows(folder.path(), "passed"), 1, "event 1 is not noted");
    let _next = taps.open().await.unwrap();
    assert_eq!(
        (rows(folder.path(), "tap"), rows(folder.path(), "passed")),
        (1, 0)
    );
}
