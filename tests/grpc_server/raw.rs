//! A call without a gRPC client, which would keep time by itself and mend what we want to see.

use std::net::SocketAddr;

use bytes::Bytes;
use http::{HeaderMap, Request};
use prost::Message;
use tokio::net::TcpStream;
use tonic::Status;

/// Sends `message` to `method` and reads until the status.
pub(crate) async fn call(
    address: SocketAddr,
    method: &str,
    timeout: Option<&str>,
    message: &impl Message,
) -> (HeaderMap, Status) {
    let tcp = TcpStream::connect(address).await.unwrap();
    let (requests, connection) = h2::client::handshake(tcp).await.unwrap();
    let connection = tokio::spawn(connection);
    let mut request = Request::post(format!("http://{address}/{method}"))
        .header("content-type", "application/grpc")
        .header("te", "trailers");
    if let Some(timeout) = timeout {
        request = request.header("grpc-timeout", timeout);
    }
    let (answer, mut body) = requests
        .ready()
        .await
        .unwrap()
        .send_request(request.body(()).unwrap(), false)
        .unwrap();
    body.send_data(frame(message), true).unwrap();

    let (head, mut body) = answer.await.unwrap().into_parts();
    while let Some(data) = body.data().await {
        let length = data.unwrap().len();
        body.flow_control().release_capacity(length).unwrap();
    }
    let trailers = body.trailers().await.unwrap();
    let status = Status::from_header_map(trailers.as_ref().unwrap_or(&head.headers)).unwrap();
    connection.abort();
    (head.headers, status)
}

/// A message as gRPC frames it: a zero byte (not compressed), its length, its bytes.
fn frame(message: &impl Message) -> Bytes {
    let bytes = message.encode_to_vec();
    let length = u32::try_from(bytes.len()).unwrap().to_be_bytes();
    [&[0], length.as_slice(), bytes.as_slice()].concat().into()
}
