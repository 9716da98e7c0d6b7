//! A proxy before a NATS server that breaks the connection in the place of one message of the server, or loses one of
//! the client.

use std::ops::ControlFlow;
use std::sync::{Arc, Mutex};

use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

/// A proxy. It ends with the runtime.
pub(crate) struct Proxy {
    url: String,
    breaks: Fault,
    loses: Fault,
}

/// What the message contains that does not come through, until it has been met.
#[derive(Clone, Default)]
struct Fault(Arc<Mutex<Option<Vec<u8>>>>);

impl Fault {
    fn wait_for(&self, needle: &str) {
        *self.0.lock().expect("nothing panics") = Some(needle.as_bytes().to_vec());
    }

    fn waits(&self) -> bool {
        self.0.lock().expect("nothing panics").is_some()
    }

    fn meets(&self, chunk: &[u8]) -> bool {
        let is_in = |needle: &mut Vec<u8>| chunk.windows(needle.len()).any(|window| window == needle.as_slice());
        self.0.lock().expect("nothing panics").take_if(is_in).is_some()
    }
}

impl Proxy {
    pub(crate) async fn start(port: u16) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let url = format!("nats://{}", listener.local_addr().expect("it is bound"));
        let (breaks, loses) = (Fault::default(), Fault::default());
        let proxy = Self { url, breaks: breaks.clone(), loses: loses.clone() };
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                if let Ok(server) = TcpStream::connect(("127.0.0.1", port)).await {
                    tokio::spawn(carry(client, server, breaks.clone(), loses.clone()));
                }
            }
        });
        proxy
    }

    pub(crate) fn url(&self) -> &str {
        &self.url
    }

    /// Breaks the connection in the place of the next message of the server that contains this.
    pub(crate) fn break_at(&self, needle: &str) {
        self.breaks.wait_for(needle);
    }

    /// Loses the next message of the client that contains this.
    pub(crate) fn lose(&self, needle: &str) {
        self.loses.wait_for(needle);
    }

    /// Whether it still waits for such a message.
    pub(crate) fn waits(&self) -> bool {
        self.breaks.waits() || self.loses.waits()
    }
}

async fn carry(client: TcpStream, server: TcpStream, breaks: Fault, loses: Fault) {
    let ((client_read, client_write), (server_read, server_write)) = (client.into_split(), server.into_split());
    let up = tokio::spawn(copy(client_read, server_write, loses, ControlFlow::Continue(())));
    copy(server_read, client_write, breaks, ControlFlow::Break(())).await;
    up.abort();
}

/// Copies all but the message of the fault, and goes on or ends there.
async fn copy(mut from: impl AsyncRead + Unpin, mut to: impl AsyncWrite + Unpin, fault: Fault, then: ControlFlow<()>) {
    let mut buffer = vec![0; 1 << 16];
    while let Ok(read @ 1..) = from.read(&mut buffer).await {
        let chunk = &buffer[..read];
        let ends = if fault.meets(chunk) { then.is_break() } else { to.write_all(chunk).await.is_err() };
        if ends {
            break;
        }
    }
}
