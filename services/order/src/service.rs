//! Puts the service together from a platform's parts.

use std::sync::Arc;

use tokio_util::sync::CancellationToken;
use waybill::{
    embedded::SqliteOutbox,
    mongo::{Indexes, until_ensured},
    outbox::Outbox,
    platform::{Database, Platform},
    service::Service,
    source::{Published, Source},
    store,
    topology::Subscription,
};

use crate::{
    adapters::{
        events::{ContractEvents, OrderSource},
        grpc,
        mongo::MongoOrderRepository,
        sqlite::{self, SqliteOrderRepository},
    },
    app::{Orders, Parts},
    ports::{OrderQueries, OrderRepository},
};

/// Short name of the service.
pub const NAME: &str = "order";

/// What this service does with one kind of database.
struct Stores {
    repository: Arc<dyn OrderRepository>,
    queries: Arc<dyn OrderQueries>,
    outbox: Arc<dyn Outbox>,
    indexes: Vec<Indexes>,
}

/// The order service on a platform. It starts while broker and MongoDB are away.
pub async fn service(platform: &Platform, stop: &CancellationToken) -> store::Result<Service> {
    let database = platform.database(NAME, sqlite::MIGRATIONS)?;
    let stores = Stores::on(&database);
    let (relay, offers) = platform.relay(Arc::clone(&stores.outbox));
    let parts = Parts {
        repository: stores.repository,
        queries: stores.queries,
        events: Arc::new(ContractEvents::new(Arc::clone(&platform.ids))),
        offers: Arc::new(offers),
        clock: Arc::clone(&platform.clock),
        ids: Arc::clone(&platform.ids),
    };
    let orders = Arc::new(Orders::new(parts, stop.clone()));
    let watchers = orders.watchers();
    let mut service = Service::new(NAME, database)
        .serving(grpc::service(orders, Arc::clone(&platform.ids)))
        .relaying(stores.outbox, relay)
        .running(stop, |stop| watchers.run(stop));
    if !stores.indexes.is_empty() {
        service = service.running(stop, |stop| until_ensured(stores.indexes, stop));
    }
    Ok(service)
}

/// The events that it publishes.
pub fn publishes() -> &'static [Published] {
    OrderSource::PUBLISHES
}

/// What it listens to: nothing.
pub fn subscriptions() -> Vec<Subscription> {
    Vec::new()
}

impl Stores {
    fn on(database: &Database) -> Self {
        match database {
            Database::Sqlite(database) => {
                let orders = Arc::new(SqliteOrderRepository::new(database.clone()));
                Self {
                    repository: orders.clone(),
                    queries: orders,
                    outbox: Arc::new(SqliteOutbox::new(database.clone())),
                    indexes: Vec::new(),
                }
            }
            Database::Mongo(database) => {
                let orders = Arc::new(MongoOrderRepository::new(database));
                let outbox = MongoOrderRepository::outbox(database);
                let indexes = vec![orders.indexes(), outbox.indexes()];
                Self {
                    repository: orders.clone(),
                    queries: orders,
                    outbox: Arc::new(outbox),
                    indexes,
                }
            }
        }
    }
}
