//! A stream that sends what was written when somebody waits for an answer, all at once. lettre flushes each part
//! of what it writes, a message and its end among them; here they are one packet, and the server
//! wakes up once.

use std::{
    io,
    net::SocketAddr,
    pin::Pin,
    task::{Context, Poll, ready},
};

use bytes::{Buf, BytesMut};
use lettre::transport::smtp::client::AsyncTokioStream;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// Bytes from which on they are sent before anybody waits for an answer. Any mail of ours is less; of what is
/// larger, twice as many are held at most.
const MOST: usize = 64 * 1024;

/// Sends what was written to it when it is read from.
#[derive(Debug)]
pub(super) struct Gathered<S> {
    stream: S,
    written: BytesMut,
    /// Something was given to the stream that it may keep back until it is flushed.
    is_unflushed: bool,
}

impl<S: AsyncWrite + Unpin> Gathered<S> {
    pub(super) fn new(stream: S) -> Self {
        Self {
            stream,
            written: BytesMut::new(),
            is_unflushed: false,
        }
    }

    fn poll_send(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        while !self.written.is_empty() {
            let sent = ready!(Pin::new(&mut self.stream).poll_write(cx, &self.written))?;
            if sent == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
            self.written.advance(sent);
            self.is_unflushed = true;
        }
        if self.is_unflushed {
            ready!(Pin::new(&mut self.stream).poll_flush(cx))?;
            self.is_unflushed = false;
        }
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncTokioStream> AsyncTokioStream for Gathered<S> {
    fn peer_addr(&self) -> io::Result<SocketAddr> {
        self.stream.peer_addr()
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncRead for Gathered<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        ready!(self.poll_send(cx))?;
        Pin::new(&mut self.stream).poll_read(cx, buf)
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Gathered<S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        if self.written.len() >= MOST {
            ready!(self.poll_send(cx))?;
        }
        let taken = &buf[..buf.len().min(MOST)];
        self.written.extend_from_slice(taken);
        Poll::Ready(Ok(taken.len()))
    }

    /// Nothing: it is sent when an answer is waited for.
    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(self.poll_send(cx))?;
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use futures::FutureExt;
    use tokio::io::{AsyncReadExt, AsyncWriteExt, duplex};

    use super::*;

    #[tokio::test]
    async fn what_was_written_is_sent_as_one_when_an_answer_is_waited_for() {
        let (ours, mut theirs) = duplex(MOST);
        let mut ours = Gathered::new(ours);
        for part in ["message", "\r\n.\r\n"] {
            ours.write_all(part.as_bytes()).await.unwrap();
            ours.flush().await.unwrap();
        }
        let mut sent = [0; 100];
        assert!(theirs.read(&mut sent).now_or_never().is_none());

        let answering = async {
            let size = theirs.read(&mut sent).await.unwrap();
            theirs.write_all(b"250").await.unwrap();
            size
        };
        let mut answer = [0; 3];
        let (read, size) = tokio::join!(ours.read_exact(&mut answer), answering);
        read.unwrap();
        assert_eq!((&sent[..size], &answer), (&b"message\r\n.\r\n"[..], b"250"));
    }

    #[tokio::test]
    async fn more_than_is_gathered_goes_out_in_parts_and_whole() {
        let (ours, mut theirs) = duplex(1000);
        let mut ours = Gathered::new(ours);
        let message = vec![7; 3 * MOST + 1];
        let writing = async {
            ours.write_all(&message).await.unwrap();
            assert!(ours.written.capacity() <= 4 * MOST);
            ours.shutdown().await.unwrap();
        };
        let mut sent = Vec::new();
        let (read, ()) = tokio::join!(theirs.read_to_end(&mut sent), writing);
        assert_eq!((read.unwrap(), sent == message), (message.len(), true));
    }
}
