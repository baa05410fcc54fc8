//! Stories on SQLite.

use std::{sync::Arc, time::Duration};

use tempfile::TempDir;
use waybill::{
    clock::{Clock, ManualClock, SystemClock, from_unix_millis},
    embedded::{Database, SqliteStories, stories::MIGRATIONS},
    story::{RETENTION, Stories},
};
use waybill_testkit::{
    conformance::stories::{self as suite, attempt},
    sqlite::Watched,
};

fn fixture(clock: Arc<dyn Clock>) -> (SqliteStories, (Watched, TempDir)) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("story.db");
    let watched = Watched::new(&path);
    let database = Database::open(&path, MIGRATIONS).unwrap();
    (SqliteStories::new(database, clock), (watched, folder))
}

macro_rules! conforms {
    ($($check:ident),* $(,)?) => {$(
        #[tokio::test]
        async fn $check() {
            let (stories, _file) = fixture(Arc::new(SystemClock));
            suite::$check(&stories).await;
        }
    )*};
}

conforms!(
    one_aggregates_attempts_by_when_they_began,
    what_happened_twice_is_told_twice,
    a_story_has_an_end,
);

#[tokio::test]
async fn what_is_too_old_is_forgotten() {
    let clock = Arc::new(ManualClock::new(from_unix_millis(1_000)));
    let (stories, _file) = fixture(clock.clone());
    stories.record(&[attempt("o-1", 1)]).await.unwrap();
    clock.advance(RETENTION);
    stories.record(&[attempt("o-1", 2)]).await.unwrap();
    assert_eq!(stories.of("o-1").await.unwrap().len(), 2);
    clock.advance(Duration::from_secs(1));
    stories.record(&[attempt("o-1", 3)]).await.unwrap();
    assert_eq!(
        stories.of("o-1").await.unwrap(),
        [attempt("o-1", 2), attempt("o-1", 3)]
    );
}
