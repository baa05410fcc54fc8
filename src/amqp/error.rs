//! What a lapin error means to the ports.

use std::time::Duration;

use lapin::{
    ErrorKind,
    protocol::{AMQPErrorKind, AMQPSoftError},
};

use crate::broker::Error;

/// The broker cannot be used now.
pub(super) fn unavailable(error: lapin::Error) -> Error {
    Error::Unavailable(error.to_string())
}

/// The declaration of `name` failed.
pub(super) fn declaring(name: &str, error: lapin::Error) -> Error {
    match error.kind() {
        ErrorKind::ProtocolError(refusal)
            if *refusal.kind() == AMQPErrorKind::Soft(AMQPSoftError::PRECONDITIONFAILED) =>
        {
            Error::Mismatch {
                name: name.to_owned(),
                detail: refusal.get_message().to_string(),
            }
        }
        _ => unavailable(error),
    }
}

/// Gives up on `work` after `limit`.
pub(super) async fn within<T>(
    limit: Duration,
    work: impl Future<Output = Result<T, Error>>,
) -> Result<T, Error> {
    let answered = tokio::time::timeout(limit, work).await;
    answered.unwrap_or_else(|_| Err(Error::Unavailable(format!("no answer within {limit:?}"))))
}
