//! A coordinator some of whose responses the test writes. The others are those of a real one.

use std::sync::{Arc, Mutex, PoisonError};

use serde_json::{Value as Json, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, copy_bidirectional};
use tokio::net::{TcpListener, TcpStream};

use crate::support::Cluster;

/// The head of a stream of events.
pub(super) const EVENTS: &str = "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\nconnection: close\r\n\r\n";

/// A coordinator, or else the test that answers for it.
pub(super) struct Scripted {
    pub(super) url: String,
    asked: Arc<Mutex<Vec<String>>>,
}

impl Scripted {
    /// Responds with what `respond` returns for the target of a request, if anything. It is told how often the same path
    /// was asked for before.
    pub(super) async fn start(
        cluster: &Cluster,
        respond: impl Fn(&str, usize) -> Option<String> + Send + Sync + 'static,
    ) -> Self {
        let server = cluster.api.url.trim_start_matches("http://").to_owned();
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let url = format!("http://{}", listener.local_addr().expect("it is bound"));
        let asked = Arc::default();
        let scripted = Self { url, asked: Arc::clone(&asked) };
        let respond = Arc::new(respond);
        tokio::spawn(async move {
            loop {
                let (mut client, _) = listener.accept().await.expect("a connection");
                let (server, asked, respond) = (server.clone(), Arc::clone(&asked), Arc::clone(&respond));
                tokio::spawn(async move {
                    let Some(head) = head(&mut client).await else { return };
                    let target = head.split(' ').nth(1).expect("a request has a target").to_owned();
                    // Either end may have gone.
                    if let Some(response) = respond(&target, noted(&asked, &target)) {
                        let _ = client.write_all(response.as_bytes()).await;
                        if response.starts_with(EVENTS) {
                            // The browser closes the connection when it has had enough.
                            let _ = client.read(&mut [0]).await;
                        }
                    } else {
                        let mut server = TcpStream::connect(server).await.expect("the coordinator listens");
                        // The next request on the same connection would not be looked at.
                        let head = head.replacen("Connection: keep-alive", "Connection: close", 1);
                        let _ = server.write_all(head.as_bytes()).await;
                        let _ = copy_bidirectional(&mut client, &mut server).await;
                    }
                });
            }
        });
        scripted
    }

    /// The targets of the requests for a path, in their order.
    pub(super) fn asked(&self, path: &str) -> Vec<String> {
        let asked = self.asked.lock().unwrap_or_else(PoisonError::into_inner);
        asked.iter().filter(|target| path_of(target) == path).cloned().collect()
    }
}

/// Notes a request, and returns how many with the same path there were before it.
fn noted(asked: &Mutex<Vec<String>>, target: &str) -> usize {
    let mut asked = asked.lock().unwrap_or_else(PoisonError::into_inner);
    let before = asked.iter().filter(|other| path_of(other) == path_of(target)).count();
    asked.push(target.to_owned());
    before
}

fn path_of(target: &str) -> &str {
    target.split('?').next().unwrap_or_default()
}

/// Reads the head of a request. `None` if the browser opened a connection that it does not use.
async fn head(client: &mut TcpStream) -> Option<String> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(client.read_u8().await.ok()?);
    }
    Some(String::from_utf8(head).expect("browsers write ASCII"))
}

/// A refusal as a coordinator words it.
pub(super) fn refusal(status: &str, details: &str) -> String {
    let body = json!({"error": "refused", "details": details}).to_string();
    let head = "content-type: application/json\r\nconnection: close";
    format!("HTTP/1.1 {status}\r\n{head}\r\ncontent-length: {}\r\n\r\n{body}", body.len())
}

/// An event that has this number: the outcome of a request for `q` that one worker answered with `value` at `at`.
pub(super) fn outcome(number: u32, at: &str, value: &Json) -> String {
    let body = json!({
        "request_id": format!("r{number}"), "query": "q", "answered_at": at, "elapsed": 1_000_000,
        "status": "complete", "final_value": value, "succeeded": 1, "expected": 1, "excluded": [],
        "worker_responses": [{"worker_id": "w1", "value": value, "response_time": 1_000_000}],
        "workers": [{"worker_id": "w1", "fate": "used"}],
    });
    format!("id: c1-{number}\nevent: outcome\ndata: {body}\n\n")
}
