//! Orders that have been there for long, stored as many at a time as there may be: the documents that the
//! order service's own repository leaves once their events are published, but a few times sooner.

use mongodb::{
    Collection,
    bson::{self, Bson, Document},
};
use waybill::{mongo::outbox::FIELD, outbox::Entry};
use waybill_order::adapters::mongo::placement;

use crate::{floors::databases, payload::Payload};

/// The collection of orders.
pub(crate) struct Bulk(Collection<Document>);

impl Bulk {
    /// That of the order service on the databases under a URL.
    pub(crate) async fn under(url: &str) -> Self {
        let (client, prefix) = databases::client(url).await;
        let database = client.database(&format!("{prefix}_{}", waybill_order::NAME));
        Self(database.collection("orders"))
    }

    /// Stores an order of each of these users.
    pub(crate) async fn store(&self, users: impl Iterator<Item = &String>) {
        let documents: Vec<_> = users.map(|user| published(&Payload::new(user))).collect();
        let inserted = self.0.insert_many(documents).ordered(false).await;
        inserted.expect("all are stored");
    }
}

/// The document of an order when its event is no longer in it.
fn published(payload: &Payload) -> Document {
    let entry = Entry {
        owner: payload.stored_request.id.to_string(),
        message: payload.event.clone(),
    };
    let placed = placement(&payload.order, payload.stored_request, &entry).expect("it can be stored");
    let mut document = bson::serialize_to_document(&placed).expect("it is a document");
    document.insert(FIELD, Bson::Array(Vec::new()));
    document
}
