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
use waybill_testkit::mongodb::{Commands, Databases};

/// A store, and what it is in.
pub(crate) struct Stored {
    pub(crate) stores: Stores,
    _folder: Option<TempDir>,
    commands: Option<Commands>,
}

impl Stored {
    pub(crate) fn sqlite() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("operations.db");
        let database = embedded::Database::open(&path, MIGRATIONS).unwrap();
        Self {
            stores: SqliteOperations::new(database).stores(),
            _folder: Some(folder),
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
            _folder: None,
            commands: Some(commands),
        }
    }

    /// Fails unless everything that MongoDB was asked was found by an index.
    pub(crate) async fn assert_indexed(&self) {
        let commands = self.commands.as_ref().expect("this store is MongoDB");
        commands.assert_indexed().await;
    }
}
