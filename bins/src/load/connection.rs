//! One connection of the load generator: asks, waits for the answer, asks again; reconnects when it breaks.

use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::Response;
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::client::conn::http1::{self, SendRequest};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use tokio::time::{sleep, sleep_until, timeout};

use super::Target;
use super::tally::{Ending, Permit, Tally};

/// The shortest pause after a failure, which doubles with each failure in a row, and the longest one.
const BACKOFF: (Duration, Duration) = (Duration::from_millis(10), Duration::from_secs(1));

#[derive(Debug)]
pub(super) struct Connection {
    target: Arc<Target>,
    tally: Arc<Tally>,
    backoff: Duration,
}

impl Connection {
    pub(super) fn new(target: Arc<Target>, tally: Arc<Tally>) -> Self {
        Self { target, tally, backoff: BACKOFF.0 }
    }

    /// Asks until the measurement ends.
    pub(super) async fn run(mut self) {
        let mut kept = None;
        while let Some(permit) = self.tally.permit() {
            let ending = match timeout(self.target.timeout, self.exchange(&mut kept)).await {
                Ok(Ok(status)) => Ending::Status(status),
                Ok(Err(ending)) => ending,
                Err(_) => Ending::Timeout,
            };
            self.finish(permit, ending, &mut kept).await;
        }
    }

    async fn finish(&mut self, permit: Permit, ending: Ending, kept: &mut Option<SendRequest<Full<Bytes>>>) {
        self.tally.record(permit, ending);
        if let Ending::Status(_) = ending {
            self.backoff = BACKOFF.0;
            return;
        }
        *kept = None;
        let pause = sleep(self.backoff);
        self.backoff = BACKOFF.1.min(self.backoff * 2);
        match self.tally.deadline() {
            Some(deadline) => {
                tokio::select! {
                    () = pause => {}
                    () = sleep_until(deadline) => {}
                }
            }
            None => pause.await,
        }
    }

    /// One request and its whole answer, on the kept connection if that is still open. A server may close a connection
    /// between two requests, so a closed one is not an error: a new one takes the request.
    async fn exchange(&self, kept: &mut Option<SendRequest<Full<Bytes>>>) -> Result<u16, Ending> {
        if let Some(sender) = kept
            && sender.ready().await.is_err()
        {
            *kept = None;
        }
        if kept.is_none() {
            *kept = Some(self.connect().await?);
        }
        let sender = kept.as_mut().expect("connected above");
        let response = sender.send_request(self.target.request.clone()).await.map_err(|_| Ending::Io)?;
        drain(response).await
    }

    async fn connect(&self) -> Result<SendRequest<Full<Bytes>>, Ending> {
        let stream = TcpStream::connect(&self.target.addresses[..]).await.map_err(|_| Ending::Connect)?;
        stream.set_nodelay(true).map_err(|_| Ending::Connect)?;
        let (sender, connection) = http1::handshake(TokioIo::new(stream)).await.map_err(|_| Ending::Io)?;
        // The sender reports how the connection ends. The task outlives it by at most one wake-up.
        tokio::spawn(connection);
        Ok(sender)
    }
}

/// Reads an answer to its end without keeping it.
async fn drain(response: Response<Incoming>) -> Result<u16, Ending> {
    let status = response.status().as_u16();
    let mut body = pin!(response.into_body());
    while let Some(frame) = body.frame().await {
        frame.map_err(|_| Ending::Io)?;
    }
    Ok(status)
}
