//! How mail leaves.

use std::path::PathBuf;

pub use lettre::message::Mailbox;
use url::Url;

use crate::adapters::mail::SmtpMailer;

/// How mail leaves.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MailSettings {
    /// Where it goes.
    pub target: MailTarget,
    /// Whom it is from, for instance `Waybill <orders@example.com>`. Message-IDs carry its domain.
    pub from: Mailbox,
}

/// Where mail goes.
#[derive(Clone, PartialEq, Eq)]
pub enum MailTarget {
    /// Into this folder, one `.eml` file each.
    Files(PathBuf),
    /// To the SMTP server at this URL: `smtp://`, with `?tls=required` or `?tls=opportunistic` for
    /// STARTTLS, or `smtps://`. User and password may stand in it.
    Smtp(Url),
}

impl MailTarget {
    /// The SMTP server at `url`. `None` when that is no URL by which mail can be sent.
    pub fn smtp(url: &str) -> Option<Self> {
        let url = url.parse().ok()?;
        SmtpMailer::server(&url).map(|_| Self::Smtp(url))
    }

    /// Host and port of the SMTP server, if it is one.
    pub(crate) fn server(&self) -> Option<(String, u16)> {
        let Self::Smtp(url) = self else { return None };
        SmtpMailer::server(url)
    }
}

/// A URL is shown as scheme, host and port: the rest of it may be a secret.
impl std::fmt::Debug for MailTarget {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Files(folder) => f.debug_tuple("Files").field(folder).finish(),
            Self::Smtp(url) => {
                let host = url.host_str().unwrap_or_default();
                write!(f, "Smtp({}://{host}:{:?})", url.scheme(), url.port())
            }
        }
    }
}
