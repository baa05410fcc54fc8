//! The port to whatever delivers mail.

use async_trait::async_trait;

use crate::domain::mail::Mail;

/// Why a mail was not taken. No text holds an address or a name, so a server's reply appears as its
/// code alone.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// The mailer cannot be reached, or did not answer in time. No other mail would fare better now.
    /// Whether this one was taken is not known.
    #[error("mail cannot be delivered now: {0}")]
    Unavailable(String),
    /// This mail was not taken; it may be later.
    #[error("mail was not accepted: {0}")]
    NotAccepted(String),
    /// This mail will never be taken.
    #[error("mail was rejected: {0}")]
    Rejected(String),
}

/// Delivers mail.
#[async_trait]
pub trait Mailer: Send + Sync + 'static {
    /// How many mails it takes at the same time, at least 1. More would wait for each other.
    fn at_once(&self) -> usize;

    /// Delivers one mail. `Ok` means that somebody else is now responsible for it. A mail that is
    /// sent again has the Message-ID that it had before.
    async fn send(&self, mail: &Mail) -> Result<(), Error>;
}
