//! Users in MongoDB: a document each, with the requests that made it and its unpublished events.
//!
//! The `_id` is the request id of the registration, so that of two registrations with one request id
//! the second meets the first on any topology, in one write and without a transaction.

mod document;

use async_trait::async_trait;
use futures::TryStreamExt;
use uuid::Uuid;
use waybill::{
    grpc::page::Cursor,
    message::Message,
    mongo::{
        Collection, Command, Database, Indexes, MongoOutbox, bson, is_duplicate_key,
        mongodb::{
            IndexModel,
            bson::{DateTime, Document, doc},
            options::IndexOptions,
        },
        outbox, store_error,
    },
    outbox::Entry,
    store::{Error, Result},
};

use self::document::{RequestDocument, UserDocument, date_time};
use crate::{
    domain::user::User,
    ports::{Changed, Registered, Registration, RequestKey, StoredUser, UserRepository},
};

/// Events of one user that may wait for the broker, in the user's document. With headers at their limits
/// they are some 5 MB, where a document may have 16.
pub const MAX_UNPUBLISHED: usize = 256;

/// Users in the collection `users`.
#[derive(Debug, Clone)]
pub struct MongoUserRepository {
    users: Collection<Document>,
    indexes: Indexes,
}

impl MongoUserRepository {
    /// The users in `database`.
    pub fn new(database: &Database) -> Self {
        let users = database.collection("users");
        let indexes = vec![
            index("user", doc! {"user_id": 1}, true),
            index("email", doc! {"email_key": 1}, true),
            index("newest", doc! {"create_time": -1, "user_id": -1}, false),
        ];
        Self {
            indexes: Indexes::new(users.clone(), indexes),
            users,
        }
    }

    /// What it needs to keep addresses unique and to find users.
    pub fn indexes(&self) -> Indexes {
        self.indexes.clone()
    }

    /// The outbox inside its documents.
    pub fn outbox(&self) -> MongoOutbox {
        MongoOutbox::new(self.users.clone())
    }

    /// Which key a registration met that another document has. Asking for the keys is sure, where
    /// the text of a server's error is not.
    async fn in_the_way(&self, registration: &Registration) -> Result<Registered> {
        let request_id = registration.request.id.to_string();
        if let Some(before) = self.find_document(doc! {"_id": request_id}).await? {
            return Ok(Registered::Before(before.registration()?));
        }
        let email_key = registration.user.contact.email.key();
        if self.find_document(doc! {"email_key": email_key}).await?.is_some() {
            return Ok(Registered::EmailTaken);
        }
        Err(Error::Unavailable(
            "what was in a registration's way has just gone".to_owned(),
        ))
    }

    /// Why no user is in the state that a change starts from.
    async fn conflict(&self, user: &User) -> Result<Changed> {
        let full = doc! {"user_id": user.user_id.to_string(), last_place(): {"$exists": true}};
        match self.find_document(full).await? {
            None => Ok(Changed::Conflict),
            Some(_) => Err(Error::Unavailable(format!(
                "{MAX_UNPUBLISHED} events of this user wait for the broker"
            ))),
        }
    }

    async fn find_document(&self, filter: Document) -> Result<Option<UserDocument>> {
        let users = self.users.clone_with_type();
        let find = users.find_one(filter).projection(doc! {outbox::FIELD: 0});
        let found = self.users.observe(Command::Find, find).await;
        found.map_err(store_error)
    }
}

#[async_trait]
impl UserRepository for MongoUserRepository {
    async fn register(&self, registration: &Registration, event: Message) -> Result<Registered> {
        self.indexes.ensure().await?;
        let user = &registration.user;
        let owner = registration.request.id.to_string();
        let entry = Entry {
            owner,
            message: event,
        };
        let mut document = bson::serialize_to_document(&UserDocument::of(registration))
            .map_err(|error| Error::Failed(error.to_string()))?;
        document.insert(
            outbox::FIELD,
            outbox::to_bson(std::slice::from_ref(&entry), user.create_time),
        );
        let insert = self.users.insert_one(document);
        match self.users.observe(Command::Insert, insert).await {
            Ok(_) => Ok(Registered::Stored(entry)),
            Err(error) if is_duplicate_key(&error) => self.in_the_way(registration).await,
            Err(error) => Err(store_error(error)),
        }
    }

    async fn change(&self, user: &User, request: RequestKey, event: Message) -> Result<Changed> {
        self.indexes.ensure().await?;
        let mut entry = Entry {
            owner: String::new(),
            message: event,
        };
        let before = doc! {
            "user_id": user.user_id.to_string(),
            "version": user.version - 1,
            last_place(): {"$exists": false},
        };
        let entries = outbox::to_bson(std::slice::from_ref(&entry), user.update_time);
        let update = doc! {
            "$set": {
                "email_key": user.contact.email.key(),
                "email": user.contact.email.as_str(),
                "display_name": user.contact.display_name.as_str(),
                "version": user.version,
                "update_time": date_time(user.update_time),
                "latest_change": RequestDocument::of(request).into_document(),
            },
            "$push": {outbox::FIELD: {"$each": entries}},
        };
        let change = self
            .users
            .find_one_and_update(before, update)
            .projection(doc! {"_id": 1});
        match self.users.observe(Command::FindAndModify, change).await {
            Ok(Some(document)) => {
                document
                    .get_str("_id")
                    .unwrap_or_default()
                    .clone_into(&mut entry.owner);
                Ok(Changed::Stored(entry))
            }
            Ok(None) => self.conflict(user).await,
            Err(error) if is_duplicate_key(&error) => Ok(Changed::EmailTaken),
            Err(error) => Err(store_error(error)),
        }
    }

    async fn find(&self, user_id: Uuid) -> Result<Option<StoredUser>> {
        let document = self.find_document(doc! {"user_id": user_id.to_string()}).await?;
        document.map(UserDocument::into_stored).transpose()
    }

    async fn list(&self, after: Option<Cursor>, limit: usize) -> Result<Vec<User>> {
        let users = self.users.clone_with_type();
        let find = users
            .find(after.map(older_than).unwrap_or_default())
            .projection(doc! {outbox::FIELD: 0})
            .sort(doc! {"create_time": -1, "user_id": -1})
            .limit(i64::try_from(limit).unwrap_or(i64::MAX));
        let found = self.users.observe(Command::Find, find).await;
        let documents: Vec<UserDocument> = found
            .map_err(store_error)?
            .try_collect()
            .await
            .map_err(store_error)?;
        let user = |document: UserDocument| Ok(document.into_stored()?.user);
        documents.into_iter().map(user).collect()
    }
}

/// The place of the last event that a document takes.
fn last_place() -> String {
    format!("{}.{}", outbox::FIELD, MAX_UNPUBLISHED - 1)
}

/// Users after `after` in the list. The first condition, which the second implies, bounds the index.
fn older_than(after: Cursor) -> Document {
    let time = DateTime::from_millis(after.time_ms);
    doc! {
        "create_time": {"$lte": time},
        "$or": [{"create_time": {"$lt": time}}, {"user_id": {"$lt": after.id.to_string()}}],
    }
}

fn index(name: &str, keys: Document, unique: bool) -> IndexModel {
    let options = IndexOptions::builder()
        .name(name.to_owned())
        .unique(unique)
        .build();
    IndexModel::builder().keys(keys).options(options).build()
}
