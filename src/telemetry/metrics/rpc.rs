//! How long calls take, by method and by how they ended.

use std::{sync::OnceLock, time::Duration};

use opentelemetry::{
    KeyValue,
    metrics::{BoundHistogram, Histogram},
};
use tonic::Code;

use super::{OTHER, duration};

/// Codes as gRPC spells them, in the order of their numbers.
const CODES: [&str; 17] = [
    "OK",
    "CANCELLED",
    "UNKNOWN",
    "INVALID_ARGUMENT",
    "DEADLINE_EXCEEDED",
    "NOT_FOUND",
    "ALREADY_EXISTS",
    "PERMISSION_DENIED",
    "RESOURCE_EXHAUSTED",
    "FAILED_PRECONDITION",
    "ABORTED",
    "OUT_OF_RANGE",
    "UNIMPLEMENTED",
    "INTERNAL",
    "UNAVAILABLE",
    "DATA_LOSS",
    "UNAUTHENTICATED",
];

/// The durations of one method's calls.
#[derive(Debug)]
pub(crate) struct Calls {
    method: String,
    durations: Histogram<f64>,
    /// Bound when a call first ends this way: most methods know three ways.
    by_code: [OnceLock<BoundHistogram<f64>>; CODES.len()],
}

impl Calls {
    /// Those of the method at `path`, `/package.Service/Method`.
    pub(crate) fn of(path: &str) -> Self {
        Self {
            method: path.trim_start_matches('/').to_owned(),
            durations: duration("rpc.server.call.duration", "Duration of an incoming call."),
            by_code: [const { OnceLock::new() }; CODES.len()],
        }
    }

    /// Those of all methods that nobody serves.
    pub(crate) fn of_unknown() -> Self {
        Self::of(OTHER)
    }

    /// A call has ended with `code`.
    pub(crate) fn ended(&self, code: Code, after: Duration) {
        let at = code as usize;
        let bound = self.by_code[at].get_or_init(|| self.durations.bind(&self.attributes(code)));
        bound.record(after.as_secs_f64());
    }

    fn attributes(&self, code: Code) -> Vec<KeyValue> {
        let name = CODES[code as usize];
        let mut attributes = vec![
            KeyValue::new("rpc.system.name", "grpc"),
            KeyValue::new("rpc.method", self.method.clone()),
            KeyValue::new("rpc.response.status_code", name),
        ];
        if is_servers_fault(code) {
            attributes.push(KeyValue::new("error.type", name));
        }
        attributes
    }
}

/// Whether a call that ended so failed for the server, by the conventions: what a client does wrong
/// is no error of ours.
fn is_servers_fault(code: Code) -> bool {
    matches!(
        code,
        Code::Unknown
            | Code::DeadlineExceeded
            | Code::Unimplemented
            | Code::Internal
            | Code::Unavailable
            | Code::DataLoss
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_have_the_names_that_grpc_gives_them() {
        for (number, name) in CODES.iter().enumerate() {
            let code = Code::from(i32::try_from(number).unwrap());
            assert_eq!(code as usize, number);
            let camel: String = format!("{code:?}").to_uppercase();
            assert_eq!(camel, name.replace('_', ""));
        }
    }
}
