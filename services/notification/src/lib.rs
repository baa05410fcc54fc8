//! The notification service: it mails users about their orders, and shows what it mailed.
//!
//! It learns everything from events: addresses from those of users, what to say from those of
//! orders. Nobody calls it to send something, and it calls no other service.
//!
//! [`domain`] ← [`ports`] ← [`app`] ← [`adapters`] ← [`service`].

pub mod adapters;
pub mod app;
pub mod domain;
pub mod ports;
mod settings;
mod wiring;

pub use settings::{MailSettings, MailTarget, Mailbox};
pub use wiring::{publishes, service, subscriptions};
