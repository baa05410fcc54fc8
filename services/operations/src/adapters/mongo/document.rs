//! Letters as documents.

use mongodb::bson::{Binary, Bson, DateTime, Document, doc, serialize_to_bson, spec::BinarySubtype};
use serde::{Deserialize, Serialize};
use waybill::{
    clock::{from_unix_millis, unix_millis},
    message::Message,
    store::{Error, Result},
};

use crate::{
    adapters::record::{self, Details, StoredAction, TextId},
    domain::dead_letter::{Action, DeadLetter, Failed, Hold, State},
};

/// A letter, with or without its message.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct LetterDocument {
    #[serde(rename = "_id")]
    id: TextId,
    phase: i32,
    consumer: String,
    event_type: String,
    reason: String,
    order_id: String,
    last_failure: DateTime,
    state: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    operation: Option<TextId>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    batch: Option<TextId>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    staging: Option<TextId>,
    was_discarded: bool,
    #[serde(default)]
    actions: Vec<StoredAction>,
    details: Details,
    pub(super) revision: i64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    message: Option<MessageDocument>,
}

/// Properties and headers as JSON: a header's name may hold what a field's may not.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct MessageDocument {
    routing_key: String,
    properties: String,
    headers: String,
    body: Binary,
}

impl LetterDocument {
    /// A letter that was not known.
    pub(super) fn new(failed: &Failed) -> Self {
        let letter = &failed.dead_letter;
        Self {
            id: TextId(letter.id),
            phase: letter.state.phase().number(),
            consumer: letter.consumer.clone(),
            event_type: letter.event_type.clone(),
            reason: letter.failure.reason.clone(),
            order_id: letter.order_id.clone(),
            last_failure: DateTime::from_millis(unix_millis(letter.last_failure)),
            state: letter.state.as_str().to_owned(),
            operation: letter.hold.operation.map(TextId),
            batch: letter.hold.batch.map(TextId),
            staging: letter.hold.staging.map(TextId),
            was_discarded: false,
            actions: letter.actions.iter().map(StoredAction::from).collect(),
            details: letter.into(),
            revision: 0,
            message: Some(MessageDocument::from(&failed.message)),
        }
    }

    /// What it takes to make the document of revision `revision` that of `letter`, which has failed
    /// again.
    pub(super) fn change(letter: &DeadLetter, failed: &Failed) -> Result<Document> {
        let new = Self::new(&Failed {
            dead_letter: letter.clone(),
            ..failed.clone()
        });
        let mut set = doc! {
            "phase": new.phase,
            "reason": new.reason,
            "event_type": new.event_type,
            "order_id": new.order_id,
            "last_failure": new.last_failure,
            "state": new.state,
            "details": to_bson(&new.details)?,
            "message": to_bson(&new.message)?,
        };
        let mut unset = Document::new();
        for (name, id) in [("batch", new.batch), ("staging", new.staging)] {
            match id {
                Some(id) => drop(set.insert(name, id.0.to_string())),
                None => drop(unset.insert(name, "")),
            }
        }
        let mut change = doc! {"$set": set, "$inc": {"revision": 1_i64}};
        if !unset.is_empty() {
            change.insert("$unset", unset);
        }
        Ok(change)
    }

    /// The letter, with its message if that was read.
    pub(super) fn into_parts(self) -> Result<(DeadLetter, Option<Message>)> {
        let unknown = || Error::Failed(format!("a letter holds the unknown word {:?}", self.state));
        let last_failure = from_unix_millis(self.last_failure.timestamp_millis());
        let letter = DeadLetter {
            id: self.id.0,
            consumer: self.consumer,
            event_type: self.event_type,
            failure: self.details.failure(self.reason),
            order_id: self.order_id,
            state: State::from_word(&self.state).ok_or_else(unknown)?,
            hold: Hold {
                operation: self.operation.map(|id| id.0),
                batch: self.batch.map(|id| id.0),
                staging: self.staging.map(|id| id.0),
            },
            actions: self.actions.into_iter().map(Action::from).collect(),
            last_failure,
            message_id: String::new(),
            exchange: String::new(),
            routing_key: String::new(),
            correlation_id: String::new(),
            trace_id: String::new(),
            attempts: 0,
            first_failure: last_failure,
            failures: Vec::new(),
        };
        let message = self.message.map(Message::try_from).transpose()?;
        Ok((self.details.complete(letter), message))
    }
}

/// `value` as it stands in a field.
pub(super) fn to_bson(value: &impl Serialize) -> Result<Bson> {
    serialize_to_bson(value).map_err(|error| Error::Failed(format!("cannot be kept: {error}")))
}

impl From<&Message> for MessageDocument {
    fn from(message: &Message) -> Self {
        let (properties, headers) = record::texts(message);
        Self {
            routing_key: message.routing_key.clone(),
            properties,
            headers,
            body: Binary {
                subtype: BinarySubtype::Generic,
                bytes: message.body.to_vec(),
            },
        }
    }
}

impl TryFrom<MessageDocument> for Message {
    type Error = Error;

    fn try_from(stored: MessageDocument) -> Result<Self> {
        let message = record::message(
            stored.routing_key,
            &stored.properties,
            &stored.headers,
            stored.body.bytes,
        );
        message.map_err(|error| Error::Failed(format!("a message cannot be read: {error}")))
    }
}
