//! One address cannot keep the others from connecting.

use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use quorate_runtime::bus::local::LocalBus;
use quorate_runtime::http::ServeLimits;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpSocket, TcpStream};
use tokio::time::timeout;

use crate::support::{PATIENCE, Setup, TestCoordinator, until};

/// The client that fills the server up.
const GREEDY: Ipv4Addr = Ipv4Addr::LOCALHOST;
/// The client that probes it.
const PROBE: Ipv4Addr = Ipv4Addr::new(127, 0, 0, 2);

async fn connect(from: Ipv4Addr, to: SocketAddr) -> TcpStream {
    let socket = TcpSocket::new_v4().expect("a socket");
    socket.bind(SocketAddr::from((from, 0))).expect("a loopback address");
    socket.connect(to).await.expect("the listener accepts")
}

/// What the server sends after a request until it closes the connection; nothing if it resets the connection.
async fn says(mut stream: TcpStream, request: &str) -> String {
    let mut answer = Vec::new();
    // A refused connection may be closed already.
    let _ = stream.write_all(request.as_bytes()).await;
    let _ = timeout(PATIENCE, stream.read_to_end(&mut answer)).await.expect("it is closed in time");
    String::from_utf8(answer).expect("a text")
}

async fn health(from: Ipv4Addr, coordinator: &TestCoordinator) -> String {
    let request = "GET /health HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n";
    says(connect(from, coordinator.address).await, request).await
}

async fn start(limits: ServeLimits) -> TestCoordinator {
    TestCoordinator::start_with(LocalBus::new(), Setup { limits, ..Setup::default() }).await
}

#[tokio::test]
async fn one_address_holds_only_its_share_until_its_connections_end() {
    let limits = ServeLimits { max_connections_per_peer: 100, first_byte_timeout: PATIENCE, ..ServeLimits::default() };
    let coordinator = start(limits).await;
    let mut held = Vec::new();
    for _ in 0..100 {
        held.push(connect(GREEDY, coordinator.address).await);
    }
    // The client sends nothing: closing a connection with unread bytes could discard the refusal.
    let refusal = says(connect(GREEDY, coordinator.address).await, "").await;
    assert!(refusal.starts_with("HTTP/1.1 503 "), "{refusal}");
    assert!(refusal.contains("retry-after: 1\r\n") && refusal.contains(r#""error":"overloaded""#), "{refusal}");
    for _ in 0..10 {
        let answer = health(PROBE, &coordinator).await;
        assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
    }
    held.pop();
    until("its place to be free", async || health(GREEDY, &coordinator).await.starts_with("HTTP/1.1 200 ")).await;
    drop(held);
    until("nothing but the reader to be connected", async || {
        coordinator.metrics().await.value("quorate_http_connections") == Some(1.0)
    })
    .await;
    let metrics = coordinator.metrics().await;
    let refused = metrics.value(r#"quorate_http_connections_refused_total{bound="peer"}"#);
    assert!(refused.is_some_and(|refused| refused >= 1.0), "{refused:?}");
}

#[tokio::test]
async fn a_probe_gets_through_when_all_other_places_are_taken() {
    let limits = ServeLimits {
        max_connections: 60,
        max_connections_per_peer: 60,
        reserved_connections: 20,
        first_byte_timeout: PATIENCE,
        ..ServeLimits::default()
    };
    let coordinator = start(limits).await;
    let mut held = Vec::new();
    for _ in 0..40 {
        held.push(connect(GREEDY, coordinator.address).await);
    }
    let refusal = says(connect(GREEDY, coordinator.address).await, "").await;
    assert!(refusal.starts_with("HTTP/1.1 503 "), "{refusal}");
    for _ in 0..10 {
        let answer = health(PROBE, &coordinator).await;
        assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
    }
    drop(held);
}

#[tokio::test]
async fn a_silent_connection_is_closed_and_one_that_has_sent_a_request_may_be_idle() {
    let limits = ServeLimits { first_byte_timeout: Duration::from_millis(200), ..ServeLimits::default() };
    let coordinator = start(limits).await;
    let mut idle = connect(PROBE, coordinator.address).await;
    let ask = async |idle: &mut TcpStream| {
        idle.write_all(b"GET /health HTTP/1.1\r\nhost: x\r\n\r\n").await.expect("it is open");
        let mut answer = [0; 1024];
        let read = timeout(PATIENCE, idle.read(&mut answer)).await.expect("in time").expect("it is open");
        assert!(answer[..read].starts_with(b"HTTP/1.1 200 "), "{:?}", String::from_utf8_lossy(&answer[..read]));
    };
    ask(&mut idle).await;
    // A silent connection that began later has ended.
    let silent = says(connect(GREEDY, coordinator.address).await, "").await;
    assert_eq!(silent, "");
    ask(&mut idle).await;
}
