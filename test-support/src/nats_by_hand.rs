//! A NATS server that a test drives by hand. It speaks the protocol over real sockets, and does what a real server
//! cannot be made to do at the right moment.

use bytes::{Bytes, BytesMut};
use quorate_runtime::bus::subject;
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};

use crate::bus_contract::soon;

/// A server that accepts connections when it is told to.
#[derive(Debug)]
pub struct ServerByHand {
    listener: TcpListener,
}

/// One client's connection.
#[derive(Debug)]
pub struct ClientByHand {
    reader: BufReader<OwnedReadHalf>,
    writer: OwnedWriteHalf,
    /// The pattern and the number of each subscription.
    subscriptions: Vec<(String, String)>,
}

/// What a client sends.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ClientOp {
    /// Introduces itself, as JSON.
    Connect(String),
    /// Asks whether the server is alive.
    Ping,
    /// Answers a ping.
    Pong,
    /// Subscribes to a pattern.
    Subscribe(String),
    /// Ends a subscription.
    Unsubscribe,
    /// Publishes without headers.
    Publish {
        /// The subject.
        subject: String,
        /// What was published.
        payload: Bytes,
    },
}

impl ClientOp {
    /// Whether this is a message of the bus to itself, which tells it how much the server has received.
    pub fn is_echo(&self) -> bool {
        matches!(self, Self::Publish { subject, .. } if subject.starts_with("_INBOX."))
    }
}

impl ServerByHand {
    /// Listens.
    ///
    /// # Panics
    /// If no port is free.
    pub async fn start() -> Self {
        Self { listener: TcpListener::bind("127.0.0.1:0").await.expect("a free port") }
    }

    /// The address to connect to.
    ///
    /// # Panics
    /// Never: a listener has an address.
    pub fn url(&self) -> String {
        format!("nats://{}", self.listener.local_addr().expect("a listener has an address"))
    }

    /// The next connection, to which nothing has been sent.
    ///
    /// # Panics
    /// If none comes.
    pub async fn accept(&self) -> ClientByHand {
        let (stream, _) = soon("a connection", self.listener.accept()).await.expect("a connection");
        ClientByHand::new(stream)
    }

    /// The next connection, after the handshake.
    ///
    /// # Panics
    /// If none comes, or the client goes away.
    pub async fn welcome(&self) -> ClientByHand {
        let mut client = self.accept().await;
        client.let_in().await;
        client
    }

    /// The next connection, whose bus is connected when this returns.
    ///
    /// # Panics
    /// If none comes, or the client goes away.
    pub async fn begin(&self) -> ClientByHand {
        let mut client = self.welcome().await;
        client.until_echo().await;
        client
    }
}

impl ClientByHand {
    fn new(stream: TcpStream) -> Self {
        let (reader, writer) = stream.into_split();
        Self { reader: BufReader::new(reader), writer, subscriptions: Vec::new() }
    }

    /// Sends the greeting that names the server.
    ///
    /// # Panics
    /// If the client has gone away.
    pub async fn greet(&mut self) {
        self.greet_as("2.11.0").await;
    }

    /// Sends the greeting of a server of another version.
    ///
    /// # Panics
    /// If the client has gone away.
    pub async fn greet_as(&mut self, version: &str) {
        let info = format!(
            r#"INFO {{"server_id":"hand","server_name":"hand","version":"{version}","proto":1,"host":"127.0.0.1","port":4222,"headers":true,"max_payload":1048576}}"#
        );
        self.say(&info).await;
    }

    /// Completes the handshake.
    ///
    /// # Panics
    /// If the client has gone away.
    pub async fn let_in(&mut self) {
        self.greet().await;
        while self.hear().await != ClientOp::Ping {}
        self.say("PONG").await;
    }

    /// Sends one line.
    ///
    /// # Panics
    /// If the client has gone away.
    pub async fn say(&mut self, line: &str) {
        self.writer.write_all(format!("{line}\r\n").as_bytes()).await.expect("the client is there");
    }

    /// What the client sends next.
    ///
    /// # Panics
    /// If it sends nothing, or nothing that is understood here.
    pub async fn hear(&mut self) -> ClientOp {
        soon("a word of the client", self.next()).await.expect("the client is there")
    }

    /// What the client sends next; `None` when it has gone away. Notes its subscriptions.
    ///
    /// # Panics
    /// If it is not understood here.
    pub async fn next(&mut self) -> Option<ClientOp> {
        let mut line = String::new();
        if self.reader.read_line(&mut line).await.unwrap_or(0) == 0 {
            return None;
        }
        let words: Vec<&str> = line.split_whitespace().collect();
        Some(match words[..] {
            ["CONNECT", ..] => ClientOp::Connect(line.trim_end()["CONNECT ".len()..].to_owned()),
            ["PING"] => ClientOp::Ping,
            ["PONG"] => ClientOp::Pong,
            ["SUB", subject, sid] | ["SUB", subject, _, sid] => {
                self.subscriptions.push((subject.to_owned(), sid.to_owned()));
                ClientOp::Subscribe(subject.to_owned())
            }
            ["UNSUB", sid, ..] => {
                self.subscriptions.retain(|(_, kept)| kept != sid);
                ClientOp::Unsubscribe
            }
            ["PUB", subject, len] | ["PUB", subject, _, len] => {
                let len: usize = len.parse().expect("a length");
                let mut payload = BytesMut::zeroed(len + "\r\n".len());
                self.reader.read_exact(&mut payload).await.ok()?;
                payload.truncate(len);
                ClientOp::Publish { subject: subject.to_owned(), payload: payload.freeze() }
            }
            _ => panic!("not understood: {line:?}"),
        })
    }

    /// Delivers a message to the client's own subscriptions.
    ///
    /// # Panics
    /// If it has gone away.
    pub async fn deliver(&mut self, subject: &str, payload: &[u8]) {
        let mut message = Vec::new();
        for (_, sid) in self.subscriptions.iter().filter(|(pattern, _)| subject::matches(pattern, subject)) {
            message.extend(format!("MSG {subject} {sid} {}\r\n", payload.len()).into_bytes());
            message.extend([payload, b"\r\n"].concat());
        }
        self.writer.write_all(&message).await.expect("the client is there");
    }

    /// Reacts to what was sent, as a server does.
    ///
    /// # Panics
    /// If the client has gone away.
    pub async fn serve(&mut self, said: &ClientOp) {
        match said {
            ClientOp::Ping => self.say("PONG").await,
            ClientOp::Publish { subject, payload } => self.deliver(subject, payload).await,
            ClientOp::Connect(_) | ClientOp::Pong | ClientOp::Subscribe(_) | ClientOp::Unsubscribe => {}
        }
    }

    /// Serves until the client has gone away.
    pub async fn serve_on(&mut self) {
        while let Some(said) = self.next().await {
            self.serve(&said).await;
        }
    }

    /// Serves up to the next echo, which is included. Returns all that was sent.
    ///
    /// # Panics
    /// If the client has gone away.
    pub async fn until_echo(&mut self) -> Vec<ClientOp> {
        let mut all = Vec::new();
        loop {
            let said = self.hear().await;
            self.serve(&said).await;
            all.push(said);
            if all.last().is_some_and(ClientOp::is_echo) {
                return all;
            }
        }
    }
}
