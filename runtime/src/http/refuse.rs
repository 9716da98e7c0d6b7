//! Answers a connection beyond a limit, and closes it.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::sync::Semaphore;
use tokio::time::timeout;

use super::connection_limit::ConnectionRefused;
use super::error::ApiError;

/// How many refused connections are answered at a time. Further ones are closed without a response.
const MAX_TOLD: usize = 64;
/// How long one response may take.
const PATIENCE: Duration = Duration::from_secs(1);
/// The most bytes of the request that are read. Closing a connection with unread bytes would discard the response.
const MAX_READ_BYTES: u64 = 16 << 10;

/// The refused connections that are being answered.
#[derive(Debug)]
pub(super) struct Refusals(Arc<Semaphore>);

impl Default for Refusals {
    fn default() -> Self {
        Self(Arc::new(Semaphore::new(MAX_TOLD)))
    }
}

impl Refusals {
    /// Sends the reason and closes the connection. If too many are being answered already, only closes it.
    pub(super) fn tell(&self, mut io: impl AsyncRead + AsyncWrite + Send + Unpin + 'static, why: ConnectionRefused) {
        let Ok(told) = Arc::clone(&self.0).try_acquire_owned() else { return };
        let answer = answer(why);
        let tell = async move {
            io.write_all(&answer).await?;
            io.shutdown().await?;
            tokio::io::copy(&mut io.take(MAX_READ_BYTES), &mut tokio::io::sink()).await
        };
        tokio::spawn(async move {
            // A client that is gone or slow is not waited for.
            let _ = timeout(PATIENCE, tell).await;
            drop(told);
        });
    }
}

fn answer(why: ConnectionRefused) -> Bytes {
    let body = ApiError::too_many_connections(why.to_string()).body();
    let head = format!(
        "HTTP/1.1 503 Service Unavailable\r\ncontent-type: application/json\r\nretry-after: 1\r\nconnection: close\r\n\
         content-length: {}\r\n\r\n",
        body.len()
    );
    [head.as_bytes(), &body].concat().into()
}
