//! The port to the records of what was mailed. A record is also what tells that its event was handled.

use async_trait::async_trait;
use uuid::Uuid;
use waybill::{grpc::page::Page, store::Result};

use crate::domain::notification::Notification;

/// Whose notifications to list.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Filter {
    /// Those of a user.
    User(Uuid),
    /// Those about an order.
    Order(Uuid),
}

/// Keeps notifications. They are never changed, and there is at most one of a kind for an order.
#[async_trait]
pub trait Notifications: Send + Sync + 'static {
    /// Keeps records, in one round trip. One whose id is known, or whose order has one of its kind,
    /// is passed over.
    async fn record(&self, notifications: &[Notification]) -> Result<()>;

    /// All records about these orders, in one look-up.
    async fn about(&self, order_ids: &[Uuid]) -> Result<Vec<Notification>>;

    /// One record.
    async fn get(&self, id: Uuid) -> Result<Option<Notification>>;

    /// One page of records, newest first by time and id, and one record more if there are more.
    async fn list(&self, filter: Filter, page: Page) -> Result<Vec<Notification>>;
}
