//! The outbox, inside the documents whose writes it belongs to.
//!
//! An aggregate's document holds the events that are not published yet in an array. So the aggregate
//! and its events are one document and one write, atomic without a transaction, also when sharded.
//! A partial index holds only documents whose array has a first element: finding what was left
//! behind costs the same however many orders there are.

use std::{
    collections::HashSet,
    time::{Duration, SystemTime},
};

use async_trait::async_trait;
use futures::TryStreamExt;
use mongodb::{
    IndexModel,
    bson::{self, Binary, Bson, DateTime, Document, doc, spec::BinarySubtype},
    options::IndexOptions,
};
use serde::Serialize;
use tracing::error;

use super::{Collection, Command, Indexes, all_at_once, is_duplicate_key, store_error};
use crate::{
    clock::{from_unix_millis, unix_millis},
    message::Message,
    outbox::{Backlog, Entry, Key, MAX_COUNTED, Outbox},
    store::Result,
};

/// The field of an aggregate's document that holds its unpublished events, an array.
pub const FIELD: &str = "outbox";

/// When the oldest unpublished event of a document was stored: what the index is over.
const OLDEST: &str = "outbox.0.stored";

/// The collection that says who sweeps which outbox.
const LEASES: &str = "leases";

/// An unpublished event, as it stands in [`FIELD`].
#[derive(Debug, Clone, Serialize)]
pub struct Element {
    id: String,
    stored: DateTime,
    message: Binary,
}

/// `entries`, stored at `stored`, as the value of [`FIELD`] in a document that is serialized.
pub fn elements(entries: &[Entry], stored: SystemTime) -> Vec<Element> {
    let element = |entry: &Entry| Element {
        id: entry.name(),
        stored: date_time(stored),
        message: Binary {
            subtype: BinarySubtype::Generic,
            bytes: entry.message.to_bytes(),
        },
    };
    entries.iter().map(element).collect()
}

/// The same as a value, for what is pushed to it.
pub fn to_bson(entries: &[Entry], stored: SystemTime) -> Bson {
    bson::serialize_to_bson(&elements(entries, stored)).expect("texts, a time and bytes are BSON")
}

/// The outbox of one collection of aggregates.
#[derive(Debug, Clone)]
pub struct MongoOutbox {
    aggregates: Collection<Document>,
    leases: Collection<Document>,
    indexes: Indexes,
}

impl MongoOutbox {
    /// The outbox inside the documents of `aggregates`, whose `_id`s are strings.
    pub fn new(aggregates: Collection<Document>) -> Self {
        let unpublished = IndexModel::builder()
            .keys(doc! {OLDEST: 1})
            .options(
                IndexOptions::builder()
                    .name("unpublished".to_owned())
                    .partial_filter_expression(doc! {OLDEST: {"$exists": true}})
                    .build(),
            )
            .build();
        Self {
            leases: aggregates.beside(LEASES),
            indexes: Indexes::new(aggregates.clone(), vec![unpublished]),
            aggregates,
        }
    }

    /// What it needs to find unpublished events without looking at every aggregate.
    pub fn indexes(&self) -> Indexes {
        self.indexes.clone()
    }

    /// Documents with an event stored before `before`: the filter that the index serves. To be before a time
    /// there must be one, which is what the index asks for; a filter that asks for it again is served by
    /// looking at every order on servers that narrow an index by comparisons alone.
    fn unpublished(before: DateTime) -> Document {
        doc! {OLDEST: {"$lt": before}}
    }
}

