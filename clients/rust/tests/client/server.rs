//! A server on a free port of this machine that answers each connection with bytes that the test chooses.

use std::sync::{Arc, Mutex, PoisonError};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc::{self, UnboundedReceiver, UnboundedSender};

/// What a server does with one connection, after it has read the request.
#[derive(Clone, Debug)]
pub(crate) enum Act {
    /// Sends this and closes the connection.
    Send(String),
    /// Sends this and leaves the connection open until the test ends.
    SendAndHold(String),
    /// Sends what comes from the test, until that ends.
    Relay(Arc<Mutex<UnboundedReceiver<String>>>),
}

/// A running server, and the requests that it has received.
#[derive(Debug)]
pub(crate) struct Server {
    pub(crate) url: String,
    requests: Arc<Mutex<Vec<String>>>,
}

impl Server {
    /// Serves one connection after the other as `acts` say; further ones are closed at once.
    pub(crate) async fn start(acts: impl IntoIterator<Item = Act>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let url = url(&listener);
        let requests = Arc::<Mutex<Vec<String>>>::default();
        let received = Arc::clone(&requests);
        let mut acts: Vec<_> = acts.into_iter().collect();
        acts.reverse();
        tokio::spawn(async move {
            loop {
                let (stream, _) = listener.accept().await.expect("a connection");
                if let Some(act) = acts.pop() {
                    tokio::spawn(serve(stream, act, Arc::clone(&received)));
                }
            }
        });
        Self { url, requests }
    }

    /// The requests so far, each with its head and its body.
    pub(crate) fn requests(&self) -> Vec<String> {
        self.requests.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// An address where nothing listens.
pub(crate) async fn nowhere() -> String {
    url(&TcpListener::bind("127.0.0.1:0").await.expect("a free port"))
}

fn url(listener: &TcpListener) -> String {
    format!("http://{}", listener.local_addr().expect("it is bound"))
}

/// A whole answer in JSON.
pub(crate) fn answer(status: &str, headers: &str, json: &str) -> Act {
    let length = json.len();
    Act::Send(format!(
        "HTTP/1.1 {status}\r\ncontent-type: application/json\r\ncontent-length: {length}\r\nconnection: close\r\n\
         {headers}\r\n{json}"
    ))
}

/// The beginning of a stream of events, and the first of them.
pub(crate) fn events(events: &str) -> String {
    format!("HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\nconnection: close\r\n\r\n{events}")
}

/// A connection on which the test sends.
pub(crate) fn relay() -> (UnboundedSender<String>, Act) {
    let (sender, receiver) = mpsc::unbounded_channel();
    (sender, Act::Relay(Arc::new(Mutex::new(receiver))))
}

async fn serve(mut stream: TcpStream, act: Act, requests: Arc<Mutex<Vec<String>>>) {
    let Some(request) = request(&mut stream).await else { return };
    requests.lock().unwrap_or_else(PoisonError::into_inner).push(request);
    match act {
        // The client may have closed the connection, which is what some tests are about.
        Act::Send(text) => drop(stream.write_all(text.as_bytes()).await),
        Act::SendAndHold(text) => {
            let _ = stream.write_all(text.as_bytes()).await;
            std::future::pending::<()>().await;
        }
        Act::Relay(receiver) => loop {
            let next = std::future::poll_fn(|context| {
                receiver.lock().unwrap_or_else(PoisonError::into_inner).poll_recv(context)
            });
            let Some(text) = next.await else { return };
            let _ = stream.write_all(text.as_bytes()).await;
        },
    }
}

/// Reads a request with its body; `None` if the client goes away before its end.
async fn request(stream: &mut TcpStream) -> Option<String> {
    let mut read = Vec::new();
    let mut buffer = [0; 4096];
    loop {
        let length = stream.read(&mut buffer).await.ok().filter(|length| *length > 0)?;
        read.extend_from_slice(&buffer[..length]);
        let text = String::from_utf8(read.clone()).expect("a text");
        let Some((head, body)) = text.split_once("\r\n\r\n") else { continue };
        let length = head.lines().find_map(|line| line.strip_prefix("content-length: ")).unwrap_or("0");
        if body.len() >= length.parse().expect("a length") {
            return Some(text);
        }
    }
}
