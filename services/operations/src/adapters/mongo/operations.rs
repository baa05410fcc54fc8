//! Operations, and who works on them.

use std::time::{Duration, SystemTime};

use async_trait::async_trait;
use futures::TryStreamExt;
use mongodb::bson::{Bson, DateTime, Document, doc};
use serde::{Deserialize, Serialize};
use uuid::Uuid;
use waybill::{
    clock::unix_millis,
    grpc::page::Page,
    mongo::{Command, is_duplicate_key, store_error},
    store::Result,
};

use super::{LEASES, MongoOperations, letters::id_of};
use crate::{
    adapters::record::{StoredOperation, TextId},
    domain::{dead_letter::Phase, operation::Operation},
    ports::operations::{Operations, Work},
};

/// An operation.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct OperationDocument {
    #[serde(rename = "_id")]
    id: TextId,
    create_time: DateTime,
    ended: bool,
    revision: i64,
    data: StoredOperation,
}

impl From<&Operation> for OperationDocument {
    fn from(operation: &Operation) -> Self {
        Self {
            id: TextId(operation.order.id),
            create_time: date_time(operation.order.time),
            ended: operation.end.is_some(),
            revision: operation.revision,
            data: operation.into(),
        }
    }
}

fn operation(document: OperationDocument) -> Result<Operation> {
    document.data.try_into()
}

#[async_trait]
impl Operations for MongoOperations {
    async fn create(&self, operation: &Operation) -> Result<Option<Operation>> {
        self.indexes[1].ensure().await?;
        let insert = self.operations.insert_one(OperationDocument::from(operation));
        match self.operations.observe(Command::Insert, insert).await {
            Ok(_) => Ok(None),
            Err(error) if is_duplicate_key(&error) => self.get(operation.order.id).await,
            Err(error) => Err(store_error(error)),
        }
    }

    async fn get(&self, id: Uuid) -> Result<Option<Operation>> {
        let find = self.operations.find_one(doc! {"_id": id.to_string()});
        let found = self.operations.observe(Command::Find, find).await;
        found.map_err(store_error)?.map(operation).transpose()
    }

    async fn list(&self, page: Page) -> Result<Vec<Operation>> {
        let mut query = doc! {};
        if let Some(after) = page.after {
            let (time, id) = (DateTime::from_millis(after.time_ms), after.id.to_string());
            query.insert("create_time", doc! {"$lte": time});
            query.insert(
                "$or",
                [
                    doc! {"create_time": {"$lt": time}},
                    doc! {"create_time": time, "_id": {"$lt": id}},
                ],
            );
        }
        let find = self
            .operations
            .find(query)
            .sort(doc! {"create_time": -1, "_id": -1})
            .limit(i64::try_from(page.size + 1).unwrap_or(i64::MAX));
        let found = self.operations.observe(Command::Find, find).await;
        let found: Vec<_> = found
            .map_err(store_error)?
            .try_collect()
            .await
            .map_err(store_error)?;
        found.into_iter().map(operation).collect()
    }

    async fn save(&self, operation: &Operation) -> Result<bool> {
        let before = doc! {"_id": operation.order.id.to_string(), "revision": operation.revision - 1};
        let replace = self
            .operations
            .replace_one(before, OperationDocument::from(operation));
        let saved = self.operations.observe(Command::Update, replace).await;
        Ok(saved.map_err(store_error)?.matched_count == 1)
    }
}

#[async_trait]
impl Work for MongoOperations {
    async fn running(&self, limit: usize) -> Result<Vec<Operation>> {
        let find = self
            .operations
            .find(doc! {"ended": false})
            .sort(doc! {"create_time": 1, "_id": 1})
            .limit(i64::try_from(limit).unwrap_or(i64::MAX));
        let found = self.operations.observe(Command::Find, find).await;
        let found: Vec<_> = found
            .map_err(store_error)?
            .try_collect()
            .await
            .map_err(store_error)?;
        found.into_iter().map(operation).collect()
    }

    async fn try_lead(&self, holder: &str, now: SystemTime, lease: Duration) -> Result<bool> {
        let mine_or_free = doc! {
            "_id": LEASES,
            "$or": [{"holder": holder}, {"until": {"$lte": date_time(now)}}],
        };
        let held = doc! {"$set": {"holder": holder, "until": date_time(now + lease)}};
        // While another holds it the filter finds nothing, and inserting meets the other's document.
        let take = self.leases.update_one(mine_or_free, held).upsert(true);
        match self.leases.observe(Command::Update, take).await {
            Ok(_) => Ok(true),
            Err(error) if is_duplicate_key(&error) => Ok(false),
            Err(error) => Err(store_error(error)),
        }
    }

    async fn forget_replayed(&self, before: SystemTime, limit: usize) -> Result<u64> {
        let forgettable = doc! {
            "phase": Phase::Replayed.number(),
            "was_discarded": false,
            "changed": {"$lt": date_time(before)},
        };
        let letters = self.letters.clone_with_type::<Document>();
        let find = letters
            .find(forgettable.clone())
            .projection(doc! {"_id": 1})
            .limit(i64::try_from(limit).unwrap_or(i64::MAX));
        let found = self.letters.observe(Command::Find, find).await;
        let found: Vec<_> = found
            .map_err(store_error)?
            .try_collect()
            .await
            .map_err(store_error)?;
        let ids: Vec<Bson> = found.iter().filter_map(id_of).collect();
        if ids.is_empty() {
            return Ok(0);
        }
        let mut still = forgettable;
        still.insert("_id", doc! {"$in": ids});
        let delete = letters.delete_many(still);
        let deleted = self.letters.observe(Command::Delete, delete).await;
        Ok(deleted.map_err(store_error)?.deleted_count)
    }
}

fn date_time(time: SystemTime) -> DateTime {
    DateTime::from_millis(unix_millis(time))
}
