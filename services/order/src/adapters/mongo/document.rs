//! The documents, and how they become records.

use std::time::SystemTime;

use serde::{Deserialize, Serialize, de::IgnoredAny};
use uuid::Uuid;
use waybill::{
    clock::{from_unix_millis, unix_millis},
    mongo::{
        bson::{self, Binary, Bson, DateTime, spec::BinarySubtype},
        outbox::Element,
    },
    store::{Error, Result},
};

use crate::{
    adapters::record::{Cancellation, ItemRecord, OrderRecord},
    ports::{Fingerprint, Request},
};

/// An order with the requests that made it what it is, and its unpublished events, which readers pass over.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct OrderDocument<Events = IgnoredAny> {
    /// Request id of the placement.
    #[serde(rename = "_id")]
    request_id: String,
    fingerprint: Binary,
    order_id: String,
    user_id: String,
    currency: String,
    items: Vec<ItemRecord>,
    version: i64,
    create_time: DateTime,
    #[serde(skip_serializing_if = "Option::is_none")]
    cancel: Option<CancelDocument>,
    #[serde(skip_serializing_if = "Option::is_none")]
    outbox: Option<Events>,
}

/// How an order was cancelled.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct CancelDocument {
    request_id: String,
    fingerprint: Binary,
    time: DateTime,
    reason: String,
}

/// Which order the request id of a cancellation is for.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct ClaimDocument {
    #[serde(rename = "_id")]
    request_id: String,
    pub(super) order_id: String,
}

/// The key of one order.
#[derive(Debug, Clone, Deserialize)]
pub(super) struct OwnerDocument {
    #[serde(rename = "_id")]
    pub(super) request_id: String,
}

/// The version of one order.
#[derive(Debug, Clone, Deserialize)]
pub(super) struct VersionDocument {
    order_id: String,
    version: i64,
}

impl OrderDocument<Vec<Element>> {
    /// An order that `request` has placed, and the events that tell so.
    pub(super) fn placed(record: OrderRecord, request: Request, events: Vec<Element>) -> Self {
        Self {
            request_id: request.id.to_string(),
            fingerprint: binary(request.fingerprint),
            order_id: record.order_id.to_string(),
            user_id: record.user_id.to_string(),
            currency: record.currency,
            items: record.items,
            version: 1,
            create_time: date_time(record.create_time),
            cancel: None,
            outbox: Some(events),
        }
    }
}

impl OrderDocument {
    /// Fingerprint of the placement.
    pub(super) fn fingerprint(&self) -> Result<Fingerprint> {
        fingerprint(&self.fingerprint)
    }

    /// Fingerprint of the cancellation.
    pub(super) fn cancel_fingerprint(&self) -> Result<Fingerprint> {
        let cancel = self.cancel.as_ref();
        fingerprint(&cancel.ok_or_else(|| unreadable("cancel"))?.fingerprint)
    }

    pub(super) fn into_record(self) -> Result<OrderRecord> {
        Ok(OrderRecord {
            order_id: uuid(&self.order_id)?,
            user_id: uuid(&self.user_id)?,
            currency: self.currency,
            items: self.items,
            create_time: system_time(self.create_time),
            cancellation: self.cancel.map(|cancel| Cancellation {
                time: system_time(cancel.time),
                reason: cancel.reason,
            }),
        })
    }
}

impl CancelDocument {
    pub(super) fn new(time: SystemTime, reason: &str, request: Request) -> Self {
        Self {
            request_id: request.id.to_string(),
            fingerprint: binary(request.fingerprint),
            time: date_time(time),
            reason: reason.to_owned(),
        }
    }

    pub(super) fn into_bson(self) -> Result<Bson> {
        bson::serialize_to_bson(&self).map_err(|error| Error::Failed(error.to_string()))
    }
}

impl ClaimDocument {
    pub(super) fn new(request_id: Uuid, order_id: Uuid) -> Self {
        Self {
            request_id: request_id.to_string(),
            order_id: order_id.to_string(),
        }
    }
}

impl VersionDocument {
    pub(super) fn read(self) -> Result<(Uuid, i64)> {
        Ok((uuid(&self.order_id)?, self.version))
    }
}

fn binary(fingerprint: Fingerprint) -> Binary {
    Binary {
        subtype: BinarySubtype::Generic,
        bytes: fingerprint.into(),
    }
}

fn fingerprint(binary: &Binary) -> Result<Fingerprint> {
    let bytes = binary.bytes.as_slice();
    bytes.try_into().map_err(|_| unreadable("fingerprint"))
}

fn uuid(text: &str) -> Result<Uuid> {
    Uuid::try_parse(text).map_err(|_| unreadable("id"))
}

fn unreadable(field: &str) -> Error {
    Error::Failed(format!("{field} of an order cannot be read"))
}

fn date_time(time: SystemTime) -> DateTime {
    DateTime::from_millis(unix_millis(time))
}

fn system_time(time: DateTime) -> SystemTime {
    from_unix_millis(time.timestamp_millis())
}
