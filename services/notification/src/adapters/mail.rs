//! Delivers mail: to an SMTP server, or into a folder.

mod compose;
mod files;
mod smtp;

pub use files::FileMailer;
pub use smtp::SmtpMailer;
