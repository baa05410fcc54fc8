//! The port through which messages reach a broker.

use async_trait::async_trait;

use crate::message::Message;

/// Where a message goes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Destination {
    /// To every queue bound to the message's routing key.
    Events,
    /// To this queue alone.
    Queue(String),
}

/// One message and where it goes.
#[derive(Debug, Clone, PartialEq)]
pub struct Publication {
    /// Where it goes.
    pub destination: Destination,
    /// What goes there.
    pub message: Message,
}

/// Why a message was not published.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// The broker cannot be reached, or the channel closed before it confirmed. Whether it has the
    /// message is not known.
    #[error("broker is unavailable: {0}")]
    Unavailable(String),
    /// The broker refused the message, as a full queue does. It may take it later.
    #[error("broker refused the message")]
    Refused,
    /// No queue takes the message, not even the one for what no binding wanted.
    #[error("no queue takes routing key {0}")]
    Unroutable(String),
    /// The message is larger than [`MAX_BODY_BYTES`](crate::topology::MAX_BODY_BYTES).
    #[error("body of {bytes} bytes is larger than {max}")]
    TooLarge {
        /// Its size.
        bytes: usize,
        /// The limit.
        max: usize,
    },
}

impl Error {
    /// Its kind in one word, for metrics and spans.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Unavailable(_) => "unavailable",
            Self::Refused => "refused",
            Self::Unroutable(_) => "unroutable",
            Self::TooLarge { .. } => "too_large",
        }
    }
}

/// Publishes messages.
///
/// `publish` returns when the broker has confirmed each message, so that an `Ok` survives a crash of
/// the broker, or has said why not. Results stand in the order of the batch; one message's failure
/// leaves the others alone. After an error the broker may still have the message: receivers drop
/// what they have seen. While the broker is away it answers [`Error::Unavailable`] within seconds;
/// it reconnects by itself.
#[async_trait]
pub trait Publisher: Send + Sync + 'static {
    /// Publishes a batch, persistently.
    async fn publish(&self, batch: Vec<Publication>) -> Vec<Result<(), Error>>;
}
