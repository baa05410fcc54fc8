//! Letters on their way through a batch. An update of many documents may be cut off between two of
//! them; each document is moved whole, and a repeat moves the rest.

use async_trait::async_trait;
use futures::TryStreamExt;
use mongodb::bson::{Bson, DateTime, Document, doc};
use uuid::Uuid;
use waybill::{
    clock::{from_unix_millis, unix_millis},
    message::Message,
    mongo::{Command, store_error},
    store::Result,
};

use super::{
    MongoOperations,
    document::to_bson,
    letters::{id_of, texts, with_message},
    query,
};
use crate::{
    adapters::record::StoredAction,
    domain::{
        dead_letter::{Action, DeadLetter, MAX_ACTIONS, Phase},
        filter::{Filter, Selection},
        operation::Kind,
    },
    ports::batches::{Batches, Left, Mark, Sending},
};

#[async_trait]
impl Batches for MongoOperations {
    async fn mark(&self, mark: &Mark) -> Result<u64> {
        self.indexes[0].ensure().await?;
        let in_batch = doc! {"batch": mark.batch.to_string()};
        loop {
            let marked = self.count(in_batch.clone()).await?;
            if marked > 0 {
                return Ok(marked);
            }
            let ids = self.markable(mark).await?;
            if ids.is_empty() {
                return Ok(0);
            }
            // Another operation may take some of them first, or all: then others are looked for.
            let operation = mark.operation.to_string();
            let still = doc! {"_id": {"$in": ids}, "state": "WAITING", "operation": {"$ne": &operation}};
            let set = doc! {"state": "MARKED", "operation": operation, "batch": mark.batch.to_string()};
            self.move_all(still, set, doc! {}).await?;
        }
    }

    async fn stage(&self, batch: Uuid, staging: Uuid, action: &Action) -> Result<()> {
        let (batch, staging) = (batch.to_string(), staging.to_string());
        let staged = doc! {"batch": &batch, "state": "STAGED"};
        self.move_all(staged, doc! {"staging": &staging}, doc! {}).await?;
        let marked = doc! {"batch": batch, "state": "MARKED"};
        self.move_all(
            marked,
            doc! {"state": "STAGED", "staging": staging},
            remembering(action)?,
        )
        .await
    }

    async fn left(&self, batch: Uuid) -> Result<Left> {
        let count = async |states: &[&str]| {
            let query = doc! {"batch": batch.to_string(), "state": {"$in": states.to_vec()}};
            self.count(query).await
        };
        Ok(Left {
            unsent: count(&["MARKED", "STAGED"]).await?,
            refused: count(&["REFUSED"]).await?,
        })
    }

    async fn end(&self, batch: Uuid, kind: Kind, action: &Action) -> Result<()> {
        let of = |state: &str| doc! {"batch": batch.to_string(), "state": state};
        let changed = DateTime::from_millis(unix_millis(action.time));
        let released = || doc! {"$unset": {"batch": "", "staging": ""}};
        match kind {
            Kind::Replay => {
                let replayed =
                    doc! {"phase": Phase::Replayed.number(), "state": "REPLAYED", "changed": changed};
                self.move_all(of("FORWARDED"), replayed, released()).await?;
                self.move_all(of("REFUSED"), doc! {"state": "WAITING"}, released())
                    .await
            }
            Kind::Discard => {
                let discarded = doc! {
                    "phase": Phase::Discarded.number(),
                    "state": "DISCARDED",
                    "changed": changed,
                    "was_discarded": true,
                };
                let mut change = released();
                change.extend(remembering(action)?);
                self.move_all(of("MARKED"), discarded, change).await
            }
        }
    }
}

impl MongoOperations {
    /// Letters that wait and are meant, those that failed first before others.
    async fn markable(&self, mark: &Mark) -> Result<Vec<Bson>> {
        let mut meant = match &mark.selection {
            Selection::Ids(ids) => doc! {"_id": {"$in": texts(ids)}},
            Selection::Filter(filter) => {
                let after_until = from_unix_millis(unix_millis(mark.until).saturating_add(1));
                let before = filter
                    .failed_before
                    .map_or(after_until, |before| before.min(after_until));
                let filter = Filter {
                    failed_before: Some(before),
                    ..filter.clone()
                };
                query::of(Phase::Open, &filter, None)
            }
        };
        meant.insert("state", "WAITING");
        meant.insert("operation", doc! {"$ne": mark.operation.to_string()});
        let letters = self.letters.clone_with_type::<Document>();
        let find = letters
            .find(meant)
            .projection(doc! {"_id": 1})
            .sort(doc! {"last_failure": 1, "_id": 1})
            .limit(i64::try_from(mark.limit).unwrap_or(i64::MAX));
        let found = self.letters.observe(Command::Find, find).await;
        let found: Vec<_> = found
            .map_err(store_error)?
            .try_collect()
            .await
            .map_err(store_error)?;
        Ok(found.iter().filter_map(id_of).collect())
    }

    /// Sets fields of all documents that are still where `from` says, and changes them as `more` says.
    async fn move_all(&self, from: Document, set: Document, more: Document) -> Result<()> {
        let mut change = doc! {"$set": set, "$inc": {"revision": 1_i64}};
        change.extend(more);
        let update = self.letters.update_many(from, change);
        let updated = self.letters.observe(Command::Update, update).await;
        updated.map(drop).map_err(store_error)
    }
}

fn remembering(action: &Action) -> Result<Document> {
    let keep = -i64::try_from(MAX_ACTIONS).unwrap_or(i64::MAX);
    let action = to_bson(&StoredAction::from(action))?;
    Ok(doc! {"$push": {"actions": {"$each": [action], "$slice": keep}}})
}

#[async_trait]
impl Sending for MongoOperations {
    async fn staged(&self, batch: Uuid, staging: Uuid, limit: usize) -> Result<Vec<(DeadLetter, Message)>> {
        let query = doc! {"batch": batch.to_string(), "state": "STAGED", "staging": staging.to_string()};
        let find = self
            .letters
            .find(query)
            .sort(doc! {"last_failure": 1, "_id": 1})
            .limit(i64::try_from(limit).unwrap_or(i64::MAX));
        let found = self.letters.observe(Command::Find, find).await;
        let found: Vec<_> = found
            .map_err(store_error)?
            .try_collect()
            .await
            .map_err(store_error)?;
        found.into_iter().map(with_message).collect()
    }

    async fn forwarded(&self, staging: Uuid, ids: &[Uuid]) -> Result<()> {
        let sent = sent(staging, ids);
        self.move_all(sent, doc! {"state": "FORWARDED"}, doc! {}).await
    }

    async fn refused(&self, staging: Uuid, ids: &[Uuid]) -> Result<()> {
        let sent = sent(staging, ids);
        self.move_all(sent, doc! {"state": "REFUSED"}, doc! {}).await
    }
}

fn sent(staging: Uuid, ids: &[Uuid]) -> Document {
    doc! {"_id": {"$in": texts(ids)}, "staging": staging.to_string(), "state": "STAGED"}
}
