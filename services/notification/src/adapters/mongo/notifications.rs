//! Notifications in MongoDB.

use async_trait::async_trait;
use bson::{DateTime, doc};
use futures::TryStreamExt;
use mongodb::{
    Collection,
    error::{Error as DriverError, ErrorKind, InsertManyError},
};
use serde::{Deserialize, Serialize};
use uuid::Uuid;
use waybill::{
    clock::{from_unix_millis, unix_millis},
    grpc::page::Page,
    mongo::{Database, store_error},
    store::{Error, Result},
};

use super::{bson_uuid, bson_uuids};
use crate::{
    domain::notification::{Kind, Notification, State},
    ports::notifications::{Filter, Notifications},
};

pub(super) const COLLECTION: &str = "notifications";

/// The server's code for a unique index that holds the key already.
const DUPLICATE_KEY: i32 = 11000;

/// Notifications in a MongoDB collection, by id.
#[derive(Debug, Clone)]
pub struct MongoNotifications(Collection<NotificationDocument>);

#[derive(Debug, Clone, Serialize, Deserialize)]
struct NotificationDocument {
    #[serde(rename = "_id")]
    id: bson::Uuid,
    kind: String,
    state: String,
    user_id: bson::Uuid,
    order_id: bson::Uuid,
    subject: String,
    message_id: String,
    create_time: DateTime,
}

impl MongoNotifications {
    /// Notifications in `database`.
    pub fn new(database: &Database) -> Self {
        Self(database.collection(COLLECTION))
    }
}

#[async_trait]
impl Notifications for MongoNotifications {
    async fn record(&self, notifications: &[Notification]) -> Result<()> {
        let documents: Vec<_> = notifications.iter().map(NotificationDocument::from).collect();
        match self.0.insert_many(documents).ordered(false).await {
            Err(error) if !is_duplicates_only(&error) => Err(store_error(error)),
            _ => Ok(()),
        }
    }

    async fn about(&self, order_ids: &[Uuid]) -> Result<Vec<Notification>> {
        let filter = doc! {"order_id": {"$in": bson_uuids(order_ids)}};
        let found = self.0.find(filter).await.map_err(store_error)?;
        let documents: Vec<_> = found.try_collect().await.map_err(store_error)?;
        documents.into_iter().map(Notification::try_from).collect()
    }

    async fn get(&self, id: Uuid) -> Result<Option<Notification>> {
        let found = self
            .0
            .find_one(doc! {"_id": bson_uuid(id)})
            .await
            .map_err(store_error)?;
        found.map(Notification::try_from).transpose()
    }

    async fn list(&self, filter: Filter, page: Page) -> Result<Vec<Notification>> {
        let mut query = match filter {
            Filter::User(id) => doc! {"user_id": bson_uuid(id)},
            Filter::Order(id) => doc! {"order_id": bson_uuid(id)},
        };
        if let Some(after) = page.after {
            let (time, id) = (DateTime::from_millis(after.time_ms), bson_uuid(after.id));
            // The first bound is what lets the index start at the page; the rest is for equal times.
            query.insert("create_time", doc! {"$lte": time});
            query.insert(
                "$or",
                [
                    doc! {"create_time": {"$lt": time}},
                    doc! {"create_time": time, "_id": {"$lt": id}},
                ],
            );
        }
        let found = self
            .0
            .find(query)
            .sort(doc! {"create_time": -1, "_id": -1})
            .limit(i64::try_from(page.size + 1).unwrap_or(i64::MAX))
            .await
            .map_err(store_error)?;
        let documents: Vec<_> = found.try_collect().await.map_err(store_error)?;
        documents.into_iter().map(Notification::try_from).collect()
    }
}

/// Whether everything was inserted but what was there before.
fn is_duplicates_only(error: &DriverError) -> bool {
    match error.kind.as_ref() {
        ErrorKind::InsertMany(InsertManyError {
            write_errors: Some(errors),
            write_concern_error: None,
            ..
        }) => errors.iter().all(|e| e.code == DUPLICATE_KEY),
        _ => false,
    }
}

impl From<&Notification> for NotificationDocument {
    fn from(notification: &Notification) -> Self {
        Self {
            id: bson_uuid(notification.id),
            kind: notification.kind.as_str().to_owned(),
            state: notification.state.as_str().to_owned(),
            user_id: bson_uuid(notification.user_id),
            order_id: bson_uuid(notification.order_id),
            subject: notification.subject.clone(),
            message_id: notification.message_id.clone(),
            create_time: DateTime::from_millis(unix_millis(notification.create_time)),
        }
    }
}

impl TryFrom<NotificationDocument> for Notification {
    type Error = Error;

    fn try_from(document: NotificationDocument) -> Result<Self> {
        let unknown = |word: &str| Error::Failed(format!("a notification holds the unknown word {word:?}"));
        Ok(Self {
            id: Uuid::from_bytes(document.id.bytes()),
            kind: Kind::from_word(&document.kind).ok_or_else(|| unknown(&document.kind))?,
            state: State::from_word(&document.state).ok_or_else(|| unknown(&document.state))?,
            user_id: Uuid::from_bytes(document.user_id.bytes()),
            order_id: Uuid::from_bytes(document.order_id.bytes()),
            subject: document.subject,
            message_id: document.message_id,
            create_time: from_unix_millis(document.create_time.timestamp_millis()),
        })
    }
}
