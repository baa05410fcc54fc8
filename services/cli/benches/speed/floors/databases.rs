//! What is stored under a URL, whoever stored it.

use mongodb::{
    Client, Database,
    bson::{Bson, Document, doc},
    options::ClientOptions,
};

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

async fn under(url: &str) -> Vec<Database> {
    let options = ClientOptions::parse(url).await.expect("it is a URL");
    let prefix = options.default_database.clone().expect("the URL names one");
    let client = Client::with_options(options).expect("the options are good");
    let names = client.list_database_names().await.expect("the server is there");
    let names = names.iter().filter(|name| name.starts_with(&prefix));
    names.map(|name| client.database(name)).collect()
}
