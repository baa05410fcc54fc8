//! What the use cases need from outside.

pub mod contacts;
pub mod mailer;
pub mod notifications;
