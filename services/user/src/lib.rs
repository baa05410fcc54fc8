//! The user service: registers users, and counts what their orders come to.
//!
//! ```text
//! domain ◀── ports ◀── app ◀── adapters (grpc, events, mongo, sqlite)
//! ```

pub mod domain;

pub mod ports;

pub mod app;

pub mod adapters;

pub mod storage;

use std::sync::Arc;

use tokio_util::sync::CancellationToken;
use waybill::{
    contract::{
        order::v1::{OrderCancelled, OrderCreated},
        user::v1::user_service_server::UserServiceServer,
    },
    grpc::server::MAX_MESSAGE_BYTES,
    inbox::InboxHandler,
    platform::Platform,
    service::Service,
    source::{Published, Source},
    store,
    topology::Subscription,
};

use crate::{
    adapters::{
        events::{UserSource, stats_change, write_event},
        grpc::GrpcUserService,
    },
    app::Users,
    storage::Storage,
};

/// The service's short name.
pub const NAME: &str = "user";

/// Queue of the events from which statistics are made.
pub const ORDER_STATS_QUEUE: &str = "waybill.user.order-stats";

/// The events that the service publishes.
pub fn publishes() -> &'static [Published] {
    UserSource::PUBLISHES
}

/// What the service consumes.
pub fn subscriptions() -> Vec<Subscription> {
    vec![order_stats()]
}

fn order_stats() -> Subscription {
    Subscription::new(ORDER_STATS_QUEUE)
        .to::<OrderCreated>()
        .to::<OrderCancelled>()
}

/// The service on `platform`, ready to run; what it does in the background ends with `stop`.
#[expect(clippy::unused_async, reason = "every service is built in the same way")]
pub async fn service(platform: &Platform, stop: &CancellationToken) -> store::Result<Service> {
    let database = platform.database(NAME, adapters::sqlite::MIGRATIONS)?;
    let storage = Storage::of(&database, &platform.clock, platform.retention.inbox);
    let (relay, handle) = platform.relay(Arc::clone(&storage.outbox));
    let users = Users {
        repository: storage.users,
        stats: storage.stats,
        relay: handle,
        write_event,
        clock: Arc::clone(&platform.clock),
        ids: Arc::clone(&platform.ids),
    };
    let handler = InboxHandler::new(storage.inbox, stats_change);
    let rpcs = UserServiceServer::new(GrpcUserService::new(Arc::new(users)))
        .max_decoding_message_size(MAX_MESSAGE_BYTES);
    Ok(Service::new(NAME, database)
        .serving(rpcs)
        .relaying(storage.outbox, relay)
        .consuming(platform.consumer(order_stats(), Arc::new(handler)))
        .running(stop, storage.upkeep))
}
