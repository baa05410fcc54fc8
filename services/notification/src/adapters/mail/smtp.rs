//! Mail over SMTP.

use std::{error::Error as _, io, time::Duration};

use async_trait::async_trait;
use lettre::{
    AsyncSmtpTransport, AsyncTransport, Tokio1Executor,
    message::Mailbox,
    transport::smtp::{
        self, PoolConfig,
        response::{Category, Severity},
    },
};
use url::Url;
use waybill::store;

use super::compose::compose;
use crate::{
    app::notify::MAX_SENDING,
    domain::mail::Mail,
    ports::mailer::{Error, Mailer},
};

/// How long the server may take for one reply. A server that takes the mail and replies later gets it
/// again, under the same Message-ID. RFC 5321 asks for minutes; a stop has 10 s.
const TIMEOUT: Duration = Duration::from_secs(8);

/// How long a connection that nobody uses is kept: below what servers commonly allow (5 minutes).
const IDLE_TIMEOUT: Duration = Duration::from_mins(1);

/// Hands mail to one server, over connections that are used again.
#[derive(Debug)]
pub struct SmtpMailer {
    transport: AsyncSmtpTransport<Tokio1Executor>,
    from: Mailbox,
}

impl SmtpMailer {
    /// Whether `url` names a server and a way to talk to it.
    pub fn takes(url: &Url) -> bool {
        AsyncSmtpTransport::<Tokio1Executor>::from_url(url.as_str()).is_ok()
    }

    /// Sends to the server at `url`. It connects when there is something to send.
    pub fn new(url: &Url, from: Mailbox) -> store::Result<Self> {
        // Of the URL itself nothing is told: it may hold a password.
        let transport = AsyncSmtpTransport::<Tokio1Executor>::from_url(url.as_str())
            .map_err(|_| store::Error::Failed("the SMTP URL is none that can be used".to_owned()))?
            .timeout(Some(TIMEOUT))
            .pool_config(connections())
            .build();
        Ok(Self { transport, from })
    }
}

fn connections() -> PoolConfig {
    let max = u32::try_from(MAX_SENDING).unwrap_or(u32::MAX);
    PoolConfig::new().max_size(max).idle_timeout(IDLE_TIMEOUT)
}

#[async_trait]
impl Mailer for SmtpMailer {
    async fn send(&self, mail: &Mail) -> Result<(), Error> {
        let message = compose(&self.from, mail)?;
        match self.transport.send(message).await {
            Ok(_) => Ok(()),
            Err(error) => Err(refusal(&error, mail.to_email.is_ascii())),
        }
    }
}

/// What a failure means for the mail. Only codes and our own words are told: replies quote addresses.
fn refusal(error: &smtp::Error, is_ascii: bool) -> Error {
    if let Some(code) = error.status() {
        let text = format!("the server replied {code}");
        // x5x is about the mail and its recipient (RFC 5321, 4.2.1); any other refusal, as of our
        // credentials, is about us, and somebody can put it right.
        return if code.severity == Severity::PermanentNegativeCompletion
            && code.category == Category::MailSystem
        {
            Error::Rejected(text)
        } else {
            Error::NotAccepted(text)
        };
    }
    if error.is_client() && !is_ascii {
        return Error::Rejected("the server takes no address beyond ASCII".to_owned());
    }
    Error::Unavailable(trouble(error))
}

fn trouble(error: &smtp::Error) -> String {
    let io_error =
        std::iter::successors(error.source(), |&e| e.source()).find_map(|e| e.downcast_ref::<io::Error>());
    if error.is_timeout() {
        "the server did not reply in time".to_owned()
    } else if error.is_tls() {
        "no TLS connection to the server".to_owned()
    } else if let Some(io_error) = io_error {
        format!("connection to the server: {}", io_error.kind())
    } else {
        "the server does not speak SMTP as expected".to_owned()
    }
}
