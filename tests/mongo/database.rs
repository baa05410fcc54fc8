//! A deployment and its databases.

use waybill::{
    mongo::{Client, DEFAULT_PREFIX, bson::Document},
    store::Error,
};

async fn database_name(url: &str) -> String {
    let database = Client::new(url).await.unwrap().database("order");
    database.collection::<Document>("c").namespace().db
}

#[tokio::test]
async fn the_urls_path_is_the_prefix_of_database_names() {
    assert_eq!(
        database_name("mongodb://127.0.0.1").await,
        format!("{DEFAULT_PREFIX}_order")
    );
    assert_eq!(
        database_name("mongodb://127.0.0.1/shop?tls=false").await,
        "shop_order"
    );
}

#[tokio::test]
async fn what_is_wrong_with_a_url_is_said_without_its_password() {
    for url in [
        "mongodb://ada:secret@127.0.0.1:port/",
        "mongodb://ada:secret@127.0.0.1/?tls=perhaps",
        "mongodb://ada:secret@127.0.0.1/?w=-1",
        "mongodb://ada:se/cret@127.0.0.1/",
        "mongodb://ada:se:cret@127.0.0.1/",
        "mongodb://ada:se%zzcret@127.0.0.1/",
        "http://ada:secret@127.0.0.1/",
        "mongodb://ada:secret@",
    ] {
        let error = Client::new(url).await.unwrap_err();
        assert!(matches!(error, Error::Failed(_)), "{error}");
        assert!(!error.to_string().contains("cret"), "{error}");
    }
}
