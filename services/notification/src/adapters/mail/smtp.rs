//! Mail over SMTP.

mod connections;
mod gathered;
mod line;
#[cfg(test)]
mod peer;
mod server;
mod session;
mod stream;
mod trouble;

use std::{fmt, time::Duration};

use async_trait::async_trait;
use lettre::message::Mailbox;
use url::Url;
use waybill::store;

use self::{
    connections::{Connections, Unused},
    line::Line,
    server::Server,
    trouble::refusal,
};
use super::compose::compose;
use crate::{
    domain::mail::Mail,
    ports::mailer::{Error, Mailer},
};

/// Connections to one server, and so messages on their way at the same time: enough to hide its latency, few
/// enough for servers that limit connections a client (10 to 20 are common).
pub const MAX_CONNECTIONS: usize = 8;

/// Mails that are waited for at a time: for each connection the one that it carries, and the next, which is announced
/// with it.
const MAX_WAITING: usize = 2 * MAX_CONNECTIONS;

/// How long the server may take for one reply. A server that takes the mail and replies later gets it
/// again, under the same Message-ID. RFC 5321 asks for minutes; a stop has 10 s.
const TIMEOUT: Duration = Duration::from_secs(8);

/// A connection is kept for less than servers commonly allow (5 minutes).
const UNUSED: Unused = Unused {
    without_asking: Duration::from_secs(1),
    at_most: Duration::from_mins(1),
};

/// Hands mail to one server, over connections that are used again.
pub struct SmtpMailer {
    line: Line,
    from: Mailbox,
}

impl SmtpMailer {
    /// Host and port of the server at `url`. `None` when that names no server or no way to talk to it.
    pub fn server(url: &Url) -> Option<(String, u16)> {
        let server = Server::at(url)?;
        Some((server.host, server.port))
    }

    /// Sends to the server at `url`. It connects when there is something to send. Must be called inside
    /// a tokio runtime.
    pub fn new(url: &Url, from: Mailbox) -> store::Result<Self> {
        // Of the URL itself nothing is told: it may hold a password.
        let server = Server::at(url)
            .ok_or_else(|| store::Error::Failed("the SMTP URL is none that can be used".to_owned()))?;
        Ok(Self {
            line: Line::over(Connections::new(server, UNUSED)),
            from,
        })
    }
}

/// What the server is talked to with is a secret.
impl fmt::Debug for SmtpMailer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SmtpMailer").finish_non_exhaustive()
    }
}

#[async_trait]
impl Mailer for SmtpMailer {
    fn at_once(&self) -> usize {
        MAX_WAITING
    }

    async fn send(&self, mail: &Mail) -> Result<(), Error> {
        let composed = compose(&self.from, mail)?;
        self.line
            .send(composed)
            .await
            .map_err(|trouble| refusal(&trouble, mail.to_email.is_ascii()))
    }
}
