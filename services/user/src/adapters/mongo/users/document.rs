//! The document of a user, without its outbox.

use std::time::SystemTime;

use serde::{Deserialize, Serialize};
use uuid::Uuid;
use waybill::{
    clock::{from_unix_millis, unix_millis},
    mongo::mongodb::bson::{Binary, DateTime, Document, doc, spec::BinarySubtype},
    store::{Error, Result},
};

use crate::{
    domain::{contact::Contact, user::User},
    ports::{Registration, RequestKey, StoredUser},
};

/// A user as it is, the request that registered it with what that was answered, and the request of
/// its latest change.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct UserDocument {
    /// The id of the registration's request.
    #[serde(rename = "_id")]
    request_id: String,
    request_fingerprint: Binary,
    registered: ContactDocument,
    user_id: String,
    email_key: String,
    #[serde(flatten)]
    contact: ContactDocument,
    version: i64,
    create_time: DateTime,
    update_time: DateTime,
    #[serde(skip_serializing_if = "Option::is_none")]
    latest_change: Option<RequestDocument>,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
struct ContactDocument {
    email: String,
    display_name: String,
}

/// A request's id and fingerprint.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct RequestDocument {
    id: String,
    fingerprint: Binary,
}

impl UserDocument {
    pub(super) fn of(registration: &Registration) -> Self {
        let Registration { request, user } = registration;
        let request = RequestDocument::of(*request);
        let contact = ContactDocument {
            email: user.contact.email.as_str().to_owned(),
            display_name: user.contact.display_name.as_str().to_owned(),
        };
        Self {
            request_id: request.id,
            request_fingerprint: request.fingerprint,
            registered: contact.clone(),
            user_id: user.user_id.to_string(),
            email_key: user.contact.email.key(),
            contact,
            version: user.version,
            create_time: date_time(user.create_time),
            update_time: date_time(user.update_time),
            latest_change: None,
        }
    }

    /// The registration, with the user as it was then.
    pub(super) fn registration(self) -> Result<Registration> {
        let request = RequestDocument {
            id: self.request_id,
            fingerprint: self.request_fingerprint,
        };
        Ok(Registration {
            request: request.key()?,
            user: User::register(
                uuid(&self.user_id)?,
                self.registered.into_contact(),
                system_time(self.create_time),
            ),
        })
    }

    pub(super) fn into_stored(self) -> Result<StoredUser> {
        Ok(StoredUser {
            user: User {
                user_id: uuid(&self.user_id)?,
                contact: self.contact.into_contact(),
                version: self.version,
                create_time: system_time(self.create_time),
                update_time: system_time(self.update_time),
            },
            latest_change: self.latest_change.map(|request| request.key()).transpose()?,
        })
    }
}

impl ContactDocument {
    fn into_contact(self) -> Contact {
        Contact::accepted(self.email, self.display_name)
    }
}

impl RequestDocument {
    pub(super) fn of(request: RequestKey) -> Self {
        Self {
            id: request.id.to_string(),
            fingerprint: Binary {
                subtype: BinarySubtype::Generic,
                bytes: request.fingerprint.to_vec(),
            },
        }
    }

    pub(super) fn into_document(self) -> Document {
        doc! {"id": self.id, "fingerprint": self.fingerprint}
    }

    fn key(&self) -> Result<RequestKey> {
        let fingerprint = self.fingerprint.bytes.as_slice().try_into();
        Ok(RequestKey {
            id: uuid(&self.id)?,
            fingerprint: fingerprint.map_err(|_| Error::Failed("a fingerprint has 32 bytes".to_owned()))?,
        })
    }
}

pub(super) fn date_time(time: SystemTime) -> DateTime {
    DateTime::from_millis(unix_millis(time))
}

fn system_time(time: DateTime) -> SystemTime {
    from_unix_millis(time.timestamp_millis())
}

fn uuid(text: &str) -> Result<Uuid> {
    Uuid::try_parse(text).map_err(|_| Error::Failed("an id in the database is no UUID".to_owned()))
}
