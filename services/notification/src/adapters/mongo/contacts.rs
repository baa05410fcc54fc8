//! Contacts in MongoDB.

use async_trait::async_trait;
use futures::TryStreamExt;
use mongodb::bson::doc;
use serde::{Deserialize, Serialize};
use uuid::Uuid;
use waybill::{
    mongo::{Collection, Command, Database, Upsert, all_at_once, store_error},
    store::{Error, Result},
};

use super::{texts, uuid};
use crate::{domain::contact::Contact, ports::contacts::Contacts};

const COLLECTION: &str = "contacts";

/// Contacts in a MongoDB collection, by user id.
#[derive(Debug, Clone)]
pub struct MongoContacts {
    contacts: Collection<ContactDocument>,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
struct ContactDocument {
    #[serde(rename = "_id")]
    user_id: String,
    email: String,
    display_name: String,
    version: i64,
}

impl MongoContacts {
    /// Contacts in `database`.
    pub fn new(database: &Database) -> Self {
        Self {
            contacts: database.collection(COLLECTION),
        }
    }
}

/// Replaces what is known of the user if that is older. One equality on `_id` is the whole filter:
/// when two upserts of a new user meet, the server itself then repeats the second as an update.
fn save_if_newer(contact: &Contact) -> Upsert {
    let user_id = contact.user_id.to_string();
    let new = doc! {
        "_id": &user_id,
        "email": &contact.email,
        "display_name": &contact.display_name,
        "version": contact.version,
    };
    // A version that is not there, of a new document, is less than any number.
    let is_newer = doc! {"$lt": ["$version", contact.version]};
    // `$literal`, or a name that starts with `$` would be read as a field.
    let replace = doc! {"$replaceWith": {"$cond": [is_newer, {"$literal": new}, "$$ROOT"]}};
    Upsert {
        filter: doc! {"_id": user_id},
        update: vec![replace].into(),
    }
}

#[async_trait]
impl Contacts for MongoContacts {
    async fn save(&self, contacts: &[Contact]) -> Result<()> {
        let newer = contacts.iter().map(save_if_newer);
        let saved = self.contacts.upsert_each(newer, None).await;
        saved.map_err(store_error)
    }

    async fn find(&self, user_ids: &[Uuid]) -> Result<Vec<Contact>> {
        let find = self
            .contacts
            .find(doc! {"_id": {"$in": texts(user_ids)}})
            .batch_size(all_at_once(user_ids.len()));
        let found = self.contacts.observe(Command::Find, find).await;
        let documents: Vec<_> = found
            .map_err(store_error)?
            .try_collect()
            .await
            .map_err(store_error)?;
        documents.into_iter().map(Contact::try_from).collect()
    }
}

impl TryFrom<ContactDocument> for Contact {
    type Error = Error;

    fn try_from(document: ContactDocument) -> Result<Self> {
        Ok(Self {
            user_id: uuid(&document.user_id)?,
            email: document.email,
            display_name: document.display_name,
            version: document.version,
        })
    }
}
