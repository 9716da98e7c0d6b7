//! A client's visit: a malformed request, a page read, events followed, or a connection held.

use std::fmt::Write as _;
use std::time::Duration;

use http::header::{CONNECTION, CONTENT_TYPE};
use http_body_util::BodyExt as _;
use hyper::Response;
use hyper::body::Incoming;
use tokio::io::AsyncWriteExt as _;
use tokio::time::{Instant, sleep, timeout, timeout_at};
use turmoil::net::TcpStream;

use super::http::Connection;
use super::stage::{HTTP_PORT, Surroundings};
use crate::event::{FOLLOWED_AGAIN, Read, What};
use crate::host::Host;
use crate::scenario::{Linger, Visit, VisitKind};

/// How long a page may take. If a link is held for longer, the page is not judged.
const PATIENCE: Duration = Duration::from_secs(3);

/// Carries out a visit and reports what was read. `place` is the visit's index in the scenario.
pub(super) async fn run(surroundings: &Surroundings, host: Host, place: usize, visit: Visit) {
    let sink = &surroundings.sink;
    sink.tell(host, What::Visited(place, &visit));
    let read = match visit.kind {
        VisitKind::Malformed(malformed) => {
            let (method, path, content_type, body) = malformed.request();
            read(visit.coordinator, method, path, Some(content_type), body).await
        }
        VisitKind::Read(page) => read(visit.coordinator, "GET", page.path(), None, String::new()).await,
        VisitKind::Follow { first_ms, away_ms, then_ms, recent } => {
            let path = if recent { "/events?recent=3" } else { "/events" };
            let first = follow(visit.coordinator, path, None, Duration::from_millis(first_ms)).await;
            match first {
                None => None,
                Some(first) => {
                    sleep(Duration::from_millis(away_ms)).await;
                    let last = last_id(&first.body);
                    let then = follow(visit.coordinator, "/events", last, Duration::from_millis(then_ms)).await;
                    let again = then.map(|then| [FOLLOWED_AGAIN, &then.body].concat()).unwrap_or_default();
                    Some(Read { body: first.body + &again, ..first })
                }
            }
        }
        VisitKind::Linger(how, millis) => {
            linger(visit.coordinator, how, Duration::from_millis(millis)).await;
            None
        }
    };
    sink.tell(host, What::VisitEnded(place, read.as_ref()));
}

async fn read(coordinator: u8, method: &str, path: &str, content_type: Option<&str>, body: String) -> Option<Read> {
    let exchange = async {
        let mut connection = Connection::open(coordinator).await.ok()?;
        let mut request = http::Request::builder().method(method).uri(path).header(CONNECTION, "close");
        if let Some(content_type) = content_type {
            request = request.header(CONTENT_TYPE, content_type);
        }
        let response = connection.send(request, body).await.ok()?;
        let (status, content_type) = head(&response);
        let body = response.into_body().collect().await.ok()?.to_bytes();
        Some(Read { status, content_type, body: String::from_utf8_lossy(&body).into_owned() })
    };
    timeout(PATIENCE, exchange).await.ok().flatten()
}

/// The status and the content type of a response.
fn head(response: &Response<Incoming>) -> (u16, String) {
    let content_type = response.headers().get(CONTENT_TYPE).and_then(|value| value.to_str().ok());
    (response.status().as_u16(), content_type.unwrap_or_default().to_owned())
}

/// The id of the last complete event in a stream of events.
fn last_id(text: &str) -> Option<String> {
    let whole = text.rfind("\n\n").map(|end| &text[..end])?;
    whole.lines().rev().find_map(|line| line.strip_prefix("id: ")).map(str::to_owned)
}

/// Reads events for as long as `lasts`. Adds comments to the stream that state when it connected and ended.
async fn follow(coordinator: u8, path: &str, last_id: Option<String>, lasts: Duration) -> Option<Read> {
    let until = Instant::now() + lasts;
    let now = || turmoil::sim_elapsed().expect("a host asks").as_nanos();
    let opened = timeout_at(until, async {
        let mut connection = Connection::open(coordinator).await.ok()?;
        let mut request = http::Request::get(path);
        if let Some(id) = last_id {
            request = request.header("last-event-id", id);
        }
        let response = connection.send(request, String::new()).await.ok()?;
        Some((connection, response))
    });
    let (_connection, response) = opened.await.ok()??;
    let (status, content_type) = head(&response);
    let mut text = format!(": connected {}\n\n", now());
    let mut body = response.into_body();
    while let Ok(Some(Ok(frame))) = timeout_at(until, body.frame()).await {
        if let Some(data) = frame.data_ref() {
            text += &String::from_utf8_lossy(data);
        }
    }
    write!(text, "\n\n: ended {}\n\n", now()).expect("a string takes every text");
    Some(Read { status, content_type, body: text })
}

async fn linger(coordinator: u8, how: Linger, lasts: Duration) {
    let host = Host::Coordinator(coordinator).to_string();
    let Ok(Ok(mut stream)) = timeout(lasts, TcpStream::connect((host.as_str(), HTTP_PORT))).await else { return };
    // The coordinator may close the connection earlier.
    let _ = timeout(lasts, stream.write_all(how.bytes().as_bytes())).await;
    sleep(lasts).await;
}
