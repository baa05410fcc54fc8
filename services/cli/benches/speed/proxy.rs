//! A TCP proxy that passes everything on and counts the bytes.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{
        TcpListener, TcpStream,
        tcp::{OwnedReadHalf, OwnedWriteHalf},
    },
};

/// It listens until the process ends.
pub(crate) struct Proxy {
    pub(crate) port: u16,
    sent: Arc<AtomicUsize>,
    received: Arc<AtomicUsize>,
}

impl Proxy {
    /// One in front of a port of this machine.
    pub(crate) async fn start(server: u16) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0")
            .await
            .expect("there is a free port");
        let proxy = Self {
            port: listener.local_addr().expect("it listens").port(),
            sent: Arc::default(),
            received: Arc::default(),
        };
        let (sent, received) = (Arc::clone(&proxy.sent), Arc::clone(&proxy.received));
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                let Ok(server) = TcpStream::connect(("127.0.0.1", server)).await else {
                    continue;
                };
                let ((from_client, to_client), (from_server, to_server)) =
                    (client.into_split(), server.into_split());
                tokio::spawn(pass(from_client, to_server, Arc::clone(&sent)));
                tokio::spawn(pass(from_server, to_client, Arc::clone(&received)));
            }
        });
        proxy
    }

    /// Bytes sent to the server and received from it so far.
    pub(crate) fn bytes(&self) -> (usize, usize) {
        let now = |count: &AtomicUsize| count.load(Ordering::Relaxed);
        (now(&self.sent), now(&self.received))
    }
}

async fn pass(mut from: OwnedReadHalf, mut to: OwnedWriteHalf, count: Arc<AtomicUsize>) {
    let mut buffer = vec![0; 64 * 1024];
    while let Ok(read) = from.read(&mut buffer).await {
        // Counted before it arrives: whoever acts on it finds it counted.
        count.fetch_add(read, Ordering::Relaxed);
        if read == 0 || to.write_all(&buffer[..read]).await.is_err() {
            return;
        }
    }
}
