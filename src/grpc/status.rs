//! Errors as a client sees them: a code, a text, and `google.rpc` details that a program can read.
//!
//! UNAVAILABLE alone invites a retry. This is the one place that knows how a store's error looks to
//! a client.

use std::collections::HashMap;

use tonic::{Code, Status};
use tonic_types::{ErrorDetails, StatusExt};

use super::reason::{self, DOMAIN};
use crate::store;

/// A status with `ErrorInfo`.
pub fn error(code: Code, reason: &str, message: impl Into<String>) -> Status {
    error_with(code, reason, message, HashMap::new())
}

/// A status with `ErrorInfo` that carries metadata, for instance the id that was not found.
pub fn error_with(
    code: Code,
    reason: &str,
    message: impl Into<String>,
    metadata: impl Into<HashMap<String, String>>,
) -> Status {
    let details = ErrorDetails::with_error_info(reason, DOMAIN, metadata);
    Status::with_error_details(code, message, details)
}

/// What a client sees of a store's error. Its text stays in the log.
pub fn store_error(error: &store::Error) -> Status {
    tracing::warn!(%error, "call failed on its store");
    match error {
        store::Error::Unavailable(_) => self::error(
            Code::Unavailable,
            reason::STORE_UNAVAILABLE,
            "the database cannot be reached, try again",
        ),
        store::Error::Failed(_) => self::error(Code::Internal, reason::INTERNAL, "internal error"),
    }
}

/// Collects what is wrong with a request, so that a client hears of every bad field at once.
#[derive(Debug, Default)]
pub struct Violations {
    details: ErrorDetails,
    first: Option<String>,
    count: usize,
}

/// Most violations in one answer: 500 items may each have several, and an answer's headers are
/// limited to about 8 KiB by common proxies.
pub const MAX_VIOLATIONS: usize = 20;

impl Violations {
    /// Notes that `field` does not hold what it must; `takes` says what it takes, for instance
    /// `must be 1 to 10,000`.
    pub fn add(&mut self, field: impl Into<String>, takes: impl Into<String>) {
        let (field, takes) = (field.into(), takes.into());
        self.first.get_or_insert_with(|| format!("{field} {takes}"));
        if self.count < MAX_VIOLATIONS {
            self.details.add_bad_request_violation(field, takes);
        }
        self.count += 1;
    }

    /// Whether nothing was noted.
    pub fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// `Ok` when nothing was noted, else INVALID_ARGUMENT with everything that was.
    pub fn into_result(mut self) -> Result<(), Status> {
        let Some(first) = self.first else {
            return Ok(());
        };
        let message = match self.count {
            1 => first,
            n => format!("{first} (and {} more)", n - 1),
        };
        self.details
            .set_error_info(reason::INVALID_FIELD, DOMAIN, HashMap::new());
        Err(Status::with_error_details(
            Code::InvalidArgument,
            message,
            self.details,
        ))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_bad_field_is_named_beside_the_error_info() {
        let mut violations = Violations::default();
        violations.add("user_id", "must be a UUID");
        violations.add("items", "must not be empty");
        let status = violations.into_result().unwrap_err();
        assert_eq!(status.code(), Code::InvalidArgument);
        assert_eq!(status.message(), "user_id must be a UUID (and 1 more)");
        let details = status.get_error_details();
        assert_eq!(details.error_info().unwrap().reason, reason::INVALID_FIELD);
        let fields: Vec<_> = details
            .bad_request()
            .unwrap()
            .field_violations
            .iter()
            .map(|v| v.field.as_str())
            .collect();
        assert_eq!(fields, ["user_id", "items"]);
    }

    #[test]
    fn a_stores_words_do_not_reach_the_client() {
        let status = store_error(&store::Error::Failed("secret host".into()));
        assert_eq!(
            (status.code(), status.message()),
            (Code::Internal, "internal error")
        );
    }
}
