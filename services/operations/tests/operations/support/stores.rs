//! Stores of a test's own.

use tempfile::TempDir;
use waybill::{embedded, mongo};
use waybill_operations::{
    adapters::{
        mongo::MongoOperations,
        sqlite::{MIGRATIONS, SqliteOperations},
    },
    ports::Stores,
};
use waybill_testkit::{
    mongodb::{Commands, Databases},
    sqlite::Watched,
};

/// A store, and what it is in.
pub(crate) struct Stored {
    pub(crate) stores: Stores,
    _file: Option<(Watched, TempDir)>,
    commands: Option<Commands>,
}

impl Stored {
    pub(crate) fn sqlite() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("operations.db");
        let watched = Watched::new(&path);
        let database = embedded::Database::open(&path, MIGRATIONS).unwrap();
        Self {
            stores: SqliteOperations::new(database).stores(),
            _file: Some((watched, folder)),
            commands: None,
        }
    }

    pub(crate) async fn mongo() -> Self {
        let (options, commands) = Databases::new().await.watched().await;
        let client = mongo::Client::with_options(options).unwrap();
        let store = MongoOperations::new(&client.database("operations"));
        for indexes in store.indexes() {
            indexes.ensure().await.unwrap();
        }
        Self {
            stores: store.stores(),
            _file: None,
            commands: Some(commands),
        }
    }

    /// Fails unless everything that MongoDB was asked was found by an index.
    pub(crate) async fn assert_indexed(&self) {
        let commands = self.commands.as_ref().expect("this store is MongoDB");
        commands.assert_indexed().await;
    }
}
