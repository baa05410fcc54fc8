//! A database of its own on a real server, with or without someone who watches the commands.

use std::sync::{Arc, Mutex};

use waybill::mongo::{
    Client, Database,
    bson::Document,
    mongodb::{
        event::{EventHandler, command::CommandEvent},
        options::ClientOptions,
    },
};
use waybill_testkit::mongodb::Databases;

/// The database of one test.
pub(crate) async fn database() -> Database {
    let databases = Databases::new().await;
    Client::new(databases.url()).await.unwrap().database("test")
}

/// The commands that were sent to a server, each of which is one round trip.
#[derive(Clone, Default)]
pub(crate) struct Commands(Arc<Mutex<Vec<(String, Document)>>>);

impl Commands {
    /// Forgets those that were sent so far.
    pub(crate) fn reset(&self) {
        self.0.lock().unwrap().clear();
    }

    /// The names of those that were sent, in their order.
    pub(crate) fn names(&self) -> Vec<String> {
        self.0
            .lock()
            .unwrap()
            .iter()
            .map(|(name, _)| name.clone())
            .collect()
    }

    /// The last one, without what cannot be explained: its session and the like.
    pub(crate) fn last(&self) -> Document {
        let (_, mut command) = self.0.lock().unwrap().last().unwrap().clone();
        for field in ["lsid", "$db", "$clusterTime", "txnNumber", "writeConcern"] {
            command.remove(field);
        }
        command
    }
}

/// The database of one test, and the commands that it is sent.
pub(crate) async fn watched_database() -> (Database, Commands) {
    let databases = Databases::new().await;
    let commands = Commands::default();
    let seen = commands.clone();
    let mut options = ClientOptions::parse(databases.url()).await.unwrap();
    options.command_event_handler = Some(EventHandler::callback(move |event| {
        if let CommandEvent::Started(started) = event {
            seen.0
                .lock()
                .unwrap()
                .push((started.command_name, started.command));
        }
    }));
    (Client::with_options(options).unwrap().database("test"), commands)
}
