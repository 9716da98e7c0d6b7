//! Headers between the bus over NATS and other clients, some of which are hostile, and a server that does not support
//! headers.

use std::collections::BTreeMap;

use async_nats::HeaderMap;
use bytes::Bytes;
use futures_util::StreamExt as _;
use quorate_runtime::bus::nats::{NatsBus, NatsConfig};
use quorate_runtime::bus::{Bus, Headers, Subscription};
use quorate_test_support::NatsServer;
use quorate_test_support::bus_contract::{connected, publish, receive, soon, subscribe, text};
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::{TcpListener, TcpStream};

use crate::bounded;

fn open(server: &NatsServer) -> NatsBus {
    NatsBus::connect(NatsConfig::new(server.url())).expect("the address is valid")
}

/// Sends commands to a server, and waits until it has handled them.
async fn say(server: &NatsServer, words: &[u8]) {
    let mut stream = TcpStream::connect(("127.0.0.1", server.port())).await.expect("the server listens");
    stream.write_all(b"CONNECT {\"verbose\":false,\"headers\":true}\r\n").await.expect("it is read");
    stream.write_all(words).await.expect("it is read");
    stream.write_all(b"PING\r\n").await.expect("it is read");
    let mut heard = String::new();
    while !heard.contains("PONG") {
        let mut chunk = [0; 1024];
        let read = stream.read(&mut chunk).await.expect("the server answers");
        assert!(read > 0, "the server does not accept {:.60}: {heard}", String::from_utf8_lossy(words));
        heard.push_str(&String::from_utf8_lossy(&chunk[..read]));
    }
}

/// A message on `a` with this block of headers, as a client sends it.
fn hpub(block: &[u8], body: &str) -> Vec<u8> {
    let head = format!("HPUB a {} {}\r\n", block.len(), block.len() + body.len());
    [head.as_bytes(), block, body.as_bytes(), b"\r\n"].concat()
}

#[tokio::test]
async fn other_clients_read_the_headers_and_send_their_own() {
    bounded(async {
        let server = NatsServer::start();
        let bus = open(&server);
        connected(&bus, true).await;
        let foreign = async_nats::connect(server.url()).await.expect("the server listens");
        let mut theirs = foreign.subscribe("a").await.expect("they may subscribe");
        foreign.flush().await.expect("the server answers");
        let mut ours = subscribe(&bus, "b").await;

        let headers = Headers::new([("one", "1"), ("more", "2"), ("more", "é")]);
        bus.publish_with("a", Some("an.answer"), &headers, Bytes::from_static(b"body")).expect("the bus is connected");
        publish(&bus, "a", "plain");
        let message = soon("a message", theirs.next()).await.expect("they are subscribed");
        let read = message.headers.expect("headers");
        assert_eq!(read.get("one").map(async_nats::HeaderValue::as_str), Some("1"));
        let more: Vec<_> = read.get_all("more").map(async_nats::HeaderValue::as_str).collect();
        assert_eq!((more, message.payload.as_ref()), (vec!["2", "é"], &b"body"[..]));
        let plain = soon("a message", theirs.next()).await.expect("they are subscribed");
        assert_eq!(plain.headers, None, "a message without headers is published as one that can have none");

        let mut headers = HeaderMap::new();
        headers.append("Traceparent", "00-x");
        headers.append("b", "2");
        headers.append("b", "1");
        foreign.publish_with_headers("b", headers, "".into()).await.expect("they are connected");
        let read = receive(&mut ours).await.headers;
        assert_eq!(read.iter().collect::<Vec<_>>(), [("Traceparent", "00-x"), ("b", "2"), ("b", "1")]);
        assert_eq!(read.sole("traceparent"), Some("00-x"));
    })
    .await;
}

#[tokio::test]
async fn headers_beyond_the_bounds_are_left_out_but_their_message_is_delivered() {
    bounded(async {
        let server = NatsServer::start();
        let bus = open(&server);
        let mut subscription = subscribe(&bus, "a").await;
        connected(&bus, true).await;
        let long = format!("NATS/1.0\r\na: {}\r\n\r\n", "x".repeat(500_000));
        let many = format!("NATS/1.0\r\n{}\r\n", "traceparent: 1\r\n".repeat(10_000));
        let strange = "NATS/1.0\r\na: \u{0}\u{7}\u{1b}[31m\r\n: no name\r\nb:2\r\n\r\n".to_owned();
        for (block, expected) in [(long, vec![]), (many, vec![]), (strange, vec![("b", "2")])] {
            say(&server, &hpub(block.as_bytes(), "body")).await;
            let message = receive(&mut subscription).await;
            assert_eq!((text(&message), message.headers.iter().collect::<Vec<_>>()), ("body", expected));
        }
        assert_eq!(bus.status().borrow().connections, 1);
    })
    .await;
}

