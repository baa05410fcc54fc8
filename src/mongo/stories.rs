//! Stories in a MongoDB collection.

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

/// The collection of attempts.
const COLLECTION: &str = "attempts";

/// An attempt as stored.
#[derive(Serialize)]
struct StoryDocument<'a> {
    recorded: DateTime,
    told: &'a Attempt,
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
        let by_subject = IndexModel::builder()
            .keys(doc! {"told.subject": 1, "told.start_time_ms": 1})
            .build();
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
        let document = |told: &Attempt| {
            let document = bson::serialize_to_raw_document_buf(&StoryDocument { recorded, told });
            document.map_err(|error| Error::Failed(error.to_string()))
        };
        let documents = attempts.iter().map(document).collect::<Result<Vec<_>>>()?;
        let attempts = self.attempts.clone_with_type::<RawDocumentBuf>();
        let insert = attempts.insert_many(documents).ordered(false);
        let inserted = self.attempts.observe(Command::Insert, insert).await;
        inserted.map(drop).map_err(store_error)
    }

    async fn of(&self, subject: &str) -> Result<Vec<Attempt>> {
        let find = self
            .attempts
            .find(doc! {"told.subject": subject})
            .sort(doc! {"told.start_time_ms": 1, "_id": 1})
            .limit(i64::try_from(MAX_TOLD).unwrap_or(i64::MAX));
        let found = self.attempts.observe(Command::Find, find).await;
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
