//! Delivers mail: to an SMTP server, or into a folder.

mod compose;
mod files;
mod observed;
mod smtp;

pub use compose::{Composed, compose};
pub use files::FileMailer;
pub use observed::ObservedMailer;
pub use smtp::{MAX_CONNECTIONS, SmtpMailer};
