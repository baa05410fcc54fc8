//! What a service is built from: a broker, a database of its own, a clock and ids.

mod open;

use std::{path::PathBuf, sync::Arc};

pub use open::{Error, taps};

use crate::{
    broker::Broker,
    clock::{Clock, IdGenerator},
    config::ConsumerTrace,
    consumer::Consumer,
    embedded,
    handler::Handler,
    mongo,
    outbox::Outbox,
    relay::{Relay, RelayHandle},
    retention::Retention,
    retry::RetryPolicy,
    store::Result,
    story::Stories,
    topology::Subscription,
};

/// The parts that services share. Clones share them.
#[derive(Clone)]
pub struct Platform {
    /// Where events go through.
    pub broker: Arc<dyn Broker>,
    /// Where services keep their state.
    pub databases: Databases,
    /// Tells the time.
    pub clock: Arc<dyn Clock>,
    /// Makes ids.
    pub ids: Arc<dyn IdGenerator>,
    /// Name of this process, unlike that of any other.
    pub instance: String,
    /// How often and how soon consumers try again.
    pub retry: RetryPolicy,
    /// Unacknowledged messages at one consumer; 1 to 2,000.
    pub prefetch: u16,
    /// How long is remembered what somebody might send again.
    pub retention: Retention,
    /// In which trace consumers process an event.
    pub consumer_trace: ConsumerTrace,
}

/// Where services keep their state, each in a database of its own.
#[derive(Debug, Clone)]
pub enum Databases {
    /// In SQLite files, `{service}.db`, in this folder.
    Sqlite(PathBuf),
    /// In MongoDB databases, `{prefix}_{service}`; the prefix is the URL's path, by default `waybill`.
    Mongo(mongo::Client),
}

/// One service's database.
#[derive(Debug, Clone)]
pub enum Database {
    /// A SQLite file.
    Sqlite(embedded::Database),
    /// A MongoDB database.
    Mongo(mongo::Database),
}

impl Database {
    /// `Ok` when the database answers now.
    pub async fn check(&self) -> Result<()> {
        match self {
            Self::Sqlite(database) => database.read(|c| c.query_row("SELECT 1", [], |_| Ok(()))).await,
            Self::Mongo(database) => database.check().await,
        }
    }
}

impl Platform {
    /// The database of a service. `migrations` make its SQLite schema.
    pub fn database(&self, service: &str, migrations: &[&str]) -> Result<Database> {
        Ok(match &self.databases {
            Databases::Sqlite(folder) => {
                let path = folder.join(format!("{service}.db"));
                Database::Sqlite(embedded::Database::open(&path, migrations)?)
            }
            Databases::Mongo(client) => Database::Mongo(client.database(service)),
        })
    }

    /// Where attempts at events are told, of all services together: it is an operator's, not a service's.
    pub fn stories(&self) -> Result<Arc<dyn Stories>> {
        let clock = Arc::clone(&self.clock);
        Ok(match self.database("story", embedded::stories::MIGRATIONS)? {
            Database::Sqlite(database) => Arc::new(embedded::SqliteStories::new(database, clock)),
            Database::Mongo(database) => Arc::new(mongo::MongoStories::new(&database, clock)),
        })
    }

    /// The subscription with this platform's retry policy and prefetch.
    pub fn subscription(&self, subscription: Subscription) -> Subscription {
        subscription.retrying(self.retry).prefetching(self.prefetch)
    }

    /// A consumer on this platform's broker, with its retry policy and prefetch.
    pub fn consumer(&self, subscription: Subscription, handler: Arc<dyn Handler>) -> Consumer {
        Consumer::new(
            Arc::clone(&self.broker),
            self.subscription(subscription),
            handler,
            Arc::clone(&self.clock),
            self.instance.clone(),
        )
        .tracing(self.consumer_trace)
    }

    /// A relay from `outbox` to this platform's broker.
    pub fn relay(&self, outbox: Arc<dyn Outbox>) -> (Relay, RelayHandle) {
        Relay::new(
            outbox,
            self.broker.publisher(),
            Arc::clone(&self.clock),
            self.instance.clone(),
        )
    }
}