#[async_trait]
impl Outbox for MongoOutbox {
    async fn pending(&self, before: SystemTime, limit: usize) -> Result<Vec<Entry>> {
        let before = date_time(before);
        // The oldest `limit` entries are all in the `limit` documents with the oldest first entries.
        let find = self
            .aggregates
            .find(Self::unpublished(before))
            .projection(doc! {FIELD: 1})
            .sort(doc! {OLDEST: 1})
            .limit(i64::try_from(limit).unwrap_or(i64::MAX))
            .batch_size(all_at_once(limit));
        let found = self.aggregates.observe(Command::Find, find).await;
        let documents: Vec<Document> = found
            .map_err(store_error)?
            .try_collect()
            .await
            .map_err(store_error)?;
        let mut entries: Vec<_> = documents.iter().flat_map(entries_of).collect();
        entries.retain(|(stored, _)| *stored < before);
        entries.sort_by_key(|(stored, _)| *stored);
        entries.truncate(limit);
        Ok(entries.into_iter().map(|(_, entry)| entry).collect())
    }

    async fn clear(&self, entries: &[Key]) -> Result<()> {
        if entries.is_empty() {
            return Ok(());
        }
        let owners: HashSet<&str> = entries.iter().map(|entry| entry.owner.as_str()).collect();
        let owners: Vec<_> = owners.into_iter().collect();
        let keys: Vec<_> = entries.iter().map(Key::name).collect();
        let update = self.aggregates.update_many(
            doc! {"_id": {"$in": owners}},
            doc! {"$pull": {FIELD: {"id": {"$in": keys}}}},
        );
        let updated = self.aggregates.observe(Command::Update, update).await;
        updated.map(drop).map_err(store_error)
    }

    async fn backlog(&self) -> Result<Backlog> {
        let max = i64::try_from(MAX_COUNTED).unwrap_or(i64::MAX);
        let count = self.aggregates.aggregate([
            doc! {"$match": Self::unpublished(DateTime::MAX)},
            doc! {"$sort": {OLDEST: 1}},
            doc! {"$limit": max},
            doc! {"$group": {
                "_id": null,
                "depth": {"$sum": {"$size": "$outbox"}},
                "oldest": {"$first": {"$arrayElemAt": ["$outbox", 0]}},
            }},
        ]);
        let counted = self.aggregates.observe(Command::Aggregate, count).await;
        let counted = counted
            .map_err(store_error)?
            .try_next()
            .await
            .map_err(store_error)?;
        let Some(counted) = counted else {
            return Ok(Backlog::default());
        };
        let depth = match counted.get("depth") {
            Some(Bson::Int32(depth)) => i64::from(*depth),
            Some(Bson::Int64(depth)) => *depth,
            _ => 0,
        };
        let oldest = counted
            .get_document("oldest")
            .and_then(|oldest| oldest.get_datetime("stored"));
        Ok(Backlog {
            depth: u64::try_from(depth).unwrap_or(0).min(MAX_COUNTED),
            oldest: oldest.ok().map(|time| from_unix_millis(time.timestamp_millis())),
        })
    }

    async fn try_lead(&self, holder: &str, now: SystemTime, lease: Duration) -> Result<bool> {
        let mine_or_free = doc! {
            "_id": format!("{FIELD}/{}", self.aggregates.name()),
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
}

/// The unpublished events of an aggregate's document, each with the time at which it was stored.
/// One that cannot be read is passed over, so that it does not hold up all others.
fn entries_of(document: &Document) -> Vec<(DateTime, Entry)> {
    let (Ok(owner), Ok(elements)) = (document.get_str("_id"), document.get_array(FIELD)) else {
        error!(id = ?document.get("_id"), "the outbox of an aggregate cannot be read");
        return Vec::new();
    };
    let read = |element: &Bson| {
        let element = element.as_document()?;
        let message = Message::from_bytes(element.get_binary_generic("message").ok()?)?;
        let owner = owner.to_owned();
        Some((*element.get_datetime("stored").ok()?, Entry { owner, message }))
    };
    let entries = elements.iter().filter_map(|element| {
        let entry = read(element);
        if entry.is_none() {
            error!(owner, "an event in the outbox cannot be read");
        }
        entry
    });
    entries.collect()
}

fn date_time(time: SystemTime) -> DateTime {
    DateTime::from_millis(unix_millis(time))
}
