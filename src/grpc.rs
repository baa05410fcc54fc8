//! What every gRPC service needs: errors as clients expect them, page tokens, request ids, context.

pub mod codec;
pub mod events;
pub mod page;
pub mod reason;
pub mod request;
pub mod server;
pub mod status;
