//! A MongoDB deployment, and the one database in it that a service calls its own.

use std::time::Duration;

use mongodb::{
    bson::doc,
    error::{Error as DriverError, ErrorKind, RETRYABLE_WRITE_ERROR, TRANSIENT_TRANSACTION_ERROR},
    options::{Acknowledgment, ClientOptions, WriteConcern},
};

use crate::store::{Error, Result};

/// How long a call looks for a server that can take it before it answers that there is none: a
/// caller waits, and a primary that steps down is replaced within seconds.
const SERVER_SELECTION_TIMEOUT: Duration = Duration::from_secs(3);

/// How long connecting to one server may take.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(3);

/// Connections to one server at the same time.
const MAX_POOL_SIZE: u32 = 64;

/// A MongoDB deployment. Clones share its connections.
#[derive(Debug, Clone)]
pub struct Client(mongodb::Client);

impl Client {
    /// A client of the deployment at `url`. It connects when first used, and again whenever it must.
    ///
    /// Writes are acknowledged by a majority and journaled: what was answered survives the primary.
    pub async fn new(url: &str) -> Result<Self> {
        let mut options = ClientOptions::parse(url)
            .await
            .map_err(|e| Error::Failed(e.to_string()))?;
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
            durable
        });
        mongodb::Client::with_options(options)
            .map(Self)
            .map_err(store_error)
    }

    /// The database of that name.
    pub fn database(&self, name: &str) -> Database {
        Database(self.0.database(name))
    }
}

/// One service's database.
#[derive(Debug, Clone)]
pub struct Database(mongodb::Database);

impl Database {
    /// The collection of that name.
    pub fn collection<T: Send + Sync>(&self, name: &str) -> mongodb::Collection<T> {
        self.0.collection(name)
    }

    /// The driver's client, for sessions.
    pub fn client(&self) -> &mongodb::Client {
        self.0.client()
    }

    /// `Ok` when the database answers now.
    pub async fn check(&self) -> Result<()> {
        self.0
            .run_command(doc! {"ping": 1})
            .await
            .map(drop)
            .map_err(store_error)
    }
}

/// What a store's callers hear of a driver's error.
pub fn store_error(error: DriverError) -> Error {
    let transient = matches!(
        *error.kind,
        ErrorKind::Io(_)
            | ErrorKind::ServerSelection { .. }
            | ErrorKind::ConnectionPoolCleared { .. }
            | ErrorKind::DnsResolve { .. }
    ) || error.contains_label(RETRYABLE_WRITE_ERROR)
        || error.contains_label(TRANSIENT_TRANSACTION_ERROR);
    if transient {
        Error::Unavailable(error.to_string())
    } else {
        Error::Failed(error.to_string())
    }
}
