//! A MongoDB deployment, and the one database in it that a service calls its own.

use std::time::Duration;

use mongodb::{
    bson::doc,
    options::{Acknowledgment, ClientOptions, ServerAddress, WriteConcern},
};

use super::{
    Collection,
    observed::{Command, Observer},
    store_error,
};
use crate::store::Result;

/// What the names of databases start with, where the URL does not say it.
pub const DEFAULT_PREFIX: &str = "waybill";

/// How long a call looks for a server that can take it before it answers that there is none: a
/// caller waits, and a primary that steps down is replaced within seconds.
const SERVER_SELECTION_TIMEOUT: Duration = Duration::from_secs(3);

/// How long connecting to one server may take.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(3);

/// Connections to one server at the same time.
const MAX_POOL_SIZE: u32 = 64;

/// How long a write waits for a majority. Beyond it nobody knows whether the write lasts, and
/// without it a primary that lost its majority would hold calls for ever.
const WRITE_TIMEOUT: Duration = Duration::from_secs(5);

/// A MongoDB deployment. Clones share its connections.
#[derive(Debug, Clone)]
pub struct Client {
    driver: mongodb::Client,
    prefix: String,
    servers: Vec<ServerAddress>,
}

impl Client {
    /// A client of the deployment at `url`. It connects when first used, and again whenever it must.
    ///
    /// Writes are acknowledged by a majority and journaled: what was answered survives the primary.
    /// The URL's path is the prefix of database names, by default [`DEFAULT_PREFIX`]; as in every
    /// MongoDB URL it is also where the user is looked for, unless `authSource` says otherwise.
    pub async fn new(url: &str) -> Result<Self> {
        Self::with_options(ClientOptions::parse(url).await.map_err(store_error)?)
    }

    /// The same with options that say more than a URL can, as who is told of commands. What they
    /// leave open is chosen here.
    pub fn with_options(mut options: ClientOptions) -> Result<Self> {
        options.app_name.get_or_insert_with(|| "waybill".to_owned());
        options
            .server_selection_timeout
            .get_or_insert(SERVER_SELECTION_TIMEOUT);
        options.connect_timeout.get_or_insert(CONNECT_TIMEOUT);
        options.max_pool_size.get_or_insert(MAX_POOL_SIZE);
        options.write_concern.get_or_insert_with(|| {
            let mut durable = WriteConcern::default();
            durable.w = Some(Acknowledgment::Majority);
            durable.journal = Some(true);
            durable.w_timeout = Some(WRITE_TIMEOUT);
            durable
        });
        let prefix = options.default_database.clone();
        let servers = options.hosts.clone();
        let driver = mongodb::Client::with_options(options).map_err(store_error)?;
        Ok(Self {
            driver,
            prefix: prefix.unwrap_or_else(|| DEFAULT_PREFIX.to_owned()),
            servers,
        })
    }

    /// The database of a service, `{prefix}_{service}`.
    pub fn database(&self, service: &str) -> Database {
        let name = format!("{}_{service}", self.prefix);
        Database {
            observer: Observer::new(&name, &self.servers),
            driver: self.driver.database(&name),
        }
    }
}

/// One service's database.
#[derive(Debug, Clone)]
pub struct Database {
    driver: mongodb::Database,
    observer: Observer,
}

impl From<mongodb::Database> for Database {
    /// A database of a client that was set up elsewhere, for instance one whose commands are watched.
    fn from(driver: mongodb::Database) -> Self {
        Self {
            observer: Observer::new(driver.name(), &[]),
            driver,
        }
    }
}

impl Database {
    /// The collection of that name.
    pub fn collection<T: Send + Sync>(&self, name: &str) -> Collection<T> {
        Collection::new(self.driver.collection(name), self.observer.clone())
    }

    /// The driver's client, for sessions.
    pub fn client(&self) -> &mongodb::Client {
        self.driver.client()
    }

    /// `Ok` when the database answers now.
    pub async fn check(&self) -> Result<()> {
        let ping = self.driver.run_command(doc! {"ping": 1});
        let answer = self.observer.run(Command::Ping, None, ping).await;
        answer.map(drop).map_err(store_error)
    }
}
