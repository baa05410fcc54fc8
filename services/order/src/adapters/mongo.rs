//! Orders in MongoDB, one document each: the order, the requests that made it what it is, and the
//! events that are not published yet. So every change is one write of one document.
//!
//! The `_id` is the request id of the placement. That makes a repeated request one order on any
//! topology, also when the collection is sharded on hashed `_id`, and placing an order one insert
//! with no look before it.

mod document;

use async_trait::async_trait;
use futures::TryStreamExt;
use uuid::Uuid;
use waybill::{
    clock::unix_millis,
    message::Message,
    mongo::{
        Database, Indexes, MongoOutbox,
        bson::{DateTime, Document, doc},
        is_duplicate_key,
        mongodb::{Collection, IndexModel, options::IndexOptions},
        outbox, store_error,
    },
    outbox::Entry,
    store::{Error, Result},
};

use self::document::{CancelDocument, OrderDocument, OwnerDocument, VersionDocument};
use super::record::OrderRecord;
use crate::{
    domain::Order,
    ports::{Insert, OrderQueries, OrderRepository, Position, Recorded, Request, Update},
};

/// The collection of orders.
const COLLECTION: &str = "orders";

/// Keeps orders in a MongoDB collection.
#[derive(Debug, Clone)]
pub struct MongoOrderRepository {
    orders: Collection<OrderDocument>,
    queried: Indexes,
    cancel_requests: Indexes,
}

impl MongoOrderRepository {
    /// The orders in `database`.
    pub fn new(database: &Database) -> Self {
        let indexed = database.collection::<Document>(COLLECTION);
        Self {
            orders: database.collection(COLLECTION),
            queried: Indexes::new(indexed.clone(), queried()),
            cancel_requests: Indexes::new(indexed, vec![cancel_requests()]),
        }
    }

    /// The outbox inside the documents of orders.
    pub fn outbox(database: &Database) -> MongoOutbox {
        MongoOutbox::new(database.collection(COLLECTION))
    }

    /// What it needs to find orders without looking at all of them.
    pub fn indexes(&self) -> Vec<Indexes> {
        vec![self.queried.clone(), self.cancel_requests.clone()]
    }

    async fn one(&self, filter: Document) -> Result<Option<OrderDocument>> {
        self.orders
            .find_one(filter)
            .projection(without_outbox())
            .await
            .map_err(store_error)
    }
}

/// What finds an order by its id, and the orders of a user. The order id's index is not unique: ids
/// are made here, and a sharded collection could not have it.
fn queried() -> Vec<IndexModel> {
    [doc! {"order_id": 1}, by_user()]
        .map(|keys| IndexModel::builder().keys(keys).build())
        .into()
}

/// Newest first: the order of a page.
fn by_user() -> Document {
    doc! {"user_id": 1, "create_time": -1, "order_id": -1}
}

/// What lets a request id cancel one order only.
fn cancel_requests() -> IndexModel {
    let cancelled = doc! {"cancel.request_id": {"$exists": true}};
    let options = IndexOptions::builder()
        .unique(true)
        .partial_filter_expression(cancelled)
        .build();
    IndexModel::builder()
        .keys(doc! {"cancel.request_id": 1})
        .options(options)
        .build()
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
        let mut document = OrderDocument::placed(OrderRecord::of(order)?, request);
        document.outbox = Some(outbox::to_bson(std::slice::from_ref(&entry), order.create_time()));
        match self.orders.insert_one(document).await {
            Ok(_) => Ok(Insert::Stored(entry)),
            Err(error) if is_duplicate_key(&error) => {
                let first = self.one(doc! {"_id": request.id.to_string()}).await?;
                let first = first.ok_or_else(|| {
                    // A primary that steps down may roll back what stood in the way.
                    Error::Unavailable("the order of this request is gone again".to_owned())
                })?;
                let fingerprint = first.fingerprint()?;
                let order = first.into_record()?.into_order()?;
                Ok(Insert::Repeated(Recorded { order, fingerprint }))
            }
            Err(error) => Err(store_error(error)),
        }
    }

    async fn cancel(&self, order: &Order, request: Request, event: Message) -> Result<Update> {
        self.cancel_requests.ensure().await?;
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
        let updated = self
            .orders
            .clone_with_type::<OwnerDocument>()
            .find_one_and_update(before, update)
            .projection(doc! {"_id": 1})
            .await;
        match updated {
            Ok(Some(owner)) => Ok(Update::Stored(Entry {
                owner: owner.request_id,
                ..entry
            })),
            Ok(None) => Ok(Update::Moved),
            Err(error) if is_duplicate_key(&error) => Ok(Update::RequestUsed),
            Err(error) => Err(store_error(error)),
        }
    }

    async fn cancelled_by(&self, request_id: Uuid) -> Result<Option<Recorded>> {
        let filter = doc! {"cancel.request_id": request_id.to_string()};
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
        let documents: Vec<OrderDocument> = self
            .orders
            .find(page(user_id, after))
            .sort(doc! {"create_time": -1, "order_id": -1})
            .limit(i64::try_from(limit).unwrap_or(i64::MAX))
            .projection(without_outbox())
            .await
            .map_err(store_error)?
            .try_collect()
            .await
            .map_err(store_error)?;
        let order = |document: OrderDocument| document.into_record()?.into_order();
        documents.into_iter().map(order).collect()
    }

    async fn versions(&self, order_ids: &[Uuid]) -> Result<Vec<(Uuid, i64)>> {
        let order_ids: Vec<String> = order_ids.iter().map(Uuid::to_string).collect();
        let documents: Vec<VersionDocument> = self
            .orders
            .clone_with_type()
            .find(doc! {"order_id": {"$in": order_ids}})
            .projection(doc! {"_id": 0, "order_id": 1, "version": 1})
            .await
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
