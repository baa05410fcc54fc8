//! The ports to operations, and to who works on them.

use std::time::{Duration, SystemTime};

use async_trait::async_trait;
use uuid::Uuid;
use waybill::{grpc::page::Page, store::Result};

use crate::domain::operation::Operation;

/// Keeps operations, for ever.
#[async_trait]
pub trait Operations: Send + Sync + 'static {
    /// Keeps a new one. When there is one of its id already, that is answered, and nothing changed.
    async fn create(&self, operation: &Operation) -> Result<Option<Operation>>;

    /// One operation.
    async fn get(&self, id: Uuid) -> Result<Option<Operation>>;

    /// One page of operations, newest first, and one more if there are more.
    async fn list(&self, page: Page) -> Result<Vec<Operation>>;

    /// Replaces an operation of the revision before this one's. `false` when somebody else has.
    async fn save(&self, operation: &Operation) -> Result<bool>;
}

/// Says who works on what.
#[async_trait]
pub trait Work: Send + Sync + 'static {
    /// Operations that have not ended, oldest first.
    async fn running(&self, limit: usize) -> Result<Vec<Operation>>;

    /// Takes or renews the lease on working for `holder`. `false` while another holds it.
    async fn try_lead(&self, holder: &str, now: SystemTime, lease: Duration) -> Result<bool>;

    /// Removes at most `limit` letters that were replayed before `before` and never discarded. Answers
    /// how many.
    async fn forget_replayed(&self, before: SystemTime, limit: usize) -> Result<u64>;
}
