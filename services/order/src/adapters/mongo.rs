//! Orders in MongoDB, one document each: the order, the requests that made it what it is, and the
//! events that are not published yet. So every change is one write of one document.
//!
//! Nothing but `_id` is unique on every topology: a collection that is sharded on hashed `_id` can
//! have no other unique index. So the `_id` of an order is the request id of its placement, which
//! makes a repeated request one order and placing it one insert with no look before. A cancellation
//! first claims its request id, in a collection where that is the `_id`.

mod document;

use async_trait::async_trait;
use futures::TryStreamExt;
use serde::Serialize;
use uuid::Uuid;
use waybill::{
    clock::unix_millis,
    message::Message,
    mongo::{
        Collection, Command, Database, GroupInsert, Indexes, Inserted, MongoOutbox, all_at_once,
        bson::{DateTime, Document, doc},
        is_duplicate_key,
        mongodb::IndexModel,
        outbox, store_error,
    },
    outbox::Entry,
    store::{Error, Result},
};

use self::document::{CancelDocument, ClaimDocument, OrderDocument, OwnerDocument, VersionDocument};
use super::record::OrderRecord;
use crate::{
    domain::Order,
    ports::{Insert, OrderQueries, OrderRepository, Position, Recorded, Request, Update},
};

/// The collection of orders.
const COLLECTION: &str = "orders";

/// The collection that says which order a cancellation's request id is for.
const CLAIMS: &str = "cancel_requests";

/// Keeps orders in a MongoDB collection.
#[derive(Debug, Clone)]
pub struct MongoOrderRepository {
    orders: Collection<OrderDocument>,
    placements: GroupInsert,
    claims: Collection<ClaimDocument>,
    indexes: Indexes,
}

impl MongoOrderRepository {
    /// The orders in `database`. Must be called within a tokio runtime.
    pub fn new(database: &Database) -> Self {
        let indexed = database.collection::<Document>(COLLECTION);
        Self {
            orders: database.collection(COLLECTION),
            placements: GroupInsert::into(&database.collection(COLLECTION)),
            claims: database.collection(CLAIMS),
            indexes: Indexes::new(indexed, indexes()),
        }
    }

    /// The outbox inside the documents of orders.
    pub fn outbox(database: &Database) -> MongoOutbox {
        MongoOutbox::new(database.collection(COLLECTION))
    }

    /// What it needs to find orders without looking at all of them.
    pub fn indexes(&self) -> Indexes {
        self.indexes.clone()
    }

    async fn one(&self, filter: Document) -> Result<Option<OrderDocument>> {
        let find = self.orders.find_one(filter).projection(without_outbox());
        let found = self.orders.observe(Command::Find, find).await;
        found.map_err(store_error)
    }

    /// What the request placed that came first with this id.
    async fn placed_by(&self, request_id: Uuid) -> Result<Recorded> {
        let first = self.one(doc! {"_id": request_id.to_string()}).await?;
        let first = first.ok_or_else(rolled_back)?;
        let fingerprint = first.fingerprint()?;
        let order = first.into_record()?.into_order()?;
        Ok(Recorded { order, fingerprint })
    }

    /// Claims a request id for the cancellation of one order. `false` when it is claimed for another.
    ///
    /// A claim whose cancellation then did not come about stays: the request may come again.
    async fn claim(&self, request_id: Uuid, order_id: Uuid) -> Result<bool> {
        let claim = ClaimDocument::new(request_id, order_id);
        let insert = self.claims.insert_one(&claim);
        match self.claims.observe(Command::Insert, insert).await {
            Ok(_) => Ok(true),
            Err(error) if is_duplicate_key(&error) => {
                let first = self.claimed(request_id).await?;
                Ok(first.ok_or_else(rolled_back)?.order_id == claim.order_id)
            }
            Err(error) => Err(store_error(error)),
        }
    }

    async fn claimed(&self, request_id: Uuid) -> Result<Option<ClaimDocument>> {
        let filter = doc! {"_id": request_id.to_string()};
        let found = self
            .claims
            .observe(Command::Find, self.claims.find_one(filter))
            .await;
        found.map_err(store_error)
    }
}

/// The document that placing an order inserts.
pub fn placement(order: &Order, request: Request, entry: &Entry) -> Result<impl Serialize + use<>> {
    let events = outbox::elements(std::slice::from_ref(entry), order.create_time());
    Ok(OrderDocument::placed(OrderRecord::of(order)?, request, events))
}

/// What finds an order by its id, and the orders of a user, newest first.
fn indexes() -> Vec<IndexModel> {
    [
        doc! {"order_id": 1},
        doc! {"user_id": 1, "create_time": -1, "order_id": -1},
    ]
    .map(|keys| IndexModel::builder().keys(keys).build())
    .into()
}

/// A document that stood in the way of an insert is gone: its primary stepped down before others had it.
fn rolled_back() -> Error {
    Error::Unavailable("what the request left before is gone again".to_owned())
}

