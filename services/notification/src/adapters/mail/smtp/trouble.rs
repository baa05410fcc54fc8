//! Why a server did not take a mail, and what that means for the mail.

use std::{error::Error as _, io, iter};

use lettre::transport::smtp::{
    self,
    response::{Category, Severity},
};
use tokio::time::timeout;
use tokio_rustls::rustls;

use super::TIMEOUT;
use crate::ports::mailer::Error;

/// "Service not available, closing transmission channel": the server hangs up (RFC 5321, 3.8).
const HANGS_UP: u16 = 421;

/// Why a server did not take a mail.
#[derive(Debug)]
pub(super) enum Trouble {
    /// It refused something, or the connection to it broke.
    Smtp(smtp::Error),
    /// No connection to it came about.
    Connect(io::Error),
    /// It did not reply in time.
    TimedOut,
    /// Something else went wrong before the mail's turn came.
    NotTried,
    /// It cannot take an address, or a text, beyond ASCII.
    OnlyAscii,
}

impl Trouble {
    /// Whether the server, or the network, ended the connection.
    pub(super) fn is_hang_up(&self) -> bool {
        match self {
            Self::Smtp(error) => error.status().is_none_or(|code| u16::from(code) == HANGS_UP),
            _ => false,
        }
    }

    /// Whether the server said that it does not take this, and so awaits what comes next.
    pub(super) fn is_refusal(&self) -> bool {
        match self {
            Self::Smtp(error) => error.status().is_some() && !self.is_hang_up(),
            Self::OnlyAscii => true,
            _ => false,
        }
    }

    fn io(&self) -> Option<&io::Error> {
        match self {
            Self::Smtp(error) => {
                iter::successors(error.source(), |&e| e.source()).find_map(|e| e.downcast_ref())
            }
            Self::Connect(error) => Some(error),
            _ => None,
        }
    }

    /// In our own words: replies quote addresses.
    fn describe(&self) -> String {
        let Some(error) = self.io() else {
            return match self {
                Self::TimedOut => "the server did not reply in time",
                Self::NotTried => "the server failed to take the mail before",
                _ => "the server does not speak SMTP as expected",
            }
            .to_owned();
        };
        if error.kind() == io::ErrorKind::TimedOut {
            "the server did not reply in time".to_owned()
        } else if matches!(error.get_ref(), Some(cause) if cause.is::<rustls::Error>()) {
            "no TLS connection to the server".to_owned()
        } else {
            format!("connection to the server: {}", error.kind())
        }
    }
}

impl From<smtp::Error> for Trouble {
    fn from(error: smtp::Error) -> Self {
        Self::Smtp(error)
    }
}

impl From<io::Error> for Trouble {
    fn from(error: io::Error) -> Self {
        Self::Connect(error)
    }
}

/// What `reply` gives, if it comes in time.
pub(super) async fn in_time<T, E: Into<Trouble>>(
    reply: impl Future<Output = Result<T, E>>,
) -> Result<T, Trouble> {
    match timeout(TIMEOUT, reply).await {
        Ok(reply) => reply.map_err(Into::into),
        Err(_) => Err(Trouble::TimedOut),
    }
}

/// What `trouble` means for a mail to an address that `is_ascii`. Only codes and our own words are told.
pub(super) fn refusal(trouble: &Trouble, is_ascii: bool) -> Error {
    match trouble {
        Trouble::Smtp(error) if let Some(code) = error.status() => {
            let text = format!("the server replied {code}");
            // x5x is about the mail and its recipient (RFC 5321, 4.2.1); any other refusal, as of our
            // credentials, is about us, and somebody can put it right.
            if code.severity == Severity::PermanentNegativeCompletion && code.category == Category::MailSystem
            {
                Error::Rejected(text)
            } else {
                Error::NotAccepted(text)
            }
        }
        Trouble::OnlyAscii if !is_ascii => {
            Error::Rejected("the server takes no address beyond ASCII".to_owned())
        }
        _ => Error::Unavailable(trouble.describe()),
    }
}
