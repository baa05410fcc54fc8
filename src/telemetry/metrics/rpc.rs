//! How long calls take, by method and by how they ended.

use std::{sync::OnceLock, time::Duration};

use opentelemetry::{KeyValue, trace::SpanContext};
use tonic::Code;

use super::{
    OTHER,
    exemplars::{BoundTracedHistogram, TracedHistogram},
    traced_duration,
};

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
    durations: TracedHistogram,
    /// Bound when a call first ends this way: most methods know three ways.
    by_code: [OnceLock<BoundTracedHistogram>; CODES.len()],
}

impl Calls {
    /// Those of the method at `path`, `/package.Service/Method`.
    pub(crate) fn of(path: &str) -> Self {
        Self {
            method: path.trim_start_matches('/').to_owned(),
            durations: traced_duration("rpc.server.call.duration", "Duration of an incoming call."),
            by_code: [const { OnceLock::new() }; CODES.len()],
        }
    }

    /// Those of all methods that nobody serves.
    pub(crate) fn of_unknown() -> Self {
        Self::of(OTHER)
    }

    /// Full name of the method.
    pub(crate) fn method(&self) -> &str {
        &self.method
    }

    /// A call has ended with `code`, as `span` tells.
    pub(crate) fn ended(&self, code: Code, after: Duration, span: &SpanContext) {
        let at = code as usize;
        let bound = self.by_code[at].get_or_init(|| self.durations.bind(&self.attributes(code)));
        bound.record(after.as_secs_f64(), span);
    }

    fn attributes(&self, code: Code) -> Vec<KeyValue> {
        let name = code_name(code);
        let mut attributes = vec![
            KeyValue::new("rpc.system.name", "grpc"),
            KeyValue::new("rpc.method", self.method.clone()),
            KeyValue::new("rpc.response.status_code", name),
        ];
        attributes.extend(error_type(code).map(|name| KeyValue::new("error.type", name)));
        attributes
    }
}

/// The code as gRPC spells it.
pub(crate) fn code_name(code: Code) -> &'static str {
    CODES[code as usize]
}

/// Why a call that ended so failed for the server, if it did, by the conventions: what a client does
/// wrong is no error of ours.
pub(crate) fn error_type(code: Code) -> Option<&'static str> {
    let is_ours = matches!(
        code,
        Code::Unknown
            | Code::DeadlineExceeded
            | Code::Unimplemented
            | Code::Internal
            | Code::Unavailable
            | Code::DataLoss
    );
    is_ours.then(|| code_name(code))
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
