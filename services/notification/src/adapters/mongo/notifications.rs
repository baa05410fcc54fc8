//! Notifications in MongoDB.

use std::time::Duration;

use async_trait::async_trait;
use futures::TryStreamExt;
use mongodb::{
    IndexModel,
    bson::{DateTime, doc},
    error::{Error as DriverError, ErrorKind, InsertManyError},
    options::IndexOptions,
};
use serde::{Deserialize, Serialize};
use uuid::Uuid;
use waybill::{
    clock::{from_unix_millis, unix_millis},
    grpc::page::Page,
    mongo::{Collection, Command, Database, Indexes, all_at_once, store_error},
    retention::Retention,
    store::{Error, Result},
};

use super::{texts, uuid};
use crate::{
    domain::notification::{Kind, Notification, State},
    ports::notifications::{Filter, Notifications},
};

const COLLECTION: &str = "notifications";

/// The server's code for a unique index that holds the key already.
const DUPLICATE_KEY: i32 = 11000;

/// Notifications in a MongoDB collection, by id.
#[derive(Debug, Clone)]
pub struct MongoNotifications {
    notifications: Collection<NotificationDocument>,
    retention: Duration,
    indexes: Indexes,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
struct NotificationDocument {
    #[serde(rename = "_id")]
    id: String,
    kind: String,
    state: String,
    user_id: String,
    order_id: String,
    subject: String,
    message_id: String,
    create_time: DateTime,
    /// When the document goes. Those that were stored before there was such a time stay.
    #[serde(skip_serializing_if = "Option::is_none")]
    expires: Option<DateTime>,
}

impl MongoNotifications {
    /// Notifications in `database`.
    pub fn new(database: &Database) -> Self {
        Self {
            notifications: database.collection(COLLECTION),
            retention: Retention::default().notifications,
            indexes: Indexes::new(database.collection(COLLECTION), index_models()),
        }
    }

    /// Keeps what is recorded from now on for `retention`, instead of the [default](Retention).
    #[must_use]
    pub fn keeping(mut self, retention: Duration) -> Self {
        self.retention = retention;
        self
    }

    fn document(&self, notification: &Notification) -> NotificationDocument {
        let expires = unix_millis(notification.create_time + self.retention);
        NotificationDocument {
            expires: Some(DateTime::from_millis(expires)),
            ..notification.into()
        }
    }

    /// The indexes that its queries need, and its promise of one notification of a kind.
    pub fn indexes(&self) -> Indexes {
        self.indexes.clone()
    }
}

fn index_models() -> Vec<IndexModel> {
    // One of a kind for an order; also serves the list of an order, which has two documents at most.
    let by_order = IndexModel::builder()
        .keys(doc! {"order_id": 1, "kind": 1})
        .options(IndexOptions::builder().unique(true).build())
        .build();
    let by_user = IndexModel::builder()
        .keys(doc! {"user_id": 1, "create_time": -1, "_id": -1})
        .build();
    // Each document says itself when it goes, so that the retention can change without a new index.
    let expiry = IndexModel::builder()
        .keys(doc! {"expires": 1})
        .options(IndexOptions::builder().expire_after(Duration::ZERO).build())
        .build();
    vec![by_order, by_user, expiry]
}

#[async_trait]
impl Notifications for MongoNotifications {
    async fn record(&self, notifications: &[Notification]) -> Result<()> {
        self.indexes.ensure().await?;
        let documents: Vec<_> = notifications.iter().map(|one| self.document(one)).collect();
        let insert = self.notifications.insert_many(documents).ordered(false);
        match self.notifications.observe(Command::Insert, insert).await {
            Err(error) if !is_duplicates_only(&error) => Err(store_error(error)),
            _ => Ok(()),
        }
    }

    async fn about(&self, order_ids: &[Uuid]) -> Result<Vec<Notification>> {
        let filter = doc! {"order_id": {"$in": texts(order_ids)}};
        // One of each kind.
        let find = self
            .notifications
            .find(filter)
            .batch_size(all_at_once(2 * order_ids.len()));
        let found = self.notifications.observe(Command::Find, find).await;
        let documents: Vec<_> = found
            .map_err(store_error)?
            .try_collect()
            .await
            .map_err(store_error)?;
        documents.into_iter().map(Notification::try_from).collect()
    }

    async fn get(&self, id: Uuid) -> Result<Option<Notification>> {
        let find = self.notifications.find_one(doc! {"_id": id.to_string()});
        let found = self.notifications.observe(Command::Find, find).await;
        found
            .map_err(store_error)?
            .map(Notification::try_from)
            .transpose()
    }

    async fn list(&self, filter: Filter, page: Page) -> Result<Vec<Notification>> {
        let mut query = match filter {
            Filter::User(id) => doc! {"user_id": id.to_string()},
            Filter::Order(id) => doc! {"order_id": id.to_string()},
        };
        if let Some(after) = page.after {
            let (time, id) = (DateTime::from_millis(after.time_ms), after.id.to_string());
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
        let find = self
            .notifications
            .find(query)
            .sort(doc! {"create_time": -1, "_id": -1})
            .limit(i64::try_from(page.size + 1).unwrap_or(i64::MAX))
            .batch_size(all_at_once(page.size + 1));
        let found = self.notifications.observe(Command::Find, find).await;
        let documents: Vec<_> = found
            .map_err(store_error)?
            .try_collect()
            .await
            .map_err(store_error)?;
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
            id: notification.id.to_string(),
            kind: notification.kind.as_str().to_owned(),
            state: notification.state.as_str().to_owned(),
            user_id: notification.user_id.to_string(),
            order_id: notification.order_id.to_string(),
            subject: notification.subject.clone(),
            message_id: notification.message_id.clone(),
            create_time: DateTime::from_millis(unix_millis(notification.create_time)),
            expires: None,
        }
    }
}

impl TryFrom<NotificationDocument> for Notification {
    type Error = Error;

    fn try_from(document: NotificationDocument) -> Result<Self> {
        let unknown = |word: &str| Error::Failed(format!("a notification holds the unknown word {word:?}"));
        Ok(Self {
            id: uuid(&document.id)?,
            kind: Kind::from_word(&document.kind).ok_or_else(|| unknown(&document.kind))?,
            state: State::from_word(&document.state).ok_or_else(|| unknown(&document.state))?,
            user_id: uuid(&document.user_id)?,
            order_id: uuid(&document.order_id)?,
            subject: document.subject,
            message_id: document.message_id,
            create_time: from_unix_millis(document.create_time.timestamp_millis()),
        })
    }
}
