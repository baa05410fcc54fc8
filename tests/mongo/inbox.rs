//! The inbox.

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use futures::future::join_all;
use tokio::sync::Notify;
use waybill::{
    clock::{Clock, IdGenerator, ManualClock, SystemClock, UuidV7Generator},
    inbox::{Entry, Inbox},
    mongo::{
        Collection, Database, MongoEffects, MongoInbox, Upsert,
        bson::{Document, RawDocumentBuf, doc},
        mongodb::{
            ClientSession,
            error::{Error, Result},
        },
    },
};
use waybill_testkit::conformance::inbox::{self as conformance, Count};

use crate::fixture;

/// Counters, counted up by one command.
pub(crate) struct Counters(Collection<Document>);

impl Counters {
    pub(crate) fn of(database: &Database) -> Self {
        Self(database.collection("counters"))
    }

    /// A counter, 0 when there is none.
    pub(crate) async fn counted(&self, counter: &str) -> u64 {
        let counter = self.0.find_one(doc! {"_id": counter}).await.unwrap();
        counter.map_or(0, |c| u64::try_from(c.get_i64("n").unwrap()).unwrap())
    }
}

#[async_trait]
impl MongoEffects<Count> for Counters {
    async fn apply(&self, session: &mut ClientSession, effects: &[&Count]) -> Result<()> {
        let add_one = |effect: &&Count| Upsert {
            filter: doc! {"_id": &effect.counter},
            update: doc! {"$inc": {"n": 1_i64}}.into(),
        };
        let counted = effects.iter().map(add_one);
        self.0.upsert_each(counted, Some(session)).await?;
        match effects.iter().find(|effect| effect.fails) {
            Some(_) => Err(Error::custom("told to fail".to_owned())),
            None => Ok(()),
        }
    }
}

/// The inbox of a consumer.
pub(crate) fn inbox(database: &Database, consumer: &str) -> MongoInbox<Count> {
    inbox_with(database, consumer, Arc::new(SystemClock))
}

/// The inbox of a consumer with a clock of its own.
pub(crate) fn inbox_with(database: &Database, consumer: &str, clock: Arc<dyn Clock>) -> MongoInbox<Count> {
    MongoInbox::new(database, consumer, clock, Arc::new(Counters::of(database)))
}

/// Runs checks of the suite, each on a database of its own.
macro_rules! conformance {
    ($($check:ident),*) => {$(
        #[tokio::test]
        async fn $check() {
            let (database, commands) = fixture::watched_database().await;
            let inbox = inbox(&database, "consumer");
            inbox.indexes().ensure().await.unwrap();
            let counters = Counters::of(&database);
            conformance::$check(&inbox, async |counter: &str| counters.counted(counter).await).await;
            commands.assert_indexed().await;
        }
    )*};
}

conformance!(
    five_deliveries_count_once,
    duplicates_in_a_batch_count_once,
    different_events_add_up,
    a_failure_leaves_no_trace
);

#[tokio::test]
async fn two_instances_share_the_work() {
    let database = fixture::database().await;
    let (one, two) = (inbox(&database, "consumer"), inbox(&database, "consumer"));
    let counters = Counters::of(&database);
    conformance::two_instances_share_the_work(&one, &two, async |counter: &str| {
        counters.counted(counter).await
    })
    .await;
}

#[tokio::test]
async fn consumers_do_not_hide_events_from_each_other() {
    let database = fixture::database().await;
    let (one, other) = (inbox(&database, "one"), inbox(&database, "other"));
    let counters = Counters::of(&database);
    let counted = async |counter: &str| counters.counted(counter).await;
    conformance::consumers_do_not_hide_events_from_each_other(&one, &other, counted).await;
}

/// Commits `batches` batches of ten events, each with an effect on one of ten counters.
async fn count_to_ten(inbox: MongoInbox<Count>, batches: usize) {
    let ids = UuidV7Generator::default();
    for _ in 0..batches {
        let entry = |n| Entry {
            event_id: ids.next_id(),
            effect: Count {
                counter: format!("{n}"),
                fails: false,
            },
        };
        let batch: Vec<_> = (0..10).map(entry).collect();
        while let Err(error) = inbox.commit(&batch).await {
            assert!(error.is_transient(), "{error}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn instances_that_change_the_same_documents_all_get_through() {
    let database = fixture::database().await;
    let instances = [(); 4].map(|()| count_to_ten(inbox(&database, "consumer"), 25));
    join_all(instances.map(tokio::spawn)).await;
    let counters = Counters::of(&database);
    for n in 0..10 {
        assert_eq!(counters.counted(&n.to_string()).await, 100);
    }
}

/// Effects that are applied, and then nothing more is heard: what a process leaves that is killed.
struct Dying {
    counters: Counters,
    applied: Notify,
}

#[async_trait]
impl MongoEffects<Count> for Dying {
    async fn apply(&self, session: &mut ClientSession, effects: &[&Count]) -> Result<()> {
        self.counters.apply(session, effects).await?;
        self.applied.notify_one();
        std::future::pending().await
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_dead_instance_held_is_soon_free() {
    let database = fixture::database().await;
    let ids = UuidV7Generator::default();
    let event = || {
        [Entry {
            event_id: ids.next_id(),
            effect: Count {
                counter: "held".to_owned(),
                fails: false,
            },
        }]
    };
    let dying = Arc::new(Dying {
        counters: Counters::of(&database),
        applied: Notify::new(),
    });
    let dead = MongoInbox::new(&database, "consumer", Arc::new(SystemClock), dying.clone());
    let lost = event();
    let dead = tokio::spawn(async move { dead.commit(&lost).await });
    dying.applied.notified().await;

    // Three seconds later, as far as the one that lives can tell.
    let later = ManualClock::new(SystemClock.now() + Duration::from_secs(4));
    let alive = inbox_with(&database, "consumer", Arc::new(later));
    assert_eq!(alive.commit(&event()).await.unwrap(), 1);
    assert_eq!(
        Counters::of(&database).counted("held").await,
        1,
        "what was not committed is gone"
    );
    dead.abort();
}

/// Bytes of the document that records `events` for `consumer`. They are the same for any events.
async fn bytes_of_a_record(consumer: &str, events: usize) -> u64 {
    let database = fixture::database().await;
    let ids = UuidV7Generator::default();
    let entry = |()| Entry {
        event_id: ids.next_id(),
        effect: Count {
            counter: "one".to_owned(),
            fails: false,
        },
    };
    let entries: Vec<_> = std::iter::repeat_n((), events).map(entry).collect();
    assert_eq!(inbox(&database, consumer).commit(&entries).await.unwrap(), events);
    let records = database.collection::<RawDocumentBuf>("inbox");
    let record = records.find_one(doc! {"consumer": consumer}).await;
    record.unwrap().expect("the events are recorded").as_bytes().len() as u64
}

#[tokio::test]
async fn an_entry_is_as_large_as_is_stated() {
    for events in [1, 128] {
        let one_of = async |consumer: &str| {
            let bytes = bytes_of_a_record(consumer, events).await;
            bytes.div_ceil(events as u64)
        };
        let usual = one_of(conformance::USUAL_NAME).await;
        let most = one_of(&conformance::longest_name()).await;
        let row = format!("MongoDB, one of {events} in");
        conformance::takes_as_much_as_is_stated(&row, usual, most);
    }
}
