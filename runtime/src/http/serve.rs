//! Serves connections: bounded in number, in how long a request's head and a client's reading may take, and stopped
//! without cutting a request off.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::serve::Listener;
use http::Request;
use hyper::body::Incoming;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::sync::Semaphore;
use tokio_io_timeout::TimeoutStream;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tracing::debug;

use super::Service;

/// The other end of a connection; an extension of every request.
#[derive(Clone, Copy, Debug)]
pub struct Peer(pub SocketAddr);

/// What bounds the connections.
#[derive(Clone, Copy, Debug)]
pub struct ServeLimits {
    /// The most open connections; further ones wait to be accepted.
    pub max_connections: usize,
    /// How long the head of a request may take to arrive, also the first byte of a next request.
    pub head_timeout: Duration,
    /// How long a client may not take a byte of what is written to it.
    pub write_timeout: Duration,
    /// How long the answers at hand may take to be written once the server stops.
    pub stop_timeout: Duration,
}

impl Default for ServeLimits {
    fn default() -> Self {
        Self {
            max_connections: 16_384,
            head_timeout: Duration::from_secs(30),
            write_timeout: Duration::from_secs(30),
            stop_timeout: Duration::from_secs(3),
        }
    }
}

/// The longest head of a request, in bytes.
const MAX_HEAD_BYTES: usize = 16 * 1024;

/// Serves `api` on `listener` until `stop` completes, then finishes the requests at hand.
pub async fn serve<L>(mut listener: L, api: Service, limits: ServeLimits, stop: impl Future<Output = ()>)
where
    L: Listener<Addr = SocketAddr>,
{
    let mut http = hyper::server::conn::http1::Builder::new();
    http.timer(TokioTimer::new()).header_read_timeout(limits.head_timeout).max_buf_size(MAX_HEAD_BYTES);
    let places = Arc::new(Semaphore::new(limits.max_connections));
    // Waiters are woken in the order in which they came: a simulation of this is the same each time.
    let (stopping, connections) = (CancellationToken::new(), TaskTracker::new());
    let mut stop = pin!(stop);
    loop {
        let accepted = async {
            let place = Arc::clone(&places).acquire_owned().await.expect("the semaphore is never closed");
            (listener.accept().await, place)
        };
        let ((io, peer), place) = tokio::select! {
            biased;
            () = &mut stop => break,
            accepted = accepted => accepted,
        };
        let api = api.clone();
        let service = hyper::service::service_fn(move |request: Request<Incoming>| {
            let api = api.clone();
            async move {
                let mut request = request.map(Body::new);
                request.extensions_mut().insert(Peer(peer));
                Ok::<_, Infallible>(api.answer(request).await)
            }
        });
        let mut io = TimeoutStream::new(io);
        io.set_write_timeout(Some(limits.write_timeout));
        let connection = http.serve_connection(TokioIo::new(Box::pin(io)), service);
        let stopping = stopping.clone();
        connections.spawn(async move {
            let mut connection = pin!(connection);
            let ended = tokio::select! {
                biased;
                ended = &mut connection => ended,
                () = stopping.cancelled() => {
                    // An idle connection ends at once, any other when its request is answered.
                    connection.as_mut().graceful_shutdown();
                    connection.await
                }
            };
            if let Err(error) = ended {
                debug!(%error, %peer, "a connection ended early");
            }
            drop(place);
        });
    }
    drop(listener);
    stopping.cancel();
    connections.close();
    if tokio::time::timeout(limits.stop_timeout, connections.wait()).await.is_err() {
        debug!("some connections did not end in time");
    }
}
