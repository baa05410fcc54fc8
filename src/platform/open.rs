//! Opens the parts that settings name: the scheme of a URL picks the adapter.

use std::{fs, path::Path, sync::Arc};

use super::{Databases, Platform};
use crate::{
    amqp::{AmqpBroker, AmqpTaps},
    broker::Broker,
    clock::{Clock, IdGenerator, SystemClock, UuidV7Generator},
    config::{self, Settings},
    embedded::{EmbeddedBroker, EmbeddedTaps},
    mongo, store,
    tap::Taps,
    telemetry::broker::ObservedBroker,
    topology::Subscription,
};

/// File of the embedded broker, in the data folder.
const BROKER_FILE: &str = "broker.db";

/// Why the parts could not be opened.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A setting looked right, but what it is for did not take it.
    #[error(transparent)]
    Settings(#[from] config::Error),
    /// The embedded broker's file cannot be opened.
    #[error("embedded broker: {0}")]
    Broker(#[from] store::Error),
}

impl Platform {
    /// Opens the parts that `settings` name, for a process called `process`. Servers need not be up:
    /// connecting goes on in the background. Must be called within a tokio runtime.
    pub async fn open(settings: &Settings, process: &str) -> Result<Self, Error> {
        let folder = &settings.data_dir;
        fs::create_dir_all(folder).map_err(|_| Settings::refused("data_dir", &folder.to_string_lossy()))?;
        let clock: Arc<dyn Clock> = Arc::new(SystemClock);
        let ids = UuidV7Generator::default();
        Ok(Self {
            broker: broker(&settings.broker, folder, process, &clock).await?,
            databases: databases(&settings.database, folder).await?,
            instance: format!("{process}-{}", ids.next_id()),
            clock,
            ids: Arc::new(ids),
            retry: settings.retry,
            prefetch: settings.prefetch,
            retention: settings.retention,
            consumer_trace: settings.consumer_trace,
        })
    }
}

async fn broker(
    setting: &config::Broker,
    folder: &Path,
    process: &str,
    clock: &Arc<dyn Clock>,
) -> Result<Arc<dyn Broker>, Error> {
    Ok(match setting {
        config::Broker::Embedded => {
            let broker = EmbeddedBroker::open(&folder.join(BROKER_FILE), Arc::clone(clock)).await?;
            Arc::new(ObservedBroker::new(Arc::new(broker)))
        }
        config::Broker::Amqp(url) => {
            let broker = AmqpBroker::new(url.expose(), &format!("waybill {process}"));
            let broker = broker.map_err(|_| Settings::refused("broker", url.expose()))?;
            Arc::new(ObservedBroker::new(Arc::new(broker)))
        }
    })
}

/// Taps on the broker that `settings` name, for a process called `process`: parts of their own, so that
/// no publisher and no consumer shares anything with a watcher. Nothing is opened before the first tap
/// is. `subscriptions` are all that the platform declares before it publishes.
pub fn taps(
    settings: &Settings,
    process: &str,
    subscriptions: &[Subscription],
) -> Result<Arc<dyn Taps>, Error> {
    Ok(match &settings.broker {
        config::Broker::Embedded => {
            let path = settings.data_dir.join(BROKER_FILE);
            Arc::new(EmbeddedTaps::new(path, Arc::new(SystemClock)))
        }
        config::Broker::Amqp(url) => {
            let taps = AmqpTaps::new(url.expose(), &format!("waybill {process}"), subscriptions);
            Arc::new(taps.map_err(|_| Settings::refused("broker", url.expose()))?)
        }
    })
}

async fn databases(setting: &config::Database, folder: &Path) -> Result<Databases, Error> {
    Ok(match setting {
        config::Database::Sqlite => Databases::Sqlite(folder.to_owned()),
        config::Database::Mongo(url) => {
            let client = mongo::Client::new(url.expose()).await;
            Databases::Mongo(client.map_err(|_| Settings::refused("database", url.expose()))?)
        }
    })
}
