//! Indexes that a collection needs, made as soon as its database can be reached.

use std::sync::Arc;

use mongodb::{IndexModel, bson::Document};
use tokio::sync::OnceCell;
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

use super::{Collection, Command, store_error};
use crate::{backoff::Backoff, store::Result};

/// The indexes of one collection. Clones share the knowledge that they are there.
#[derive(Debug, Clone)]
pub struct Indexes {
    collection: Collection<Document>,
    models: Vec<IndexModel>,
    ensured: Arc<OnceCell<()>>,
}

impl Indexes {
    /// `models`, of which there is at least one, on `collection`. Nothing is made yet.
    pub fn new(collection: Collection<Document>, models: Vec<IndexModel>) -> Self {
        Self {
            collection,
            models,
            ensured: Arc::default(),
        }
    }

    /// Makes those that are not there, in one round trip. Once it has succeeded it costs nothing.
    pub async fn ensure(&self) -> Result<()> {
        let make = async || {
            let create = self.collection.create_indexes(self.models.clone());
            let created = self.collection.observe(Command::CreateIndexes, create).await;
            created.map(drop)
        };
        self.ensured
            .get_or_try_init(make)
            .await
            .map(drop)
            .map_err(store_error)
    }
}

/// Makes indexes, trying again while the database is away, until all are there or `stop`.
pub async fn until_ensured(indexes: Vec<Indexes>, stop: CancellationToken) {
    for indexes in indexes {
        let collection = indexes.collection.namespace().to_string();
        let mut backoff = Backoff::default();
        loop {
            match stop.run_until_cancelled(indexes.ensure()).await {
                None => return,
                Some(Ok(())) => break,
                Some(Err(error)) => warn!(collection, %error, "indexes cannot be made now, will try again"),
            }
            stop.run_until_cancelled(backoff.wait()).await;
        }
        info!(collection, "indexes are there");
    }
}
