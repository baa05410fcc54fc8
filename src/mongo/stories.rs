//! Stories in a MongoDB collection: a document for each write, with all attempts that were told in it.
//!
//! A busy consumer tells hundreds in one write. As one document they cost the server one entry in its
//! log, one key and one lifetime; the index finds each by what it is about.

use std::sync::Arc;

use async_trait::async_trait;
use futures::TryStreamExt;
use mongodb::{
    IndexModel,
    bson::{self, DateTime, Document, RawDocumentBuf, doc},
    options::IndexOptions,
};

use serde::Serialize;

use super::{Collection, Command, Database, Indexes, store_error};
use crate::{
    clock::{Clock, unix_millis},
    store::{Error, Result},
    story::{Attempt, MAX_TOLD, RETENTION, Stories},
};

/// The collection of what was told.
const COLLECTION: &str = "attempts";

/// Attempts in one document: some 400 KB, where one may have 16 MiB, and as much as a question about one
/// of them makes the server look through.
const MAX_TOGETHER: usize = 1000;

/// What was told in one write, as stored.
#[derive(Serialize)]
struct TellingDocument<'a> {
    recorded: DateTime,
    told: &'a [Attempt],
}

/// Keeps attempts in a collection of its own.
pub struct MongoStories {
    attempts: Collection<Document>,
    clock: Arc<dyn Clock>,
    indexes: Indexes,
}

impl MongoStories {
    /// Stories in `database`.
    pub fn new(database: &Database, clock: Arc<dyn Clock>) -> Self {
        let attempts = database.collection(COLLECTION);
        let by_subject = IndexModel::builder().keys(doc! {"told.subject": 1}).build();
        let expiry = IndexModel::builder()
            .keys(doc! {"recorded": 1})
            .options(IndexOptions::builder().expire_after(RETENTION).build())
            .build();
        Self {
            indexes: Indexes::new(attempts.clone(), vec![by_subject, expiry]),
            attempts,
            clock,
        }
    }
}

#[async_trait]
impl Stories for MongoStories {
    async fn record(&self, attempts: &[Attempt]) -> Result<()> {
        self.indexes.ensure().await?;
        let recorded = DateTime::from_millis(unix_millis(self.clock.now()));
        let document = |told: &[Attempt]| {
            let document = bson::serialize_to_raw_document_buf(&TellingDocument { recorded, told });
            document.map_err(|error| Error::Failed(error.to_string()))
        };
        let documents = attempts.chunks(MAX_TOGETHER).map(document);
        let documents = documents.collect::<Result<Vec<_>>>()?;
        let attempts = self.attempts.clone_with_type::<RawDocumentBuf>();
        let insert = attempts.insert_many(documents).ordered(false);
        let inserted = self.attempts.observe(Command::Insert, insert).await;
        inserted.map(drop).map_err(store_error)
    }

    async fn of(&self, subject: &str) -> Result<Vec<Attempt>> {
        let limit = i64::try_from(MAX_TOLD).unwrap_or(i64::MAX);
        let find = self.attempts.aggregate([
            doc! {"$match": {"told.subject": subject}},
            doc! {"$unwind": "$told"},
            doc! {"$match": {"told.subject": subject}},
            doc! {"$sort": {"told.start_time_ms": 1, "_id": 1}},
            doc! {"$limit": limit},
        ]);
        let found = self.attempts.observe(Command::Aggregate, find).await;
        let found: Vec<Document> = found
            .map_err(store_error)?
            .try_collect()
            .await
            .map_err(store_error)?;
        found.into_iter().map(told).collect()
    }
}

fn told(mut document: Document) -> Result<Attempt> {
    let told = document.remove("told").unwrap_or(bson::Bson::Null);
    bson::deserialize_from_bson(told)
        .map_err(|error| Error::Failed(format!("an attempt cannot be read: {error}")))
}
