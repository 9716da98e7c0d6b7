//! One HTTP connection of a client, and the body of a request.

use bytes::Bytes;
use http::header::{CONNECTION, CONTENT_TYPE, HOST, RETRY_AFTER};
use http_body_util::{BodyExt as _, Full};
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper_util::rt::TokioIo;
use rust_decimal::Decimal;
use serde::Serialize;
use serde_json::value::RawValue;
use tokio::task::JoinHandle;
use turmoil::net::TcpStream;

use super::stage::HTTP_PORT;
use crate::event::Reply;
use crate::host::Host;
use crate::scenario::Request;

/// A connection to a coordinator. Dropping it closes it, whatever is under way.
pub(super) struct Connection {
    sender: SendRequest<Full<Bytes>>,
    authority: String,
    carrier: JoinHandle<()>,
}

impl Drop for Connection {
    fn drop(&mut self) {
        self.carrier.abort();
    }
}

impl Connection {
    pub(super) async fn open(coordinator: u8) -> anyhow::Result<Self> {
        let host = Host::Coordinator(coordinator).to_string();
        let stream = TcpStream::connect((host.as_str(), HTTP_PORT)).await?;
        let (sender, connection) = handshake(TokioIo::new(stream)).await?;
        let carrier = tokio::spawn(async move {
            // Whoever waits for a response hears of it.
            let _ = connection.await;
        });
        let authority = format!("{host}:{HTTP_PORT}");
        Ok(Self { sender, authority, carrier })
    }

    pub(super) fn is_open(&self) -> bool {
        !self.sender.is_closed()
    }

    /// Asks, and reads the whole response. Returns it with the length of its body.
    pub(super) async fn ask(&mut self, body: String, keep_alive: bool) -> anyhow::Result<(Reply, usize)> {
        self.sender.ready().await?;
        let request = http::Request::post("/request")
            .header(HOST, &self.authority)
            .header(CONTENT_TYPE, "application/json")
            .header(CONNECTION, if keep_alive { "keep-alive" } else { "close" })
            .body(Full::new(Bytes::from(body)))?;
        let response = self.sender.send_request(request).await?;
        let retry_after = response.headers().get(RETRY_AFTER).and_then(|seconds| seconds.to_str().ok()?.parse().ok());
        let status = response.status().as_u16();
        let body = response.into_body().collect().await?.to_bytes();
        let length = body.len();
        Ok((Reply::Http { status, retry_after, body: String::from_utf8_lossy(&body).into_owned() }, length))
    }
}

/// The fields of a request, named as the protocol names them.
#[derive(Serialize)]
struct Body<'a> {
    query: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    strategy: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    precision: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    max_deviation: Option<Box<RawValue>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    min_responses: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    quorum: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    timeout_ms: Option<u64>,
}

/// The body of a request. A decimal has all its digits.
pub(super) fn request_body(request: &Request) -> String {
    let policy = &request.policy;
    let decimal = |permille| {
        let text = Decimal::new(permille, 3).to_string();
        RawValue::from_string(text).expect("a decimal is JSON")
    };
    let body = Body {
        query: request.query_text(),
        id: request.id_text(),
        strategy: policy.strategy.as_deref(),
        precision: policy.precision,
        max_deviation: policy.max_deviation_permille.map(decimal),
        min_responses: policy.min_responses,
        quorum: policy.quorum,
        timeout_ms: policy.timeout_ms,
    };
    serde_json::to_string(&body).expect("texts and numbers are serializable")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scenario::Policy;

    #[test]
    fn a_body_has_what_the_request_sets_and_no_more() {
        let policy = Policy { max_deviation_permille: Some(50), quorum: Some(3), ..Policy::default() };
        let request = Request {
            at_ms: 0,
            client: 1,
            coordinator: 1,
            query: 0,
            id: Some(7),
            policy,
            gives_up_ms: None,
            retries: 0,
        };
        let body = r#"{"query":"BTC/USD","id":"request-7","max_deviation":0.050,"quorum":3}"#;
        assert_eq!(request_body(&request), body);
        let bare = Request { id: None, policy: Policy::default(), query: 9, ..request };
        assert_eq!(request_body(&bare), r#"{"query":"unknown/query"}"#);
    }
}
