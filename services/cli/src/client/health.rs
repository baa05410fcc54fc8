//! `waybill health`: a readiness probe for images that have no other client.

use std::{
    io::{self, Write},
    time::Duration,
};

use anyhow::{Context as _, Result, bail};
use clap::Args;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    time::timeout,
};

/// How long the probe waits; orchestrators give up after a few seconds themselves.
const PROBE_TIMEOUT: Duration = Duration::from_secs(3);

/// Longest answer that is read.
const MAX_ANSWER_BYTES: u64 = 64 * 1024;

/// Ask a process's HTTP address whether it is ready.
#[derive(Debug, Args)]
pub(crate) struct Health {
    /// HTTP address of the process.
    #[arg(long = "addr", default_value = "127.0.0.1:9464", value_name = "HOST:PORT")]
    address: String,
}

/// Prints what `/readyz` says; an error when that is not 200.
pub(crate) async fn run(health: &Health) -> Result<()> {
    let answer = timeout(PROBE_TIMEOUT, get(&health.address, "/readyz"))
        .await
        .with_context(|| format!("{} did not answer within {PROBE_TIMEOUT:?}", health.address))??;
    let (head, body) = answer.split_once("\r\n\r\n").unwrap_or((&answer, ""));
    // The exit code says it too, so that nobody needs to read this.
    let _ = writeln!(io::stdout(), "{}", body.trim_end());
    match head.split_whitespace().nth(1) {
        Some("200") => Ok(()),
        status => bail!("not ready (HTTP {})", status.unwrap_or("answer unreadable")),
    }
}

/// One HTTP/1.0 request: the server closes the connection after its answer.
async fn get(address: &str, path: &str) -> Result<String> {
    let mut stream = TcpStream::connect(address)
        .await
        .with_context(|| format!("cannot connect to {address}"))?;
    let request = format!("GET {path} HTTP/1.0\r\nHost: {address}\r\n\r\n");
    stream.write_all(request.as_bytes()).await?;
    let mut answer = String::new();
    stream.take(MAX_ANSWER_BYTES).read_to_string(&mut answer).await?;
    Ok(answer)
}
