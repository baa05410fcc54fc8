//! Errors that no handler made, and what a client should hear instead.
//!
//! tonic answers by itself when there is no such method, when bytes are no message, or when a
//! message is too large. Its codes blame the server for some of these, and none has details.

use http::HeaderMap;
use tonic::{Code, Status};
use tonic_types::StatusExt;

use crate::grpc::{
    reason::{self, DOMAIN},
    status,
};

/// How tonic's words begin when it cannot read a request. All come with INTERNAL.
const UNREADABLE: [&str; 5] = [
    "failed to decode Protobuf message",
    "Missing request message",
    "Unexpected EOF decoding stream",
    "protocol error: received message",
    "Error decompressing",
];

/// How tonic's words begin when a message is over its limit. They come with OUT_OF_RANGE.
const TOO_LARGE: &str = "Error, decoded message length too large";

/// Puts `ErrorInfo` into the error that stands in `headers`, if one does that has none. Answers the
/// code that the client will see; `None` when there is no status in `headers`.
pub(super) fn complete(headers: &mut HeaderMap, path: &str) -> Option<Code> {
    let status = Status::from_header_map(headers)?;
    if status.code() == Code::Ok {
        return Some(Code::Ok);
    }
    let mut details = status.get_error_details();
    if details.error_info().is_some() {
        return Some(status.code());
    }
    let (code, reason, message) = explain(&status, path);
    details.set_error_info(reason, DOMAIN, []);
    let completed = Status::with_error_details(code, message, details);
    set(headers, &completed);
    Some(code)
}

/// Writes `status` over whatever status stands in `headers`.
pub(super) fn set(headers: &mut HeaderMap, status: &Status) {
    if let Err(error) = status.add_header(headers) {
        tracing::error!(%error, "a status does not fit into headers");
    }
}

/// The status of a handler that panicked.
pub(super) fn panicked() -> Status {
    status::error(Code::Internal, reason::INTERNAL, "internal error")
}

fn explain(status: &Status, path: &str) -> (Code, &'static str, String) {
    let message = status.message().to_owned();
    match status.code() {
        Code::Unimplemented if message.is_empty() => {
            let message = format!("there is no method {path}");
            (Code::Unimplemented, reason::METHOD_UNKNOWN, message)
        }
        Code::Unimplemented => (Code::Unimplemented, reason::METHOD_UNKNOWN, message),
        Code::OutOfRange if message.starts_with(TOO_LARGE) => {
            (Code::ResourceExhausted, reason::MESSAGE_TOO_LARGE, message)
        }
        Code::Internal if UNREADABLE.iter().any(|words| message.starts_with(words)) => {
            (Code::InvalidArgument, reason::MALFORMED_MESSAGE, message)
        }
        Code::Internal | Code::Unknown => (Code::Internal, reason::INTERNAL, message),
        Code::NotFound => (Code::NotFound, reason::NAME_UNKNOWN, message),
        Code::DeadlineExceeded => (Code::DeadlineExceeded, reason::DEADLINE_EXCEEDED, message),
        code => (code, reason::UNSPECIFIED, message),
    }
}
