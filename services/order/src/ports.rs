//! What the use cases need of the outside: a store, the making of events, a way to the broker.

use std::time::SystemTime;

use async_trait::async_trait;
use uuid::Uuid;
use waybill::{context::Context, message::Message, outbox::Entry, store::Result};

use crate::domain::Order;

/// Digest of a request's body: tells a retry from another request.
pub type Fingerprint = [u8; 32];

/// A request that changes something, as it is recognised when it comes again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Request {
    /// Made by the client, the same in every retry.
    pub id: Uuid,
    /// Of everything else in the request.
    pub fingerprint: Fingerprint,
}

/// What a request that came before has left.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Recorded {
    /// The order as it stands now.
    pub order: Order,
    /// Fingerprint of that request.
    pub fingerprint: Fingerprint,
}

/// What came of storing a new order.
#[derive(Debug)]
pub enum Insert {
    /// It is stored, and its event is in the outbox as this entry.
    Stored(Entry),
    /// A request of that id placed an order before. Nothing was stored.
    Repeated(Recorded),
}

/// What came of storing a cancellation.
#[derive(Debug)]
#[allow(
    clippy::large_enum_variant,
    reason = "it is taken apart where it is received, and never kept"
)]
pub enum Update {
    /// It is stored, and its event is in the outbox as this entry.
    Stored(Entry),
    /// The order is no longer at the version before. Nothing was stored.
    Moved,
    /// A request of that id was for another order before. The order is as it was.
    RequestUsed,
}

/// Stores orders. Each change is one atomic write of the order, the request that asked for it and
/// the event that tells of it. Placements and cancellations each have request ids of their own.
#[async_trait]
pub trait OrderRepository: Send + Sync + 'static {
    /// Stores an order that was placed, unless the request's id has placed one before. Of several
    /// calls at the same moment with one request id, one stores its order.
    async fn insert(&self, order: &Order, request: Request, event: Message) -> Result<Insert>;

    /// Stores the cancellation that is the last change of `order`, if the stored order is at the
    /// version just before it and the request's id has cancelled no other order. A
    /// store may also refuse an id that was to cancel another order and came too late.
    async fn cancel(&self, order: &Order, request: Request, event: Message) -> Result<Update>;

    /// The order that the request of this id cancelled.
    async fn cancelled_by(&self, request_id: Uuid) -> Result<Option<Recorded>>;
}

/// Where a page of a user's orders starts: after this one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Position {
    /// When it was placed.
    pub create_time: SystemTime,
    /// Its id.
    pub order_id: Uuid,
}

/// Reads orders. Every answer holds what was stored before the call.
#[async_trait]
pub trait OrderQueries: Send + Sync + 'static {
    /// The order of this id.
    async fn find(&self, order_id: Uuid) -> Result<Option<Order>>;

    /// At most `limit` orders of a user, newest first.
    async fn list(&self, user_id: Uuid, after: Option<Position>, limit: usize) -> Result<Vec<Order>>;

    /// The version at which each of these orders stands, in any order; unknown ones are left out.
    async fn versions(&self, order_ids: &[Uuid]) -> Result<Vec<(Uuid, i64)>>;
}

/// Makes the messages that tell of a change.
pub trait OrderEvents: Send + Sync + 'static {
    /// The order was placed.
    fn created(&self, order: &Order, context: &Context) -> Message;

    /// The order was cancelled.
    fn cancelled(&self, order: &Order, context: &Context) -> Message;
}

/// Takes stored events on to the broker.
pub trait EventOffers: Send + Sync + 'static {
    /// Offers a stored event for publishing now. It never waits and cannot fail: the event is in
    /// the outbox.
    fn offer(&self, entry: Entry);
}
