//! What the use cases need of a database and of the wire. Adapters implement it.

use async_trait::async_trait;
use uuid::Uuid;
use waybill::{context::Context, grpc::page::Cursor, message::Message, outbox::Entry, store::Result};

use crate::domain::{
    stats::OrderStats,
    user::{User, UserEvent},
};

/// Writes an event as the message that carries it, under this event id and in this context.
pub type WriteEvent = fn(&UserEvent, Uuid, &Context) -> Message;

/// A request as its client numbered it: what tells a retry from a new request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RequestKey {
    /// The same in every retry.
    pub id: Uuid,
    /// Digest of the method and the body: another one under the same id is another request.
    pub fingerprint: [u8; 32],
}

/// A registration, and what it was answered with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Registration {
    /// Who asked for it.
    pub request: RequestKey,
    /// The user at version 1.
    pub user: User,
}

/// What became of a registration.
#[derive(Debug, Clone, PartialEq)]
pub enum Registered {
    /// The user is stored, with this entry in the outbox.
    Stored(Entry),
    /// A request of that id was there before; nothing is stored. It may have had another fingerprint.
    Before(Registration),
    /// Another user has the address; nothing is stored.
    EmailTaken,
}

/// What became of a change.
#[expect(
    clippy::large_enum_variant,
    reason = "it is handed over once, and mostly as the large variant"
)]
#[derive(Debug, Clone, PartialEq)]
pub enum Changed {
    /// The user is stored, with this entry in the outbox.
    Stored(Entry),
    /// The stored user is not the version before; nothing is stored.
    Conflict,
    /// Another user has the address; nothing is stored.
    EmailTaken,
}

/// A user as stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredUser {
    /// The user.
    pub user: User,
    /// The request that made this version; `None` for the first.
    pub latest_change: Option<RequestKey>,
}

/// Keeps users. A user, what is remembered of the requests that made it, and its unpublished events
/// are written as one, atomically.
#[async_trait]
pub trait UserRepository: Send + Sync + 'static {
    /// Stores a new user and the event of it. Of registrations with one request id, or with
    /// addresses that count as one, the first to arrive wins, also among those made at the same time.
    async fn register(&self, registration: &Registration, event: Message) -> Result<Registered>;

    /// Stores the next version of a user and the event of it, if the version before is still there.
    async fn change(&self, user: &User, request: RequestKey, event: Message) -> Result<Changed>;

    /// The user of that id.
    async fn find(&self, user_id: Uuid) -> Result<Option<StoredUser>>;

    /// Users by creation time and id, newest first, starting after `after`, at most `limit`.
    async fn list(&self, after: Option<Cursor>, limit: usize) -> Result<Vec<User>>;
}

/// Shows statistics. They are written by the consumer of order events, through an
/// [`Inbox`](waybill::inbox::Inbox) of [`StatsChange`](crate::domain::stats::StatsChange).
#[async_trait]
pub trait StatsRepository: Send + Sync + 'static {
    /// What the orders of that user come to; `None` before the first event about one. The user need
    /// not be registered.
    async fn find(&self, user_id: Uuid) -> Result<Option<OrderStats>>;
}
