//! A proxy before a NATS server that breaks the connection in the place of one message of the server.

use std::sync::{Arc, Mutex};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

/// A proxy. It ends with the runtime.
pub(crate) struct Proxy {
    url: String,
    /// What a message contains that the client does not get.
    needle: Arc<Mutex<Option<Vec<u8>>>>,
}

impl Proxy {
    pub(crate) async fn start(port: u16) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let url = format!("nats://{}", listener.local_addr().expect("it is bound"));
        let needle = Arc::<Mutex<Option<Vec<u8>>>>::default();
        let shared = Arc::clone(&needle);
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                if let Ok(server) = TcpStream::connect(("127.0.0.1", port)).await {
                    tokio::spawn(carry(client, server, Arc::clone(&shared)));
                }
            }
        });
        Self { url, needle }
    }

    pub(crate) fn url(&self) -> &str {
        &self.url
    }

    /// Breaks the connection in the place of the next message that contains this.
    pub(crate) fn break_at(&self, needle: &str) {
        *self.needle.lock().expect("nothing panics") = Some(needle.as_bytes().to_vec());
    }

    /// Whether it still waits for that message.
    pub(crate) fn waits(&self) -> bool {
        self.needle.lock().expect("nothing panics").is_some()
    }
}

async fn carry(client: TcpStream, server: TcpStream, needle: Arc<Mutex<Option<Vec<u8>>>>) {
    let ((mut client_read, mut client_write), (mut server_read, mut server_write)) =
        (client.into_split(), server.into_split());
    let up = tokio::spawn(async move { tokio::io::copy(&mut client_read, &mut server_write).await });
    let mut buffer = vec![0; 1 << 16];
    while let Ok(read @ 1..) = server_read.read(&mut buffer).await {
        let chunk = &buffer[..read];
        let is_wanted = |needle: &mut Vec<u8>| chunk.windows(needle.len()).any(|window| window == needle.as_slice());
        if needle.lock().expect("nothing panics").take_if(is_wanted).is_some() {
            break;
        }
        if client_write.write_all(chunk).await.is_err() {
            break;
        }
    }
    up.abort();
}
