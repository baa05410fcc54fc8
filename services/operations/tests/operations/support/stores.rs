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
use waybill_testkit::mongodb::Databases;

/// A store, and what it is in.
pub(crate) struct Stored {
    pub(crate) stores: Stores,
    _folder: Option<TempDir>,
    _databases: Option<Databases>,
}

impl Stored {
    pub(crate) fn sqlite() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("operations.db");
        let database = embedded::Database::open(&path, MIGRATIONS).unwrap();
        Self {
            stores: SqliteOperations::new(database).stores(),
            _folder: Some(folder),
            _databases: None,
        }
    }

    pub(crate) async fn mongo() -> Self {
        let databases = Databases::new().await;
        let client = mongo::Client::new(databases.url()).await.unwrap();
        Self {
            stores: MongoOperations::new(&client.database("operations")).stores(),
            _folder: None,
            _databases: Some(databases),
        }
    }
}
