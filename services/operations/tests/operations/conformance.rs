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
    let stored = Stored::mongo().await;
    suite::letters::conform(&stored.stores).await;
    stored.assert_indexed().await;
}

#[tokio::test]
async fn mongodb_moves_letters_through_batches() {
    let stored = Stored::mongo().await;
    suite::batches::conform(&stored.stores).await;
    stored.assert_indexed().await;
}

#[tokio::test]
async fn mongodb_keeps_operations() {
    let stored = Stored::mongo().await;
    suite::operations::conform(&stored.stores).await;
    stored.assert_indexed().await;
}
