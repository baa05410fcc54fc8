//! The inbox: effects, and the record that their events were handled, in one transaction.
//!
//! One document records all events of a transaction: that costs the server half of what a document an
//! event does, and less room from two on. A unique index has each event of a consumer once.
//!
//! What is usual, a batch of new events, takes three round trips: insert the record, apply the
//! effects, commit. (Once a second there is one more, see `sessions`.) An event that is recorded already fails
//! the insert; then one query finds which events are new, and the transaction starts again with those.

use std::{collections::HashSet, sync::Arc, time::Duration};

use async_trait::async_trait;
use futures::TryStreamExt;
use mongodb::{
    ClientSession, IndexModel,
    bson::{DateTime, Document, Uuid, doc},
    error::{Error as DriverError, Result as DriverResult, UNKNOWN_TRANSACTION_COMMIT_RESULT},
    options::{IndexOptions, ReadConcern},
};
use serde::Deserialize;
use tracing::warn;

use super::{
    Collection, Command, Database, Indexes, all_at_once,
    error::{is_away, is_cut_off, is_transient},
    is_duplicate_key,
    sessions::Sessions,
    store_error,
};
use crate::{
    clock::{Clock, unix_millis},
    inbox::{Entry, Inbox},
    retention::Retention,
    store::{Error, Result},
};

/// The collection of records, and of the [sessions](Sessions) that write them.
const COLLECTION: &str = "inbox";

/// How often a transaction is tried: enough for several instances that change the same documents
/// to get out of each other's way.
const MAX_ATTEMPTS: u32 = 10;

/// How often a commit is asked for whose outcome is not known. Whoever called then tries all again,
/// which the records make safe.
const MAX_COMMIT_ATTEMPTS: u32 = 3;

/// After so many attempts in a row it is looked whether it is a dead instance that is in the way.
const ATTEMPTS_BEFORE_ENDING: u32 = 4;

/// First pause between attempts; it doubles. All of them together take at most 5.1 s.
const FIRST_PAUSE: Duration = Duration::from_millis(5);

/// Applies effects in a transaction.
#[async_trait]
pub trait MongoEffects<E>: Send + Sync + 'static {
    /// Applies `effects`, of which there is at least one, with `session`, best by one command
    /// ([`Collection::upsert_each`]). The driver's errors are handed on as they are: they say whether
    /// the transaction may be tried again, in which this is called again. A duplicate key counts as two
    /// upserts that met.
    async fn apply(&self, session: &mut ClientSession, effects: &[&E]) -> DriverResult<()>;
}

/// The inbox of one consumer.
pub struct MongoInbox<E> {
    records: Collection<Document>,
    consumer: String,
    clock: Arc<dyn Clock>,
    effects: Arc<dyn MongoEffects<E>>,
    sessions: Sessions,
    retention: Duration,
    indexes: Indexes,
}

/// A record, as far as it is read.
#[derive(Debug, Deserialize)]
struct Record {
    events: Vec<Uuid>,
}

/// Why a transaction did not commit.
enum Abort {
    /// An event was recorded already.
    Handled,
    /// Anything else.
    Failed(DriverError),
}

impl<E> MongoInbox<E> {
    /// The inbox of `consumer` (its queue's name) in `database`, whose effects `effects` applies.
    pub fn new(
        database: &Database,
        consumer: impl Into<String>,
        clock: Arc<dyn Clock>,
        effects: Arc<dyn MongoEffects<E>>,
    ) -> Self {
        let records = database.collection(COLLECTION);
        Self {
            indexes: Indexes::new(records.clone(), vec![handled(), expiry()]),
            sessions: Sessions::new(records.clone(), Arc::clone(&clock)),
            records,
            consumer: consumer.into(),
            clock,
            effects,
            retention: Retention::default().inbox,
        }
    }

    /// Remembers events that are handled from now on for `retention`, instead of the [default](Retention).
    #[must_use]
    pub fn remembering(mut self, retention: Duration) -> Self {
        self.retention = retention;
        self
    }

    /// What it needs to know an event again, and to forget it after the retention.
    pub fn indexes(&self) -> Indexes {
        self.indexes.clone()
    }
}

