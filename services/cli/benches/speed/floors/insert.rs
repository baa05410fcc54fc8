//! The floor of storing an order: its document, with its event inside, into a collection that has no
//! index but that of `_id`. As durable as the platform's own writes: by a majority, and journaled.

use std::sync::Arc;

use futures::future::join_all;
use mongodb::{
    Client, Collection,
    bson::{RawDocumentBuf, doc},
    options::{Acknowledgment, ClientOptions, WriteConcern},
};
use waybill_order::{adapters::mongo::MongoOrderRepository, ports::OrderRepository};

use super::Floor;
use crate::{
    client::new_id,
    pace,
    payload::{Payload, Template},
    statistics::Sample,
};

/// Documents written together, and how many such writes are under way.
const TOGETHER: usize = 32;
const WRITERS: usize = 4;

/// How often as many documents as may be under way are written before anything else.
const ROUNDS_TO_CONNECT: usize = 5;

/// One document a write.
pub(super) async fn one(floor: &Floor, in_flight: usize) -> Sample {
    let documents = Arc::new(Documents::new(&floor.database, in_flight).await);
    // The driver opens few connections at a time, and so many of them take longer than the warm-up.
    for _ in 0..ROUNDS_TO_CONNECT {
        join_all((0..in_flight).map(|_| documents.insert_one())).await;
    }
    let insert = move || {
        let documents = Arc::clone(&documents);
        async move { documents.insert_one().await }
    };
    pace::closed(in_flight, 1, floor.times, &floor.watched, insert).await
}

/// Many documents a write.
pub(super) async fn many(floor: &Floor) -> Sample {
    let documents = Arc::new(Documents::new(&floor.database, WRITERS).await);
    let insert = move || {
        let documents = Arc::clone(&documents);
        async move { documents.insert_many().await }
    };
    pace::closed(WRITERS, TOGETHER as u64, floor.times, &floor.watched, insert).await
}

/// A collection, and documents for it.
pub(super) struct Documents {
    collection: Collection<RawDocumentBuf>,
    template: Template,
}

impl Documents {
    /// Over as many connections as there are writes at a time.
    pub(super) async fn new(url: &str, in_flight: usize) -> Self {
        let mut options = ClientOptions::parse(url).await.expect("it is a URL");
        options.max_pool_size = Some(u32::try_from(in_flight).expect("it is small"));
        let mut durable = WriteConcern::default();
        durable.w = Some(Acknowledgment::Majority);
        durable.journal = Some(true);
        options.write_concern = Some(durable);
        let prefix = options.default_database.clone().expect("the URL names one");
        let client = Client::with_options(options).expect("the options are good");
        let database = client.database(&format!("{prefix}_floor"));
        Self {
            template: template(&database).await,
            collection: database.collection("floor"),
        }
    }

    fn fresh(&self) -> RawDocumentBuf {
        RawDocumentBuf::from_bytes(self.template.fresh()).expect("only ids have changed")
    }

    pub(super) async fn insert_one(&self) {
        let inserted = self.collection.insert_one(self.fresh()).await;
        inserted.expect("it is stored");
    }

    async fn insert_many(&self) {
        let documents: Vec<_> = (0..TOGETHER).map(|_| self.fresh()).collect();
        let inserted = self.collection.insert_many(documents).ordered(false).await;
        inserted.expect("all are stored");
    }
}

/// The document that the order service's own repository makes of an order.
async fn template(database: &mongodb::Database) -> Template {
    let payload = Payload::new(&new_id());
    let repository = MongoOrderRepository::new(&database.clone().into());
    let inserted = repository.insert(&payload.order, payload.stored_request, payload.event.clone());
    inserted.await.expect("it is stored");
    let request_id = payload.stored_request.id.to_string();
    let stored = database
        .collection::<RawDocumentBuf>("orders")
        .find_one(doc! {"_id": &request_id})
        .await
        .expect("the database is there")
        .expect("the order is stored");
    let order_id = payload.order.id().to_string();
    let message_id = payload.event.properties.message_id.expect("an event has one");
    Template::new(stored.into_bytes(), &[&request_id, &order_id, &message_id])
}
