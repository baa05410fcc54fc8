//! How long is remembered what somebody might send again.

use std::time::Duration;

const DAY: Duration = Duration::from_hours(24);

/// Least time for which an inbox remembers: a dead letter is kept for 30 days after its last failure and may
/// be sent back on the last of them, and then takes its retries.
pub const MIN_INBOX: Duration = Duration::from_hours(31 * 24);

/// Most that anything is remembered: ten years.
pub const MAX: Duration = Duration::from_hours(3650 * 24);

/// How long each is remembered. A change holds for what is stored from then on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Retention {
    /// That an event was handled. An event that comes again after that has its effect again.
    pub inbox: Duration,
    /// That a mail was sent, and what it was. The record is what keeps it from being sent twice, so it is
    /// kept at least as long as that an event was handled.
    pub notifications: Duration,
}

impl Default for Retention {
    /// A quarter for events; a year and a month for mails, so that last year's can still be looked up.
    fn default() -> Self {
        Self {
            inbox: 90 * DAY,
            notifications: 400 * DAY,
        }
    }
}
