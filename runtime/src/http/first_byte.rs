//! Ends a connection if its first byte does not arrive in time.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Sleep, sleep};

/// A connection with a time limit for its first byte. What comes later is not limited.
#[derive(Debug)]
pub(super) struct FirstByte<T> {
    io: T,
    /// `None` once the first byte has arrived.
    patience: Option<Pin<Box<Sleep>>>,
}

impl<T> FirstByte<T> {
    /// The time starts now.
    pub(super) fn within(patience: Duration, io: T) -> Self {
        Self { io, patience: Some(Box::pin(sleep(patience))) }
    }
}

impl<T: AsyncRead + Unpin> AsyncRead for FirstByte<T> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        if let Poll::Ready(read) = Pin::new(&mut self.io).poll_read(cx, buffer) {
            self.patience = None;
            return Poll::Ready(read);
        }
        if let Some(patience) = &mut self.patience {
            ready!(patience.as_mut().poll(cx));
            return Poll::Ready(Err(io::ErrorKind::TimedOut.into()));
        }
        Poll::Pending
    }
}

impl<T: AsyncWrite + Unpin> AsyncWrite for FirstByte<T> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.io).poll_write(cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_shutdown(cx)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.io).poll_write_vectored(cx, slices)
    }

    fn is_write_vectored(&self) -> bool {
        self.io.is_write_vectored()
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    use tokio::time::Instant;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn silence_ends_a_connection_only_before_its_first_byte() {
        let patience = Duration::from_secs(5);
        let began = Instant::now();
        let (_silent, server) = tokio::io::duplex(64);
        let ended = FirstByte::within(patience, server).read_u8().await.expect_err("nothing came");
        assert_eq!((ended.kind(), began.elapsed().as_secs()), (io::ErrorKind::TimedOut, 5));
        let (mut client, server) = tokio::io::duplex(64);
        client.write_all(b"G").await.expect("there is room");
        let mut server = FirstByte::within(patience, server);
        assert_eq!(server.read_u8().await.expect("it came"), b'G');
        assert!(tokio::time::timeout(patience * 10, server.read_u8()).await.is_err(), "it waits on");
    }
}
