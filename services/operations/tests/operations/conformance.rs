//! What every adapter of the stores must do, on SQLite and on MongoDB.

use crate::{suite, support::stores::Stored};

#[tokio::test]
async fn sqlite_keeps_letters() {
    suite::letters::conform(&Stored::sqlite().stores).await;
}

#[tokio::test]
async fn sqlite_moves_letters_through_batches() {
    suite::batches::conform(&Stored::sqlite().stores).await;
}

#[tokio::test]
async fn sqlite_keeps_operations() {
    suite::operations::conform(&Stored::sqlite().stores).await;
}

#[tokio::test]
async fn mongodb_keeps_letters() {
    suite::letters::conform(&Stored::mongo().await.stores).await;
}

#[tokio::test]
async fn mongodb_moves_letters_through_batches() {
    suite::batches::conform(&Stored::mongo().await.stores).await;
}

#[tokio::test]
async fn mongodb_keeps_operations() {
    suite::operations::conform(&Stored::mongo().await.stores).await;
}
