//! Puts the service together.

use std::sync::Arc;

use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;
use waybill::{
    contract::operations::v1::dead_letter_service_server::DeadLetterServiceServer,
    grpc::server::MAX_MESSAGE_BYTES,
    mongo::until_ensured,
    platform::{Database, Platform},
    service::Service,
    store::Result,
    topology::Subscription,
};

use crate::{
    adapters::{
        events::DeadLetterQueue,
        gauge,
        grpc::DeadLetterApi,
        mongo::MongoOperations,
        sqlite::{self, SqliteOperations},
    },
    app::{Begin, Worker},
};

/// Short name of the service.
const NAME: &str = "operations";

/// The service on `platform`, for the dead letters of `consumers`. It starts while database and broker
/// are away. Must be called, and dropped, inside a tokio runtime.
pub async fn service(
    platform: &Platform,
    consumers: Vec<Subscription>,
    stop: &CancellationToken,
) -> Result<Service> {
    let database = platform.database(NAME, sqlite::MIGRATIONS)?;
    let mut service = Service::new(NAME, database.clone());
    let stores = match database {
        Database::Sqlite(database) => SqliteOperations::new(database).stores(),
        Database::Mongo(database) => {
            let store = MongoOperations::new(&database);
            service = service.running(stop, |stop| until_ensured(store.indexes(), stop));
            store.stores()
        }
    };
    let names = consumers.iter().map(|consumer| consumer.queue.clone()).collect();
    let letters = Arc::clone(&stores.dead_letters);
    service = service.running(stop, |stop| gauge::count(letters, names, stop));
    for consumer in consumers {
        let queue = DeadLetterQueue::new(
            Arc::clone(&platform.broker),
            platform.subscription(consumer),
            Arc::clone(&stores.intake),
            Arc::clone(&platform.clock),
        );
        service = service.running(stop, |stop| queue.run(stop));
    }
    let news = Arc::new(Notify::new());
    let worker = Worker::new(
        stores.clone(),
        platform.broker.publisher(),
        Arc::clone(&platform.clock),
        Arc::clone(&platform.ids),
        platform.instance.clone(),
        Arc::clone(&news),
    );
    let api = DeadLetterApi::new(
        stores.clone(),
        Begin::new(stores, news),
        Arc::clone(&platform.clock),
        Arc::clone(&platform.ids),
    );
    Ok(service
        .running(stop, |stop| worker.run(stop))
        .serving(DeadLetterServiceServer::new(api).max_decoding_message_size(MAX_MESSAGE_BYTES)))
}
