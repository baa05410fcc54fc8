//! The port through which consumers reach a broker.

use std::sync::Arc;

use async_trait::async_trait;

use crate::{message::Message, publisher::Publisher, topology::Subscription};

/// Why a broker did not do what it was asked.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// The broker cannot be reached, or the subscription broke: subscribe again.
    #[error("broker is unavailable: {0}")]
    Unavailable(String),
    /// The broker has a queue or exchange of this name with other arguments.
    #[error("{name} exists with other arguments: {detail}; delete it, or give it another name")]
    Mismatch {
        /// Queue or exchange.
        name: String,
        /// What the broker says.
        detail: String,
    },
}

/// Where messages go through, as telemetry names it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Endpoint {
    /// What kind of broker it is, `messaging.system` of the semantic conventions.
    pub system: &'static str,
    /// Host and port of the server that it is reached at; `None` for a broker within the process.
    pub server: Option<(String, u16)>,
}

impl Endpoint {
    /// A broker within the process.
    pub const EMBEDDED: Self = Self {
        system: "waybill",
        server: None,
    };
}

/// A broker.
#[async_trait]
pub trait Broker: Send + Sync + 'static {
    /// Declares the exchanges, the subscription's queue with its bindings, its wait queues and its
    /// dead-letter queue. What is there already and the same is left as it is.
    async fn declare(&self, subscription: &Subscription) -> Result<(), Error>;

    /// Starts to receive from a declared queue. Several subscribers of one queue share its messages.
    async fn subscribe(&self, subscription: &Subscription) -> Result<Box<dyn Deliveries>, Error>;

    /// Publishes to this broker.
    fn publisher(&self) -> Arc<dyn Publisher>;

    /// `Ok` when the broker can be reached now.
    async fn check(&self) -> Result<(), Error>;

    /// Where it is, for telemetry.
    fn endpoint(&self) -> Endpoint {
        Endpoint::EMBEDDED
    }
}

/// What one subscriber receives. Dropping it hands back whatever was not acknowledged.
#[async_trait]
pub trait Deliveries: Send {
    /// Waits for a message, then takes what else is there already, `max` at most. Cancelling the
    /// call loses nothing. At most one batch is out at a time: settle it, or drop `self`, before
    /// asking for the next.
    async fn next(&mut self, max: usize) -> Result<Batch, Error>;
}

/// Messages received together, oldest first, and never none.
pub struct Batch {
    /// The messages.
    pub messages: Vec<Message>,
    /// The promise to the broker that they are dealt with.
    pub acknowledgement: Box<dyn Acknowledgement>,
}

impl std::fmt::Debug for Batch {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Batch")
            .field("messages", &self.messages.len())
            .finish_non_exhaustive()
    }
}

/// Acknowledges a whole batch at once. Acknowledging twice does not compile.
#[async_trait]
pub trait Acknowledgement: Send {
    /// Tells the broker that every message of the batch is dealt with.
    async fn ack(self: Box<Self>) -> Result<(), Error>;
}
