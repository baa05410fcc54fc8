//! The ports on one MongoDB database. Ids are strings, as everywhere in Waybill's databases.

mod contacts;
mod notifications;

pub use contacts::MongoContacts;
pub use notifications::MongoNotifications;

use uuid::Uuid;
use waybill::store::{Error, Result};

fn texts(ids: &[Uuid]) -> Vec<String> {
    ids.iter().map(Uuid::to_string).collect()
}

fn uuid(text: &str) -> Result<Uuid> {
    Uuid::try_parse(text).map_err(|_| Error::Failed(format!("a document holds {text:?} for an id")))
}
