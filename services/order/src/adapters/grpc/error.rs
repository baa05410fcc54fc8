//! How a use case's error looks to a client.

use tonic::{Code, Status};
use uuid::Uuid;
use waybill::grpc::{
    reason, request,
    status::{error, error_with, store_error},
};

use crate::app::Error;

pub(super) fn status(failure: Error) -> Status {
    let text = failure.to_string();
    match failure {
        Error::NotFound(id) => error_with(Code::NotFound, reason::ORDER_NOT_FOUND, text, order(id)),
        Error::AlreadyCancelled(id) => error_with(
            Code::FailedPrecondition,
            reason::ORDER_ALREADY_CANCELLED,
            text,
            order(id),
        ),
        Error::RequestIdReused => request::request_id_reused(),
        Error::Contended(id) => error_with(Code::Aborted, reason::CONCURRENT_CHANGE, text, order(id)),
        Error::TooManyWatchers => error(
            Code::ResourceExhausted,
            reason::TOO_MANY_WATCHERS,
            "this instance serves as many streams as it can",
        ),
        Error::Stopping => error(
            Code::Unavailable,
            reason::SERVER_STOPPING,
            "this instance is stopping, watch again after the last version seen",
        ),
        Error::Store(failure) => store_error(&failure),
    }
}

fn order(id: Uuid) -> [(String, String); 1] {
    [("order_id".to_owned(), id.to_string())]
}
