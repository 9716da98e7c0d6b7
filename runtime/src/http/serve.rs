//! Serves connections. Limits their number, in all and per peer, and the time that the head of a request and the
//! client's reading may take. A stop leaves the requests in progress some time to finish.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::pin::pin;

use axum::body::Body;
use axum::serve::Listener;
use http::Request;
use hyper::body::Incoming;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio_io_timeout::TimeoutStream;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tracing::debug;

use super::client_address::Peer;
use super::first_byte::FirstByte;
use super::limits::ServeLimits;
use super::refuse::Refusals;
use super::service::Service;

/// The longest head of a request, in bytes.
const MAX_HEAD_BYTES: usize = 16 * 1024;

/// Serves `api` on `listener` until `stop` completes, then lets the requests in progress finish, within `stop_timeout`.
pub async fn serve<L>(mut listener: L, api: Service, limits: ServeLimits, stop: impl Future<Output = ()>)
where
    L: Listener<Addr = SocketAddr>,
{
    let mut http = hyper::server::conn::http1::Builder::new();
    http.timer(TokioTimer::new()).header_read_timeout(limits.head_timeout).max_buf_size(MAX_HEAD_BYTES);
    // Both wake their waiters in the order of their arrival, so that a simulation is reproducible.
    let (stopping, connections) = (CancellationToken::new(), TaskTracker::new());
    let refusals = Refusals::default();
    let mut stop = pin!(stop);
    loop {
        let (io, peer) = tokio::select! {
            biased;
            () = &mut stop => break,
            accepted = listener.accept() => accepted,
        };
        let permit = match api.permit(peer.ip(), &limits) {
            Ok(permit) => permit,
            Err(refused) => {
                debug!(%peer, "a connection is refused: {refused}");
                refusals.tell(io, refused);
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
                    // An idle connection ends at once, any other after its response.
                    connection.as_mut().graceful_shutdown();
                    connection.await
                }
            };
            if let Err(error) = ended {
                debug!(%error, %peer, "a connection ended early");
            }
            drop(permit);
        });
    }
    drop(listener);
    stopping.cancel();
    connections.close();
    if tokio::time::timeout(limits.stop_timeout, connections.wait()).await.is_err() {
        debug!("some connections did not end in time");
    }
}