/// Readers of orders have no use for events on their way.
fn without_outbox() -> Document {
    doc! {outbox::FIELD: 0}
}

#[async_trait]
impl OrderRepository for MongoOrderRepository {
    async fn insert(&self, order: &Order, request: Request, event: Message) -> Result<Insert> {
        let entry = Entry {
            owner: request.id.to_string(),
            message: event,
        };
        let inserting = self.placements.insert(&placement(order, request, &entry)?);
        match inserting.await? {
            Inserted::New => Ok(Insert::Stored(entry)),
            // Boxed, so that what seldom happens takes no room in what always does.
            Inserted::Duplicate => Box::pin(self.placed_by(request.id)).await.map(Insert::Repeated),
        }
    }

    async fn cancel(&self, order: &Order, request: Request, event: Message) -> Result<Update> {
        if !self.claim(request.id, order.id()).await? {
            return Ok(Update::RequestUsed);
        }
        let entry = Entry {
            owner: String::new(),
            message: event,
        };
        let time = order.update_time();
        let before = doc! {"order_id": order.id().to_string(), "version": order.version() - 1};
        let cancel = CancelDocument::new(time, order.cancel_reason(), request).into_bson()?;
        let entries = outbox::to_bson(std::slice::from_ref(&entry), time);
        let update = doc! {
            "$set": {"version": order.version(), "cancel": cancel},
            "$push": {outbox::FIELD: {"$each": entries}},
        };
        let owners = self.orders.clone_with_type::<OwnerDocument>();
        let change = owners
            .find_one_and_update(before, update)
            .projection(doc! {"_id": 1});
        match self.orders.observe(Command::FindAndModify, change).await {
            Ok(Some(owner)) => Ok(Update::Stored(Entry {
                owner: owner.request_id,
                ..entry
            })),
            Ok(None) => Ok(Update::Moved),
            Err(error) => Err(store_error(error)),
        }
    }

    async fn cancelled_by(&self, request_id: Uuid) -> Result<Option<Recorded>> {
        let Some(claim) = self.claimed(request_id).await? else {
            return Ok(None);
        };
        let filter = doc! {"order_id": claim.order_id, "cancel.request_id": request_id.to_string()};
        let Some(document) = self.one(filter).await? else {
            return Ok(None);
        };
        let fingerprint = document.cancel_fingerprint()?;
        let order = document.into_record()?.into_order()?;
        Ok(Some(Recorded { order, fingerprint }))
    }
}

#[async_trait]
impl OrderQueries for MongoOrderRepository {
    async fn find(&self, order_id: Uuid) -> Result<Option<Order>> {
        let document = self.one(doc! {"order_id": order_id.to_string()}).await?;
        document
            .map(|document| document.into_record()?.into_order())
            .transpose()
    }

    async fn list(&self, user_id: Uuid, after: Option<Position>, limit: usize) -> Result<Vec<Order>> {
        let find = self
            .orders
            .find(page(user_id, after))
            .sort(doc! {"create_time": -1, "order_id": -1})
            .limit(i64::try_from(limit).unwrap_or(i64::MAX))
            .batch_size(all_at_once(limit))
            .projection(without_outbox());
        let found = self.orders.observe(Command::Find, find).await;
        let documents: Vec<OrderDocument> = found
            .map_err(store_error)?
            .try_collect()
            .await
            .map_err(store_error)?;
        let order = |document: OrderDocument| document.into_record()?.into_order();
        documents.into_iter().map(order).collect()
    }

    async fn versions(&self, order_ids: &[Uuid]) -> Result<Vec<(Uuid, i64)>> {
        let batch_size = all_at_once(order_ids.len());
        let order_ids: Vec<String> = order_ids.iter().map(Uuid::to_string).collect();
        let versions = self.orders.clone_with_type::<VersionDocument>();
        let find = versions
            .find(doc! {"order_id": {"$in": order_ids}})
            .projection(doc! {"_id": 0, "order_id": 1, "version": 1})
            .batch_size(batch_size);
        let found = self.orders.observe(Command::Find, find).await;
        let documents: Vec<VersionDocument> = found
            .map_err(store_error)?
            .try_collect()
            .await
            .map_err(store_error)?;
        documents.into_iter().map(VersionDocument::read).collect()
    }
}

/// The orders of a user that stand after `after` in a list, newest first.
fn page(user_id: Uuid, after: Option<Position>) -> Document {
    let mut filter = doc! {"user_id": user_id.to_string()};
    if let Some(position) = after {
        let time = DateTime::from_millis(unix_millis(position.create_time));
        let order_id = position.order_id.to_string();
        // The first condition alone bounds the index scan; the second leaves out what the page
        // before has shown of the same moment.
        filter.insert("create_time", doc! {"$lte": time});
        filter.insert(
            "$or",
            vec![
                doc! {"create_time": {"$lt": time}},
                doc! {"order_id": {"$lt": order_id}},
            ],
        );
    }
    filter
}

#[cfg(test)]
mod tests;
