//! Serves connections. Bounds their number, in all and per peer, and how long the head of a request and a client's
//! reading may take. A stop cuts no request off.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::pin::pin;
use std::time::Duration;

use axum::body::Body;
use axum::serve::Listener;
use http::Request;
use hyper::body::Incoming;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio_io_timeout::TimeoutStream;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tracing::debug;

use super::Service;
use super::first_byte::FirstByte;
use super::refuse::Refusals;

/// The other end of a connection; an extension of every request.
#[derive(Clone, Copy, Debug)]
pub struct Peer(pub SocketAddr);

/// What bounds the connections.
#[derive(Clone, Copy, Debug)]
pub struct ServeLimits {
    /// The most open connections; further ones are answered 503 and closed.
    pub max_connections: usize,
    /// The most open connections of one peer, which is an IPv4 address or a 64-bit prefix of IPv6. A trusted proxy may
    /// hold all that are not reserved.
    pub max_connections_per_peer: usize,
    /// How many of all connections are reserved for peers that hold fewer than four, such as a probe.
    pub reserved_connections: usize,
    /// How long a new connection may be silent.
    pub first_byte_timeout: Duration,
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
            max_connections_per_peer: 1_024,
            reserved_connections: 256,
            first_byte_timeout: Duration::from_secs(5),
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
    // Waiters are woken in the order in which they came: a simulation of this is the same each time.
    let (stopping, connections) = (CancellationToken::new(), TaskTracker::new());
    let refusals = Refusals::default();
    let mut stop = pin!(stop);
    loop {
        let (io, peer) = tokio::select! {
            biased;
            () = &mut stop => break,
            accepted = listener.accept() => accepted,
        };
        let place = match api.place(peer.ip(), &limits) {
            Ok(place) => place,
            Err(no_place) => {
                debug!(%peer, "a connection is refused: {no_place}");
                refusals.tell(io, no_place);
                continue;
            }
        };
        let api = api.clone();
        let service = hyper::service::service_fn(move |request: Request<Incoming>| {
            let api = api.clone();
            async move {
                let mut request = request.map(Body::new);
                request.extensions_mut().insert(Peer(peer));
                Ok::<_, Infallible>(api.answer(Peer(peer), request).await)
            }
        });
        let mut io = TimeoutStream::new(FirstByte::within(limits.first_byte_timeout, io));
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
