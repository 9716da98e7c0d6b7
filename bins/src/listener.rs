//! The address of the HTTP API: how it is opened, and how it is named.

use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use anyhow::{Context, anyhow};
use axum::serve::{Listener, ListenerExt};
use reqwest::Url;
use tokio::net::{TcpListener, TcpSocket};
use tracing::info;

use crate::exit::Unusable;

/// The send buffer of each connection, which holds what the client has not accepted yet.
const SEND_BUFFER_BYTES: u32 = 64 << 10;
/// Connections that may wait to be accepted.
const BACKLOG: u32 = 1024;

/// Listens on an address, and returns the one that was bound.
///
/// # Errors
/// [`Unusable`] if no restart can help. An address in use may be free later.
pub(crate) fn listen(address: SocketAddr) -> anyhow::Result<(impl Listener<Addr = SocketAddr>, SocketAddr)> {
    let listener = bind(address).map_err(|error| {
        let advice = match error.kind() {
            io::ErrorKind::AddrInUse => "stop the program that listens there, or choose another address with --listen",
            io::ErrorKind::AddrNotAvailable => {
                "no network interface has this address; choose another one with --listen"
            }
            io::ErrorKind::PermissionDenied => "choose a port from 1024 on with --listen, or run with more rights",
            _ => "choose another address with --listen",
        };
        let said = anyhow!("cannot listen on {address}: {error}; {advice}");
        if error.kind() == io::ErrorKind::PermissionDenied { Unusable::mark(said) } else { said }
    })?;
    let address = listener.local_addr().context("cannot read the address of the listener")?;
    // An answer is one small write, which Nagle's algorithm would only delay.
    let listener = listener.tap_io(|stream| drop(stream.set_nodelay(true)));
    Ok((listener, address))
}

/// Listens with a small send buffer. Otherwise the system buffers megabytes for each slow reader of events, instead of
/// letting it fall behind.
fn bind(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = if address.is_ipv4() { TcpSocket::new_v4()? } else { TcpSocket::new_v6()? };
    // Like `TcpListener::bind`, so that a restart can bind the address at once.
    #[cfg(unix)]
    socket.set_reuseaddr(true)?;
    socket.set_send_buffer_size(SEND_BUFFER_BYTES)?;
    socket.bind(address)?;
    socket.listen(BACKLOG)
}

/// Logs who reaches the API, and what they find there.
pub(crate) fn say_who_reaches(address: SocketAddr) {
    let routes = quorate_runtime::http::routes().join(", ");
    if address.ip().is_loopback() {
        info!(routes, "programs on this machine reach it, without authentication");
    } else {
        info!(
            routes,
            "reachable from other hosts, without authentication; --listen 127.0.0.1:8080 limits it to this one"
        );
    }
}

/// The URL under which a program on this machine reaches the address.
pub(crate) fn url_of(address: SocketAddr) -> anyhow::Result<Url> {
    let ip = if address.ip().is_unspecified() { IpAddr::V4(Ipv4Addr::LOCALHOST) } else { address.ip() };
    Url::parse(&format!("http://{}", SocketAddr::new(ip, address.port()))).context("cannot write the address as a URL")
}

/// The address for people.
pub(crate) fn localhost(address: SocketAddr) -> String {
    if address.ip().is_unspecified() || address.ip().is_loopback() {
        format!("http://localhost:{}", address.port())
    } else {
        format!("http://{address}")
    }
}
