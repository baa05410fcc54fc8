//! The broker's topology: which exchanges and queues there are, and what they are called.
//!
//! ```text
//! waybill.events (topic) ──binding──▶ QUEUE ──consumer
//!        │ no binding                  ▲  │ transient          │ permanent, or out of attempts
//!        ▼                             │  ▼                    ▼
//! waybill.unrouted (fanout)     QUEUE.wait.MILLIS         QUEUE.dead
//!        ▼
//! waybill.unrouted (queue)
//! ```
//!
//! Adapters declare what is described here and know of no other name.

use std::time::Duration;

use crate::{contract::Event, retry::RetryPolicy};

/// Topic exchange to which every event is published.
pub const EVENTS_EXCHANGE: &str = "waybill.events";

/// Alternate exchange of [`EVENTS_EXCHANGE`], and the one queue behind it: what no binding wanted.
pub const UNROUTED: &str = "waybill.unrouted";

/// Most messages that a queue holds; the broker then refuses more and the outbox keeps them.
/// Large enough for a day's outage of a consumer at 100 events/s, small enough for one disk.
pub const MAX_QUEUE_LENGTH: u32 = 10_000_000;

/// Largest body, in bytes. An order of 500 items takes under 100 KB; RabbitMQ 4's own limit is 16 MiB.
pub const MAX_BODY_BYTES: usize = 1024 * 1024;

/// How often the broker may hand out a message whose consumer died with it, before it becomes a
/// dead letter: RabbitMQ 4's default, set explicitly because 3.x has none.
pub const DELIVERY_LIMIT: u32 = 20;

/// Unacknowledged messages at a consumer, and its largest batch, which from RabbitMQ is half of them. Quorum
/// queues cap it at 2,000 and gain little above 300.
pub const DEFAULT_PREFETCH: u16 = 256;

/// One consumer's queue: what it is called, what it receives, and how it deals with failure.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Subscription {
    /// Name of the queue, and of the consumer in headers, logs and metrics: `waybill.{service}.{what}`.
    pub queue: String,
    /// Routing keys that it receives.
    pub routing_keys: Vec<&'static str>,
    /// How often and how soon a message is tried again.
    pub retry: RetryPolicy,
    /// Unacknowledged messages at one consumer; 1 to 2,000.
    pub prefetch: u16,
}

impl Subscription {
    /// A queue of this name that receives nothing yet.
    pub fn new(queue: impl Into<String>) -> Self {
        Self {
            queue: queue.into(),
            routing_keys: Vec::new(),
            retry: RetryPolicy::default(),
            prefetch: DEFAULT_PREFETCH,
        }
    }

    /// Receives events of type `E` too.
    #[must_use]
    pub fn to<E: Event>(mut self) -> Self {
        self.routing_keys.push(E::ROUTING_KEY);
        self
    }

    /// Retries by another policy.
    #[must_use]
    pub fn retrying(mut self, retry: RetryPolicy) -> Self {
        self.retry = retry;
        self
    }

    /// Has at most `prefetch` messages at a time.
    #[must_use]
    pub fn prefetching(mut self, prefetch: u16) -> Self {
        self.prefetch = prefetch;
        self
    }

    /// Name of the queue of messages that this consumer gave up.
    pub fn dead_letter_queue(&self) -> String {
        format!("{}.dead", self.queue)
    }

    /// Name of the queue in which messages wait for `delay` before they come back.
    pub fn wait_queue(&self, delay: Duration) -> String {
        format!("{}.wait.{}", self.queue, delay.as_millis())
    }
}
