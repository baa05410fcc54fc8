//! Failures in, letters out.

use std::collections::HashMap;

use async_trait::async_trait;
use futures::{TryStreamExt, future::try_join_all};
use mongodb::bson::{Bson, Document, doc};
use serde::Deserialize;
use uuid::Uuid;
use waybill::{
    clock::from_unix_millis,
    grpc::page::Page,
    message::Message,
    mongo::{Command, is_duplicate_key, store_error},
    store::{Error, Result},
};

use super::{MongoOperations, document::LetterDocument, query};
use crate::{
    domain::{
        dead_letter::{DeadLetter, Failed, Phase},
        filter::{Cause, Filter},
    },
    ports::dead_letters::{DeadLetters, Intake},
};

/// Attempts at one failure while others change its letter: an operation moves a letter a few times.
const MAX_ATTEMPTS: usize = 10;

#[async_trait]
impl Intake for MongoOperations {
    async fn record(&self, failures: &[Failed]) -> Result<()> {
        self.indexes[0].ensure().await?;
        let mut of_letters: HashMap<Uuid, Vec<&Failed>> = HashMap::new();
        for failed in failures {
            of_letters.entry(failed.dead_letter.id).or_default().push(failed);
        }
        try_join_all(
            of_letters
                .into_values()
                .map(|failures| self.record_in_order(failures)),
        )
        .await
        .map(drop)
    }
}

impl MongoOperations {
    /// How many letters match.
    pub(super) async fn count(&self, query: Document) -> Result<u64> {
        let count = self.letters.count_documents(query);
        let counted = self.letters.observe(Command::Aggregate, count).await;
        counted.map_err(store_error)
    }

    /// Records failures of one letter.
    async fn record_in_order(&self, failures: Vec<&Failed>) -> Result<()> {
        for failed in failures {
            self.record_one(failed).await?;
        }
        Ok(())
    }

    async fn record_one(&self, failed: &Failed) -> Result<()> {
        for _ in 0..MAX_ATTEMPTS {
            if self.try_record(failed).await? {
                return Ok(());
            }
        }
        Err(Error::Unavailable(
            "a dead letter changes all the time".to_owned(),
        ))
    }

    /// `false` when somebody else has changed the letter meanwhile.
    async fn try_record(&self, failed: &Failed) -> Result<bool> {
        let id = failed.dead_letter.id.to_string();
        let find = self
            .letters
            .find_one(doc! {"_id": &id})
            .projection(doc! {"message": 0});
        let known = self.letters.observe(Command::Find, find).await;
        let Some(known) = known.map_err(store_error)? else {
            let insert = self.letters.insert_one(LetterDocument::new(failed));
            return match self.letters.observe(Command::Insert, insert).await {
                Ok(_) => Ok(true),
                Err(error) if is_duplicate_key(&error) => Ok(false),
                Err(error) => Err(store_error(error)),
            };
        };
        let revision = known.revision;
        let Some(letter) = known.into_parts()?.0.failed_again(failed) else {
            return Ok(true);
        };
        let change = self.letters.update_one(
            doc! {"_id": id, "revision": revision},
            LetterDocument::change(&letter, failed)?,
        );
        let changed = self.letters.observe(Command::Update, change).await;
        Ok(changed.map_err(store_error)?.matched_count == 1)
    }
}

#[derive(Debug, Deserialize)]
struct CauseDocument {
    #[serde(rename = "_id")]
    cause: CauseKey,
    count: i64,
    oldest: mongodb::bson::DateTime,
    newest: mongodb::bson::DateTime,
}

#[derive(Debug, Deserialize)]
struct CauseKey {
    consumer: String,
    event_type: String,
    reason: String,
}

#[async_trait]
impl DeadLetters for MongoOperations {
    async fn get(&self, id: Uuid) -> Result<Option<(DeadLetter, Message)>> {
        let find = self.letters.find_one(doc! {"_id": id.to_string()});
        let found = self.letters.observe(Command::Find, find).await;
        found.map_err(store_error)?.map(with_message).transpose()
    }

    async fn list(&self, phase: Phase, filter: &Filter, page: Page) -> Result<Vec<DeadLetter>> {
        let find = self
            .letters
            .find(query::of(phase, filter, page.after))
            .sort(query::newest_first())
            .projection(doc! {"message": 0})
            .limit(i64::try_from(page.size + 1).unwrap_or(i64::MAX));
        let found = self.letters.observe(Command::Find, find).await;
        let documents: Vec<_> = found
            .map_err(store_error)?
            .try_collect()
            .await
            .map_err(store_error)?;
        documents
            .into_iter()
            .map(|document| Ok(document.into_parts()?.0))
            .collect()
    }

    async fn causes(&self, filter: &Filter, limit: usize) -> Result<Vec<Cause>> {
        let compute = self
            .letters
            .aggregate([
                doc! {"$match": query::of(Phase::Open, filter, None)},
                doc! {"$sort": query::newest_first()},
                doc! {"$limit": i64::try_from(limit).unwrap_or(i64::MAX)},
                doc! {"$group": {
                    "_id": {"consumer": "$consumer", "event_type": "$event_type", "reason": "$reason"},
                    "count": {"$sum": 1_i64},
                    "oldest": {"$min": "$last_failure"},
                    "newest": {"$max": "$last_failure"},
                }},
            ])
            .with_type::<CauseDocument>();
        let found = self.letters.observe(Command::Aggregate, compute).await;
        let causes: Vec<_> = found
            .map_err(store_error)?
            .try_collect()
            .await
            .map_err(store_error)?;
        Ok(causes.into_iter().map(Cause::from).collect())
    }

    async fn waiting(&self, ids: &[Uuid]) -> Result<u64> {
        let query = doc! {"_id": {"$in": texts(ids)}, "state": "WAITING"};
        self.count(query).await
    }
}

impl From<CauseDocument> for Cause {
    fn from(document: CauseDocument) -> Self {
        Self {
            consumer: document.cause.consumer,
            event_type: document.cause.event_type,
            reason: document.cause.reason,
            count: document.count.try_into().unwrap_or(0),
            oldest: from_unix_millis(document.oldest.timestamp_millis()),
            newest: from_unix_millis(document.newest.timestamp_millis()),
        }
    }
}

/// A document that was read whole.
pub(super) fn with_message(document: LetterDocument) -> Result<(DeadLetter, Message)> {
    let (letter, message) = document.into_parts()?;
    let message = message.ok_or_else(|| Error::Failed("a dead letter holds no message".to_owned()))?;
    Ok((letter, message))
}

/// Ids as they stand in documents.
pub(super) fn texts(ids: &[Uuid]) -> Vec<String> {
    ids.iter().map(Uuid::to_string).collect()
}

/// The id of a document of which only that was read.
pub(super) fn id_of(document: &Document) -> Option<Bson> {
    document.get("_id").cloned()
}
