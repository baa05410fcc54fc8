//! What a store's callers hear of a driver's error.
//!
//! Texts of the server are not passed on: they quote documents and keys, so personal data. Its code
//! and the code's name say what an operator needs.

use mongodb::error::{
    Error as DriverError, ErrorKind, RETRYABLE_WRITE_ERROR, TRANSIENT_TRANSACTION_ERROR,
    UNKNOWN_TRANSACTION_COMMIT_RESULT, WriteFailure,
};

use crate::store::Error;

/// `DuplicateKey`.
pub(super) const DUPLICATE_KEY: i32 = 11_000;

/// `IllegalOperation`: among others, what a standalone server says to a transaction.
const ILLEGAL_OPERATION: i32 = 20;

/// Codes that say "not now": shutting down, changing the primary, out of time, in each other's way.
/// The names are those of the server's `error_codes.yml`.
const TRANSIENT: [i32; 19] = [
    6,      // HostUnreachable
    7,      // HostNotFound
    24,     // LockTimeout
    50,     // MaxTimeMSExpired
    64,     // WriteConcernTimeout
    89,     // NetworkTimeout
    91,     // ShutdownInProgress
    100,    // UnsatisfiableWriteConcern
    112,    // WriteConflict
    134,    // ReadConcernMajorityNotAvailableYet
    189,    // PrimarySteppedDown
    251,    // NoSuchTransaction
    262,    // ExceededTimeLimit
    9001,   // SocketException
    10_107, // NotWritablePrimary
    11_600, // InterruptedAtShutdown
    11_602, // InterruptedDueToReplStateChange
    13_435, // NotPrimaryNoSecondaryOk
    13_436, // NotPrimaryOrSecondary
];

/// What a store's callers hear of a driver's error.
pub fn store_error(error: DriverError) -> Error {
    let text = text(&error);
    if is_transient(&error) {
        Error::Unavailable(text)
    } else {
        Error::Failed(text)
    }
}

/// Whether a write met a document with the same key, of `_id` or of a unique index.
pub fn is_duplicate_key(error: &DriverError) -> bool {
    server_error(error).is_some_and(|(code, _)| code == DUPLICATE_KEY)
}

/// Whether no server could be found in time: another attempt at once would only wait as long again.
pub(super) fn is_away(error: &DriverError) -> bool {
    matches!(*error.kind, ErrorKind::ServerSelection { .. })
}

/// Whether the way to the server was lost.
pub(super) fn is_cut_off(error: &DriverError) -> bool {
    is_away(error)
        || matches!(
            *error.kind,
            ErrorKind::Io(_) | ErrorKind::ConnectionPoolCleared { .. }
        )
}

/// Whether the same call may succeed later.
pub(super) fn is_transient(error: &DriverError) -> bool {
    is_cut_off(error)
        || matches!(*error.kind, ErrorKind::DnsResolve { .. })
        || [
            RETRYABLE_WRITE_ERROR,
            TRANSIENT_TRANSACTION_ERROR,
            UNKNOWN_TRANSACTION_COMMIT_RESULT,
        ]
        .iter()
        .any(|label| error.contains_label(label))
        || server_error(error).is_some_and(|(code, _)| TRANSIENT.contains(&code))
}

fn text(error: &DriverError) -> String {
    match server_error(error) {
        Some((ILLEGAL_OPERATION, _)) => {
            "MongoDB refused the operation; transactions need a replica set, and one node is enough for one"
                .to_owned()
        }
        Some((code, name)) => format!("MongoDB answered with error {code} {name}")
            .trim_end()
            .to_owned(),
        None => match &*error.kind {
            ErrorKind::Bson(_) => "a document of MongoDB does not have the form that is expected".to_owned(),
            ErrorKind::ConnectionPoolCleared { .. } => "the connections to MongoDB were lost".to_owned(),
            kind => kind.to_string(),
        },
    }
}

/// Code and name of what the server answered; of several write errors, the first.
fn server_error(error: &DriverError) -> Option<(i32, &str)> {
    match &*error.kind {
        ErrorKind::Command(e) => Some((e.code, &e.code_name)),
        ErrorKind::Write(WriteFailure::WriteError(e)) => Some((e.code, name(e.code_name.as_ref()))),
        ErrorKind::Write(WriteFailure::WriteConcernError(e)) => Some((e.code, &e.code_name)),
        ErrorKind::InsertMany(e) => {
            let write = e.write_errors.iter().flatten().next();
            let concern = e.write_concern_error.as_ref();
            write
                .map(|e| (e.code, name(e.code_name.as_ref())))
                .or(concern.map(|e| (e.code, e.code_name.as_str())))
        }
        _ => None,
    }
}

fn name(name: Option<&String>) -> &str {
    name.map_or("", String::as_str)
}

#[cfg(test)]
mod tests {
    use mongodb::{
        bson::{deserialize_from_document, doc},
        error::CommandError,
    };

    use super::*;

    fn answered(code: i32, name: &str, text: &str) -> DriverError {
        let error: CommandError =
            deserialize_from_document(doc! {"code": code, "codeName": name, "errmsg": text}).unwrap();
        ErrorKind::Command(error).into()
    }

    #[test]
    fn what_passes_is_unavailable_and_what_stays_is_failed() {
        for code in TRANSIENT {
            assert!(store_error(answered(code, "", "")).is_transient(), "{code}");
        }
        assert!(!store_error(answered(DUPLICATE_KEY, "DuplicateKey", "")).is_transient());
        assert!(!store_error(DriverError::custom("told to fail".to_owned())).is_transient());
        let refused = std::io::Error::from(std::io::ErrorKind::ConnectionRefused);
        assert!(store_error(refused.into()).is_transient());
    }

    #[test]
    fn a_standalone_server_is_told_apart() {
        let text = "Transaction numbers are only allowed on a replica set member or mongos";
        let error = store_error(answered(20, "IllegalOperation", text));
        assert!(matches!(&error, Error::Failed(text) if text.contains("replica set")));
    }

    #[test]
    fn what_the_server_quotes_is_not_passed_on() {
        let text = "E11000 duplicate key error collection: users dup key: { email: \"ada@example.org\" }";
        let error = answered(DUPLICATE_KEY, "DuplicateKey", text);
        assert!(is_duplicate_key(&error));
        assert_eq!(
            store_error(error).to_string(),
            "store failed: MongoDB answered with error 11000 DuplicateKey"
        );
    }
}
