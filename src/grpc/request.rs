//! What the rpcs read from every request: its context, its request id, the ids in it.

use sha2::{Digest, Sha256};
use tonic::{Code, Request, Status};
use uuid::Uuid;

use super::{
    reason,
    status::{self, Violations},
};
use crate::{clock::IdGenerator, context::Context, telemetry::trace};

/// Digest of a request's body without its request id: tells a retry from another request.
pub type Fingerprint = [u8; 32];

/// The context of a call, which the server's layer has put there.
pub fn context<T>(request: &Request<T>) -> Context {
    request.extensions().get::<Context>().cloned().unwrap_or_default()
}

/// Reads the UUID of what a call is about, or notes what is wrong with it. The call's log lines and
/// spans name it from now on.
pub fn uuid(field: &str, text: &str, violations: &mut Violations) -> Uuid {
    let id = parsed(field, text, violations);
    if !id.is_nil() {
        trace::about(field, text);
    }
    id
}

fn parsed(field: &str, text: &str, violations: &mut Violations) -> Uuid {
    Uuid::try_parse(text).unwrap_or_else(|_| {
        violations.add(field, "must be a UUID");
        Uuid::nil()
    })
}

/// Reads `request_id` (AIP-155). A request without one gets an id of its own: it is never a retry.
pub fn request_id(text: &str, ids: &dyn IdGenerator, violations: &mut Violations) -> Uuid {
    match text {
        "" => ids.next_id(),
        text => parsed("request_id", text, violations),
    }
}

/// The fingerprint of a request whose request id has been taken out.
pub fn fingerprint(method: &str, body: &impl prost::Message) -> Fingerprint {
    Sha256::new()
        .chain_update(method)
        .chain_update([0])
        .chain_update(body.encode_to_vec())
        .finalize()
        .into()
}

/// The answer to a request id that came with another body before.
pub fn request_id_reused() -> Status {
    status::error(
        Code::AlreadyExists,
        reason::REQUEST_ID_REUSED,
        "request_id was used before with another request",
    )
}
