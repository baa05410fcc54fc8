//! What is stored under a URL, whoever stored it.

use mongodb::{
    Client, Database,
    bson::{Bson, Document, doc},
    options::ClientOptions,
};

/// Documents that are written together.
const TOGETHER: usize = 1000;

/// Removes it, so that no measurement pays for those before it.
pub(crate) async fn forget(url: &str) {
    for database in under(url).await {
        database.drop().await.expect("it can be dropped");
    }
}

/// Its size on disk, indexes included, in MiB.
pub(crate) async fn size_mib(url: &str) -> f64 {
    let mut bytes = 0.0;
    for database in under(url).await {
        let stats: Document = database
            .run_command(doc! {"dbStats": 1})
            .await
            .expect("the server knows");
        bytes += ["storageSize", "indexSize"]
            .iter()
            .map(|name| match stats.get(name) {
                Some(Bson::Double(bytes)) => *bytes,
                Some(Bson::Int32(bytes)) => f64::from(*bytes),
                #[allow(clippy::cast_precision_loss, reason = "no store is that large")]
                Some(Bson::Int64(bytes)) => *bytes as f64,
                _ => 0.0,
            })
            .sum::<f64>();
    }
    bytes / 1024.0 / 1024.0
}

/// Has the server write that many documents, and forget them.
pub(crate) async fn age(url: &str, documents: usize) {
    let (client, prefix) = client(url).await;
    let history = client.database(&format!("{prefix}_history"));
    for first in (0..documents).step_by(TOGETHER) {
        let batch = (first..documents.min(first + TOGETHER)).map(|_| Document::new());
        let inserted = history.collection("documents").insert_many(batch).await;
        inserted.expect("all are stored");
    }
    history.drop().await.expect("it can be dropped");
}

/// A client of the server under a URL, and with what names of databases begin there.
pub(crate) async fn client(url: &str) -> (Client, String) {
    let options = ClientOptions::parse(url).await.expect("it is a URL");
    let prefix = options.default_database.clone().expect("the URL names one");
    (
        Client::with_options(options).expect("the options are good"),
        prefix,
    )
}

async fn under(url: &str) -> Vec<Database> {
    let (client, prefix) = client(url).await;
    let names = client.list_database_names().await.expect("the server is there");
    let names = names.iter().filter(|name| name.starts_with(&prefix));
    names.map(|name| client.database(name)).collect()
}
