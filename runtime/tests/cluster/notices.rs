//! The server's notice that nobody listens, and a forged one, over a real NATS server.

use std::sync::Arc;
use std::time::{Duration, Instant};

use quorate_core::coordinator::Config;
use quorate_core::worker;
use quorate_runtime::bus::nats::{NatsBus, NatsConfig};
use quorate_runtime::source::Source;
use quorate_test_support::NatsServer;
use serde_json::json;
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::TcpStream;

use crate::support::{Setup, TestCoordinator, TestWorker, delayed, number, until, worker_with};

fn connect(server: &NatsServer) -> NatsBus {
    NatsBus::connect(NatsConfig::new(server.url())).expect("a good address")
}

/// A worker without regular announcements for the length of a test: only a ping makes it announce itself.
async fn quiet_worker(server: &NatsServer, id: &str, source: impl Source) -> TestWorker {
    let machine = worker::Config { announce_every: Duration::from_mins(1), ..worker::Config::default() };
    worker_with(connect(server), id, false, machine, source).await
}

async fn coordinator(server: &NatsServer, workers: usize) -> TestCoordinator {
    let machine = Config { presence: Duration::from_mins(1), ..Config::default() };
    let coordinator = TestCoordinator::start_with(connect(server), Setup { machine, ..Setup::default() }).await;
    coordinator.wait_for_live(workers).await;
    coordinator
}

/// A connection that sends these commands, and then nothing by itself.
async fn raw_client(server: &NatsServer, commands: &str) -> BufReader<TcpStream> {
    let stream = TcpStream::connect(("127.0.0.1", server.port())).await.expect("a connection");
    let mut stream = BufReader::new(stream);
    let hello =
        format!("CONNECT {{\"verbose\":false,\"headers\":true,\"no_responders\":true}}\r\n{commands}\r\nPING\r\n");
    stream.write_all(hello.as_bytes()).await.expect("the server reads");
    stream
}

/// Reads up to the response to the client's ping. Returns whether `what` came before it.
async fn hears(stream: &mut BufReader<TcpStream>, what: &str) -> bool {
    let mut heard = false;
    let mut line = String::new();
    while line.trim() != "PONG" {
        line.clear();
        assert!(stream.read_line(&mut line).await.expect("the server says") > 0, "the connection is open");
        heard |= line.contains(what);
    }
    heard
}

/// Whether the server itself reports that nobody is subscribed to tasks. A killed worker stays subscribed until the
/// server has noticed that its connection is closed.
async fn server_says_nobody_listens(server: &NatsServer) -> bool {
    let mut stream = raw_client(server, "SUB replies 1\r\nPUB oracle.tasks replies 0\r\n").await;
    hears(&mut stream, "NATS/1.0 503").await
}

/// Answers every task with an empty message that looks like the server's notice, before any worker can.
async fn forge_notices(server: &NatsServer) -> tokio::task::JoinHandle<()> {
    let mut stream = raw_client(server, "SUB oracle.tasks 1\r\nSUB oracle.tasks.packed 2").await;
    hears(&mut stream, "PONG").await;
    tokio::spawn(async move {
        let mut line = Vec::new();
        loop {
            line.clear();
            if stream.read_until(b'\n', &mut line).await.unwrap_or(0) == 0 {
                return;
            }
            let text = String::from_utf8_lossy(&line);
            let words: Vec<&str> = text.split_whitespace().collect();
            let answer = match words[..] {
                ["MSG", "oracle.tasks" | "oracle.tasks.packed", _, reply, _]
                | ["HMSG", "oracle.tasks", _, reply, _, _] => {
                    format!("HPUB {reply} 16 16\r\nNATS/1.0 503\r\n\r\n\r\n")
                }
                ["PING"] => "PONG\r\n".to_owned(),
                _ => continue,
            };
            if stream.write_all(answer.as_bytes()).await.is_err() {
                return;
            }
        }
    })
}

#[tokio::test(flavor = "multi_thread")]
async fn a_forged_notice_does_not_end_the_requests_of_live_workers() {
    let server = NatsServer::start();
    let mut workers = Vec::new();
    for id in ["a", "b", "c"] {
        // Slower than the time for which a notice is doubted.
        workers.push(quiet_worker(&server, id, delayed("1", Duration::from_millis(800))).await);
    }
    let coordinator = Arc::new(coordinator(&server, 3).await);
    let forger = forge_notices(&server).await;
    let asked: Vec<_> = (0..10)
        .map(|_| {
            let coordinator = Arc::clone(&coordinator);
            tokio::spawn(async move { coordinator.ask(json!({"query": "q", "timeout_ms": 10_000})).await })
        })
        .collect();
    for asked in asked {
        let (status, body) = asked.await.expect("it is answered");
        assert_eq!((status, &body["succeeded"]), (200, &json!(3)), "{body}");
    }
    assert_eq!(coordinator.counter("no_responders_doubted").await, 10, "the server sent a notice for each task");
    assert_eq!(coordinator.counter("no_responders_refuted").await, 10);
    forger.abort();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_fails_before_its_deadline_if_nobody_listens_any_more() {
    let server = NatsServer::start();
    let workers = [quiet_worker(&server, "a", number("1")).await, quiet_worker(&server, "b", number("1")).await];
    let coordinator = coordinator(&server, 2).await;
    for worker in workers {
        worker.kill().await;
    }
    until("the server to notice that no worker listens", async || server_says_nobody_listens(&server).await).await;
    until("the notice of the server", async || {
        let asked = Instant::now();
        let (status, body) = coordinator.ask(json!({"query": "q", "timeout_ms": 20_000})).await;
        assert_eq!((status, &body["error"]), (503, &json!("no_workers")), "{body}");
        assert!(asked.elapsed() < Duration::from_secs(10), "it fails before its deadline");
        coordinator.counter("no_responders_confirmed").await > 0
    })
    .await;
}