impl<E: Send + Sync + 'static> MongoInbox<E> {
    async fn transact(&self, entries: &[&Entry<E>]) -> std::result::Result<(), Abort> {
        let mut session = self.sessions.take().await.map_err(Abort::Failed)?;
        let result = self.transact_in(&mut session.driver, entries).await;
        // Nobody heard how a transaction ended that was cut off: its session is left to be ended.
        if !matches!(&result, Err(Abort::Failed(error)) if is_cut_off(error)) {
            self.sessions.give_back(session);
        }
        result
    }

    async fn transact_in(
        &self,
        session: &mut ClientSession,
        entries: &[&Entry<E>],
    ) -> std::result::Result<(), Abort> {
        session.start_transaction().await.map_err(Abort::Failed)?;
        let applied = self.apply(session, entries).await;
        match applied {
            Ok(()) => return self.commit_in(session).await.map_err(Abort::Failed),
            Err(Abort::Failed(ref error)) if is_cut_off(error) => {}
            Err(_) => {
                let abort = session.abort_transaction();
                drop(self.records.observe(Command::AbortTransaction, abort).await);
            }
        }
        applied
    }

    /// Commits, asking again while it is not known whether it did.
    async fn commit_in(&self, session: &mut ClientSession) -> DriverResult<()> {
        let mut attempt = 1;
        loop {
            match self
                .records
                .observe(Command::CommitTransaction, session.commit_transaction())
                .await
            {
                Err(error)
                    if error.contains_label(UNKNOWN_TRANSACTION_COMMIT_RESULT)
                        && !is_away(&error)
                        && attempt < MAX_COMMIT_ATTEMPTS =>
                {
                    pause(attempt).await;
                    attempt += 1;
                }
                result => return result,
            }
        }
    }

    async fn apply(
        &self,
        session: &mut ClientSession,
        entries: &[&Entry<E>],
    ) -> std::result::Result<(), Abort> {
        let expires = DateTime::from_millis(unix_millis(self.clock.now() + self.retention));
        let record = doc! {"consumer": &self.consumer, "events": ids_of(entries), "expires": expires};
        let insert = self.records.insert_one(record).session(&mut *session);
        match self.records.observe(Command::Insert, insert).await {
            Ok(_) => {}
            Err(error) if is_duplicate_key(&error) => return Err(Abort::Handled),
            Err(error) => return Err(Abort::Failed(error)),
        }
        let effects: Vec<_> = entries.iter().map(|entry| &entry.effect).collect();
        self.effects.apply(session, &effects).await.map_err(Abort::Failed)
    }

    /// Those of `entries` that are in no record which a majority holds. (One that could still be
    /// rolled back must not stop an event from being handled.)
    async fn unhandled<'a>(&self, entries: Vec<&'a Entry<E>>) -> Result<Vec<&'a Entry<E>>> {
        let records = self.records.clone_with_type::<Record>();
        let find = records
            .find(doc! {"consumer": &self.consumer, "events": {"$in": ids_of(&entries)}})
            .read_concern(ReadConcern::majority())
            .projection(doc! {"_id": 0, "events": 1})
            .batch_size(all_at_once(entries.len()));
        let found = self.records.observe(Command::Find, find).await;
        let records: Vec<Record> = found
            .map_err(store_error)?
            .try_collect()
            .await
            .map_err(store_error)?;
        let handled: HashSet<_> = records.into_iter().flat_map(|record| record.events).collect();
        let is_new = |entry: &&Entry<E>| !handled.contains(&id_of(entry));
        Ok(entries.into_iter().filter(is_new).collect())
    }
}

#[async_trait]
impl<E: Send + Sync + 'static> Inbox<E> for MongoInbox<E> {
    async fn commit(&self, entries: &[Entry<E>]) -> Result<usize> {
        self.indexes.ensure().await?;
        let mut seen = HashSet::new();
        let mut entries: Vec<_> = entries.iter().filter(|e| seen.insert(e.event_id)).collect();
        let mut in_the_way = Error::Unavailable("others are handling the same events".to_owned());
        for attempt in 1..=MAX_ATTEMPTS {
            if entries.is_empty() {
                return Ok(0);
            }
            match self.transact(&entries).await {
                Ok(()) => return Ok(entries.len()),
                Err(Abort::Handled) => {
                    let tried = entries.len();
                    entries = self.unhandled(entries).await?;
                    if entries.len() < tried {
                        continue;
                    }
                }
                Err(Abort::Failed(error)) if may_try_again(&error) => in_the_way = store_error(error),
                Err(Abort::Failed(error)) => return Err(store_error(error)),
            }
            pause(attempt).await;
            if attempt % ATTEMPTS_BEFORE_ENDING == 0
                && let Err(error) = self.sessions.end_abandoned().await
            {
                warn!(error = %store_error(error), "transactions of dead instances cannot be ended");
            }
        }
        Err(in_the_way)
    }
}

/// Whether the transaction did not take effect and may when it is tried again: it was in the way of
/// another, or two upserts made the same document. (Code decides beside label: a conflict that is
/// reported of one of several updates has no label.)
fn may_try_again(error: &DriverError) -> bool {
    let passes = is_transient(error) && !is_away(error);
    (passes && !error.contains_label(UNKNOWN_TRANSACTION_COMMIT_RESULT)) || is_duplicate_key(error)
}

/// Waits before the attempt after `attempt`, a random time so that two do not meet again.
async fn pause(attempt: u32) {
    let longest = FIRST_PAUSE * 2_u32.pow(attempt - 1);
    tokio::time::sleep(longest.mul_f64(fastrand::f64())).await;
}

fn id_of<E>(entry: &Entry<E>) -> Uuid {
    Uuid::from_bytes(entry.event_id.into_bytes())
}

fn ids_of<E>(entries: &[&Entry<E>]) -> Vec<Uuid> {
    entries.iter().map(|entry| id_of(entry)).collect()
}

/// Each event of a consumer once. Sparse, since sessions are no records.
fn handled() -> IndexModel {
    let options = IndexOptions::builder()
        .name("handled".to_owned())
        .unique(true)
        .sparse(true)
        .build();
    IndexModel::builder()
        .keys(doc! {"consumer": 1, "events": 1})
        .options(options)
        .build()
}

/// Each record says itself when it ends, so that the retention can change without a new index.
fn expiry() -> IndexModel {
    let options = IndexOptions::builder()
        .name("expiry".to_owned())
        .expire_after(Duration::ZERO)
        .build();
    IndexModel::builder()
        .keys(doc! {"expires": 1})
        .options(options)
        .build()
}