/// The client library gives up its connection over such a block. The cost is an outage that is short, noticed, and over
/// by itself.
#[tokio::test]
async fn an_invalid_block_of_headers_costs_at_most_the_connection() {
    bounded(async {
        let server = NatsServer::start();
        let bus = open(&server);
        let mut subscription = subscribe(&bus, "a").await;
        connected(&bus, true).await;
        for block in [
            &b"\xff\x00\xfe\r\n\r\n"[..],
            b"HTTP/1.1\r\n\r\n",
            b"NATS/1.0\r\nno colon\r\n\r\n",
            b"NATS/1.0\r\na: 1\r2\r\n\r\n",
        ] {
            say(&server, &hpub(block, "strange")).await;
            // Whatever happened to it and to the connection, messages are delivered again.
            soon("a message after it", async {
                loop {
                    let _refused_in_an_outage = bus.publish("a", None, Bytes::from_static(b"after"));
                    let next = tokio::time::timeout(std::time::Duration::from_millis(20), subscription.recv());
                    match next.await {
                        Ok(message) if text(message.as_ref().expect("the bus is open")) == "after" => break,
                        _ => {}
                    }
                }
            })
            .await;
            while subscription.try_recv().is_some() {}
        }
    })
    .await;
}

/// A server from before NATS had headers: it does not announce them, and closes the connection of a client that uses
/// them. It serves one client, and delivers only to subjects that are subscribed to literally.
async fn old_server(listener: TcpListener) {
    const INFO: &str = r#"INFO {"server_id":"old","server_name":"old","version":"2.1.9","go":"go1.14","host":"0.0.0.0","port":4222,"max_payload":1048576,"proto":1}"#;
    let (stream, _) = listener.accept().await.expect("a client");
    let (read, mut write) = stream.into_split();
    let mut read = BufReader::new(read);
    write.write_all(format!("{INFO}\r\n").as_bytes()).await.expect("the client reads");
    let mut sids = BTreeMap::new();
    let mut line = String::new();
    while read.read_line(&mut line).await.is_ok_and(|read| read > 0) {
        let words: Vec<&str> = line.split_whitespace().collect();
        match words[..] {
            ["CONNECT" | "UNSUB", ..] | ["PONG"] => {}
            ["PING"] => write.write_all(b"PONG\r\n").await.expect("the client reads"),
            ["SUB", subject, sid] => drop(sids.insert(subject.to_owned(), sid.to_owned())),
            ["PUB", subject, .., length] => {
                let mut body = vec![0; length.parse::<usize>().expect("a length") + 2];
                read.read_exact(&mut body).await.expect("the client writes");
                if let Some(sid) = sids.get(subject) {
                    let head = format!("MSG {subject} {sid} {length}\r\n");
                    write.write_all(&[head.as_bytes(), &body].concat()).await.expect("the client reads");
                }
            }
            _ => {
                write.write_all(b"-ERR 'Unknown Protocol Operation'\r\n").await.expect("the client reads");
                return;
            }
        }
        line.clear();
    }
}

#[tokio::test]
async fn a_server_without_header_support_receives_messages_without_headers() {
    bounded(async {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.expect("a free port");
        let url = format!("nats://{}", listener.local_addr().expect("it is bound"));
        let server = tokio::spawn(old_server(listener));
        let bus = NatsBus::connect(NatsConfig::new(url)).expect("the address is valid");
        connected(&bus, true).await;
        let mut subscription = subscribe(&bus, "a").await;
        let headers = Headers::new([("a", "1")]);
        for reply in [None, Some("b")] {
            bus.publish_with("a", reply, &headers, Bytes::from_static(b"with")).expect("the bus is connected");
            let message = receive(&mut subscription).await;
            assert_eq!((text(&message), message.headers.is_empty()), ("with", true));
        }
        assert_eq!(bus.status().borrow().connections, 1);
        server.abort();
    })
    .await;
}
