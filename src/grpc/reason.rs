//! Reasons in `google.rpc.ErrorInfo`: stable names that clients may branch on.
//!
//! `docs/errors.md` tells what each means to a client. Names are never reused.

/// Domain of every [`ErrorInfo`](tonic_types::ErrorInfo) that Waybill sends.
pub const DOMAIN: &str = "waybill";

/// A field does not hold what it must; `BadRequest` names each. INVALID_ARGUMENT.
pub const INVALID_FIELD: &str = "INVALID_FIELD";
/// The page token was not made by this service, or for another query. INVALID_ARGUMENT.
pub const INVALID_PAGE_TOKEN: &str = "INVALID_PAGE_TOKEN";
/// The request id was used before with another body. ALREADY_EXISTS.
pub const REQUEST_ID_REUSED: &str = "REQUEST_ID_REUSED";
/// There is no order of that id. NOT_FOUND.
pub const ORDER_NOT_FOUND: &str = "ORDER_NOT_FOUND";
/// The order was cancelled before, by another request. FAILED_PRECONDITION.
pub const ORDER_ALREADY_CANCELLED: &str = "ORDER_ALREADY_CANCELLED";
/// More streams watch orders, or events, than one instance serves. RESOURCE_EXHAUSTED.
pub const TOO_MANY_WATCHERS: &str = "TOO_MANY_WATCHERS";
/// There is no user of that id. NOT_FOUND.
pub const USER_NOT_FOUND: &str = "USER_NOT_FOUND";
/// Another user has that address. ALREADY_EXISTS.
pub const EMAIL_TAKEN: &str = "EMAIL_TAKEN";
/// Two changes met; the caller may send the same request again. ABORTED.
pub const CONCURRENT_CHANGE: &str = "CONCURRENT_CHANGE";
/// There is no notification of that id. NOT_FOUND.
pub const NOTIFICATION_NOT_FOUND: &str = "NOTIFICATION_NOT_FOUND";
/// There is no dead letter of that id. NOT_FOUND.
pub const DEAD_LETTER_NOT_FOUND: &str = "DEAD_LETTER_NOT_FOUND";
/// There is no operation of that id. NOT_FOUND.
pub const OPERATION_NOT_FOUND: &str = "OPERATION_NOT_FOUND";
/// More operations on dead letters are under way than are worked on. RESOURCE_EXHAUSTED.
pub const TOO_MANY_OPERATIONS: &str = "TOO_MANY_OPERATIONS";
/// The database cannot be reached; the same request may succeed later. UNAVAILABLE.
pub const STORE_UNAVAILABLE: &str = "STORE_UNAVAILABLE";
/// The broker cannot be reached; the same request may succeed later. UNAVAILABLE.
pub const BROKER_UNAVAILABLE: &str = "BROKER_UNAVAILABLE";
/// The request's bytes are not the message that the method takes. INVALID_ARGUMENT.
pub const MALFORMED_MESSAGE: &str = "MALFORMED_MESSAGE";
/// A message is larger than the server takes. RESOURCE_EXHAUSTED.
pub const MESSAGE_TOO_LARGE: &str = "MESSAGE_TOO_LARGE";
/// There is no such method, or the message is compressed in a way not known here. UNIMPLEMENTED.
pub const METHOD_UNKNOWN: &str = "METHOD_UNKNOWN";
/// Health or reflection was asked for a name that is not served here. NOT_FOUND.
pub const NAME_UNKNOWN: &str = "NAME_UNKNOWN";
/// The client's deadline passed, or the time that the server gives a call. Whether the call took
/// effect is not known. DEADLINE_EXCEEDED.
pub const DEADLINE_EXCEEDED: &str = "DEADLINE_EXCEEDED";
/// More calls are under way than one instance serves; this one was not begun. UNAVAILABLE.
pub const OVERLOADED: &str = "OVERLOADED";
/// The server is stopping and ended the stream; another instance goes on with it. UNAVAILABLE.
pub const SERVER_STOPPING: &str = "SERVER_STOPPING";
/// The call was refused without a reason of its own; the code tells all there is. Any code.
pub const UNSPECIFIED: &str = "UNSPECIFIED";
/// Something is wrong here; the logs tell under the correlation id. INTERNAL.
pub const INTERNAL: &str = "INTERNAL";
