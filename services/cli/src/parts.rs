//! The parts that settings name: which broker, which databases, which way mail goes.

use std::{fs, sync::Arc};

use anyhow::{Context, Result};
use waybill::{
    amqp::AmqpBroker,
    broker::Broker,
    clock::{Clock, IdGenerator, SystemClock, UuidV7Generator},
    config::{self, Mail, Settings},
    embedded::EmbeddedBroker,
    mongo,
    platform::{Databases, Platform},
};
use waybill_notification::{MailSettings, MailTarget};

/// File of the embedded broker, in the data folder.
const BROKER_FILE: &str = "broker.db";

/// Folder of mail that is written as files, in the data folder.
pub(crate) const MAIL_FOLDER: &str = "mail";

/// What services stand on. `process` names what this process is for: `up`, `order`.
pub(crate) async fn platform(settings: &Settings, process: &str) -> Result<Platform> {
    fs::create_dir_all(&settings.data_dir)
        .map_err(|_| Settings::refused("data_dir", &settings.data_dir.to_string_lossy()))?;
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    let ids = UuidV7Generator::default();
    Ok(Platform {
        broker: broker(settings, process, &clock).await?,
        databases: databases(settings).await?,
        instance: format!("{process}-{}", ids.next_id()),
        clock,
        ids: Arc::new(ids),
        retry: settings.retry,
        prefetch: settings.prefetch,
    })
}

async fn broker(settings: &Settings, process: &str, clock: &Arc<dyn Clock>) -> Result<Arc<dyn Broker>> {
    Ok(match &settings.broker {
        config::Broker::Embedded => {
            let path = settings.data_dir.join(BROKER_FILE);
            let broker = EmbeddedBroker::open(&path, Arc::clone(clock)).await;
            Arc::new(broker.with_context(|| format!("cannot open {}", path.display()))?)
        }
        config::Broker::Amqp(url) => {
            let broker = AmqpBroker::new(url.expose(), &format!("waybill {process}"));
            Arc::new(broker.map_err(|_| Settings::refused("broker", url.expose()))?)
        }
    })
}

async fn databases(settings: &Settings) -> Result<Databases> {
    Ok(match &settings.database {
        config::Database::Sqlite => Databases::Sqlite(settings.data_dir.clone()),
        config::Database::Mongo(url) => {
            let client = mongo::Client::new(url.expose()).await;
            Databases::Mongo(client.map_err(|_| Settings::refused("database", url.expose()))?)
        }
    })
}

/// How mail leaves.
pub(crate) fn mail(settings: &Settings) -> Result<MailSettings> {
    let from = &settings.mail_from;
    Ok(MailSettings {
        from: from.parse().map_err(|_| Settings::refused("mail_from", from))?,
        target: match &settings.mail {
            Mail::Files => MailTarget::Files(settings.data_dir.join(MAIL_FOLDER)),
            Mail::Smtp(url) => {
                let parsed = url.expose().parse();
                MailTarget::Smtp(parsed.map_err(|_| Settings::refused("smtp", url.expose()))?)
            }
        },
    })
}
