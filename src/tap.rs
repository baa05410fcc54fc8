//! The port through which somebody watches events as they pass.
//!
//! A tap is a look, not a subscription. It takes nothing from any consumer, confirms nothing, keeps
//! nothing, and is gone with whoever opened it. It holds a limited number of events; when they are read
//! more slowly than they pass, the oldest are dropped and counted. No publisher and no consumer ever
//! waits for a tap.

use async_trait::async_trait;

use crate::{broker::Error, message::Message};

/// Most events that a tap holds for its reader: about a second of a busy platform. Who is further
/// behind than that does not watch, and should not cost the platform more.
pub const MAX_HELD: usize = 1000;

/// Opens taps on a broker.
#[async_trait]
pub trait Taps: Send + Sync + 'static {
    /// Watches every event that is published from now on, by whatever process: those too that no
    /// queue is bound to. What goes to a single queue, as a retry does, is no event and is not seen.
    async fn open(&self) -> Result<Box<dyn Tap>, Error>;
}

/// What one watcher sees. Dropping it ends the watch and leaves nothing behind.
#[async_trait]
pub trait Tap: Send {
    /// Waits for something to pass. Cancelling the call loses nothing. After an error, open another:
    /// what passes in between is not seen.
    async fn next(&mut self) -> Result<Passed, Error>;
}

/// What has passed since the last look. Never empty: something was missed, or there is a message.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Passed {
    /// Events that passed before `messages` and were dropped.
    pub missed: u64,
    /// Events, oldest first.
    pub messages: Vec<Message>,
}
