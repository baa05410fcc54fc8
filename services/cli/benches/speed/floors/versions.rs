//! Which servers these are, as they say themselves.

use mongodb::{
    Client,
    bson::{Document, doc},
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

use crate::{servers::address, stack::Stack};

/// What a client of AMQP 0-9-1 says first.
const AMQP: &[u8] = b"AMQP\0\0\x09\x01";

/// How the field that tells the version begins in what a broker answers to that: its name and type.
const VERSION: &[u8] = b"\x07versionS";

/// Versions of the broker and of the database.
pub(crate) async fn of_servers() -> [String; 2] {
    let stack = Stack::real().await;
    let host = stack.virtual_host.as_ref().expect("it is RabbitMQ");
    [broker(host.url()).await, database(stack.database()).await].map(Option::unwrap_or_default)
}

async fn broker(url: &str) -> Option<String> {
    let mut connection = TcpStream::connect(address(url)).await.ok()?;
    connection.write_all(AMQP).await.ok()?;
    let mut hello = vec![0; 4096];
    let length = connection.read(&mut hello).await.ok()?;
    let hello = &hello[..length];
    let at = hello
        .windows(VERSION.len())
        .position(|window| window == VERSION)?
        + VERSION.len();
    let (length, text) = hello[at..].split_first_chunk::<4>()?;
    let length = usize::try_from(u32::from_be_bytes(*length)).ok()?;
    Some(String::from_utf8_lossy(text.get(..length)?).into_owned())
}

async fn database(url: &str) -> Option<String> {
    let client = Client::with_uri_str(url).await.ok()?;
    let admin = client.database("admin");
    let info: Document = admin.run_command(doc! {"buildInfo": 1}).await.ok()?;
    Some(info.get_str("version").ok()?.to_owned())
}
