//! A client's HTTP connection, and the body of a request.

use bytes::Bytes;
use http::header::{CONNECTION, CONTENT_TYPE, HOST, RETRY_AFTER};
use http::request::Builder;
use http_body_util::{BodyExt as _, Full};
use hyper::Response;
use hyper::body::Incoming;
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
use crate::scenario::{Outliers, Request};

/// A connection to a coordinator. Dropping it closes it, even in the middle of a request.
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
            // The request in flight reports the error.
            let _ = connection.await;
        });
        let authority = format!("{host}:{HTTP_PORT}");
        Ok(Self { sender, authority, carrier })
    }

    pub(super) fn is_open(&self) -> bool {
        !self.sender.is_closed()
    }

    /// Sends a request, and returns the response as soon as its head is there.
    pub(super) async fn send(&mut self, request: Builder, body: String) -> anyhow::Result<Response<Incoming>> {
        self.sender.ready().await?;
        let request = request.header(HOST, &self.authority).body(Full::new(Bytes::from(body)))?;
        Ok(self.sender.send_request(request).await?)
    }

    /// Sends a question and reads the whole response. Returns it with the length of its body in bytes.
    pub(super) async fn ask(
        &mut self,
        body: String,
        headers: &[(&'static str, String)],
        keep_alive: bool,
    ) -> anyhow::Result<(Reply, usize)> {
        let mut request = http::Request::post("/request")
            .header(CONTENT_TYPE, "application/json")
            .header(CONNECTION, if keep_alive { "keep-alive" } else { "close" });
        for (name, value) in headers {
            request = request.header(*name, value);
        }
        let response = self.send(request, body).await?;
        let retry_after = response.headers().get(RETRY_AFTER).and_then(|seconds| seconds.to_str().ok()?.parse().ok());
        let status = response.status().as_u16();
        let body = response.into_body().collect().await?.to_bytes();
        let length = body.len();
        Ok((Reply::Http { status, retry_after, body: String::from_utf8_lossy(&body).into_owned() }, length))
    }
}

/// The body of a request, with the field names of the protocol.
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
    trim_share: Option<Box<RawValue>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    max_deviation: Option<Box<RawValue>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tolerance: Option<Box<RawValue>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    min_agreement: Option<Box<RawValue>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    max_age_ms: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    on_dispute: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    min_responses: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    quorum: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    timeout_ms: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    decimals: Option<u8>,
}

/// The body of a request. Decimals are exact.
pub(super) fn request_body(request: &Request) -> String {
    let policy = &request.policy;
    let json = |text: String| RawValue::from_string(text).expect("a decimal or a quoted name is JSON");
    let decimal = |permille: i64| json(Decimal::new(permille, 3).to_string());
    let outliers = |outliers| {
        let (name, permille) = match outliers {
            Outliers::Mad(permille) => ("mad", permille),
            Outliers::Iqr(permille) => ("iqr", permille),
        };
        json(format!("\"{name}:{}\"", Decimal::new(permille.into(), 3)))
    };
    let body = Body {
        query: request.query_text(),
        id: request.id_text(),
        strategy: policy.strategy.as_deref(),
        precision: policy.precision,
        trim_share: policy.trim_share_permille.map(i64::from).map(decimal),
        max_deviation: policy.outliers.map(outliers).or(policy.max_deviation_permille.map(decimal)),
        tolerance: policy.tolerance_permille.map(decimal),
        min_agreement: policy.min_agreement_permille.map(i64::from).map(decimal),
        max_age_ms: policy.max_age_ms,
        on_dispute: policy.rejects_disputes.map(|rejects| if rejects { "reject" } else { "answer" }),
        min_responses: policy.min_responses,
        quorum: policy.quorum,
        timeout_ms: policy.timeout_ms,
        decimals: policy.decimals,
    };
    serde_json::to_string(&body).expect("texts and numbers are serializable")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scenario::Policy;

    #[test]
    fn a_body_has_exactly_the_fields_that_the_request_sets() {
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
        let new = Policy {
            trim_share_permille: Some(200),
            outliers: Some(Outliers::Mad(3500)),
            max_deviation_permille: Some(50),
            tolerance_permille: Some(5),
            min_agreement_permille: Some(600),
            max_age_ms: Some(700),
            rejects_disputes: Some(true),
            ..Policy::default()
        };
        let fields = concat!(
            r#"{"query":"BTC/USD","trim_share":0.200,"max_deviation":"mad:3.500","tolerance":0.005,"#,
            r#""min_agreement":0.600,"max_age_ms":700,"on_dispute":"reject"}"#
        );
        assert_eq!(request_body(&Request { id: None, policy: new, ..request.clone() }), fields);
        let bare = Request { id: None, policy: Policy::default(), query: 9, ..request };
        assert_eq!(request_body(&bare), r#"{"query":"unknown/query"}"#);
    }
}
