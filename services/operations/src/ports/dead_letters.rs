//! The ports to what consumers gave up: in, and out.

use async_trait::async_trait;
use uuid::Uuid;
use waybill::{grpc::page::Page, message::Message, store::Result};

use crate::domain::{
    dead_letter::{DeadLetter, Failed, Phase},
    filter::{Cause, Filter},
};

/// Takes failures in.
#[async_trait]
pub trait Intake: Send + Sync + 'static {
    /// Keeps failures in their order, as [`DeadLetter::failed_again`] says of letters that are known. When this
    /// returns `Ok`, they are kept; a repeat changes nothing.
    async fn record(&self, failures: &[Failed]) -> Result<()>;
}

/// What is kept.
#[async_trait]
pub trait DeadLetters: Send + Sync + 'static {
    /// One letter, with its message.
    async fn get(&self, id: Uuid) -> Result<Option<(DeadLetter, Message)>>;

    /// One page of letters, the last to fail first, and one letter more if there are more. Messages
    /// are not read.
    async fn list(&self, phase: Phase, filter: &Filter, page: Page) -> Result<Vec<DeadLetter>>;

    /// Counts by cause of the newest `limit` open letters that match, in no order.
    async fn causes(&self, filter: &Filter, limit: usize) -> Result<Vec<Cause>>;

    /// How many of the letters of these ids wait.
    async fn waiting(&self, ids: &[Uuid]) -> Result<u64>;
}
