//! A client of a coordinator's HTTP API.

use std::error::Error;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use reqwest::header::{ACCEPT, CONTENT_TYPE, RETRY_AFTER};
use reqwest::{Method, StatusCode, Url, redirect};
use rustls::crypto::ring;
use rustls::{ClientConfig, RootCertStore};
use rustls_platform_verifier::BuilderVerifierExt;

use crate::api::{Ask, Body, ErrorBody, Health, Outcome, Queries, Readiness, Workers};

/// How long to wait for a connection.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// How long to wait for an answer that does not depend on workers, or beyond the deadline for one that does.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(10);
/// How long to wait for an answer about health or readiness. Callers probe every few seconds.
const PROBE_TIMEOUT: Duration = Duration::from_secs(3);
/// The longest timeout that a request is expected to have if it sets none.
const ASSUMED_TIMEOUT: Duration = Duration::from_mins(10);
/// The longest answer that is read, in bytes.
const MAX_BODY: usize = 16 << 20;

/// Talks to one coordinator.
#[derive(Clone, Debug)]
pub struct Client {
    http: reqwest::Client,
    url: Url,
}

/// A coordinator's answer, decoded and as received.
#[derive(Clone, Debug)]
pub struct Received<T> {
    /// The answer.
    pub body: T,
    /// Its JSON text, which may have fields that this client does not know.
    pub json: String,
}

/// Why there is no answer. The messages may quote the network: show them through [`crate::render::clean`].
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// Nothing listens there: start a coordinator, or name another one.
    #[error("cannot reach {url}: {reason}; is the coordinator running? start one with: quorate dev")]
    Unreachable {
        /// The address.
        url: Url,
        /// The operating system's reason.
        reason: String,
    },
    /// No answer in time: check the coordinator.
    #[error("{url} did not answer within {} s; check whether the coordinator is overloaded or stuck", .after.as_secs())]
    Timeout {
        /// The address.
        url: Url,
        /// How long the client waited.
        after: Duration,
    },
    /// The connection broke before the whole answer had come: ask again.
    #[error("the connection to {url} broke: {reason}; try again")]
    Broken {
        /// The address.
        url: Url,
        /// The operating system's reason.
        reason: String,
    },
    /// Something other than a coordinator answered: name another address.
    #[error("{url} answered {status}, but not as a coordinator does ({reason}); check the address given with --url")]
    Foreign {
        /// The address.
        url: Url,
        /// The HTTP status.
        status: StatusCode,
        /// What was not understood.
        reason: String,
    },
    /// The coordinator answered with an error.
    #[error("{0}")]
    Refused(Box<Refusal>),
    /// This machine lacks something that the client needs.
    #[error("cannot prepare the HTTP client: {0}; install your system's CA certificates, or use an http:// address")]
    Setup(String),
}

impl ClientError {
    /// The error in one word, for programs.
    pub fn word(&self) -> &str {
        match self {
            Self::Unreachable { .. } => "unreachable",
            Self::Timeout { .. } => "timeout",
            Self::Broken { .. } => "broken",
            Self::Foreign { .. } => "foreign",
            Self::Refused(refusal) => &refusal.answer.body.error,
            Self::Setup(_) => "setup",
        }
    }

    /// Whether a repetition cannot succeed. A server error may come from a proxy in front of a coordinator that has not
    /// started yet, so it is not lasting. Neither is a query that nobody offers: its workers may not have started yet.
    pub fn is_lasting(&self) -> bool {
        match self {
            Self::Foreign { status, .. } => !status.is_server_error(),
            Self::Refused(refusal) => {
                !refusal.is_unknown_query() && matches!(refusal.status.as_u16(), 400 | 404 | 405 | 413 | 415)
            }
            Self::Setup(_) => true,
            Self::Unreachable { .. } | Self::Timeout { .. } | Self::Broken { .. } => false,
        }
    }
}

/// An error that the coordinator answered with.
#[derive(Clone, Debug, thiserror::Error)]
#[error("{}; {}", self.headline(), self.advice())]
pub struct Refusal {
    /// The HTTP status.
    pub status: StatusCode,
    /// Seconds after which to retry, if the coordinator states them.
    pub retry_after: Option<u64>,
    /// The answer.
    pub answer: Received<ErrorBody>,
}

impl Refusal {
    /// Whether the request failed only because the workers disagree.
    pub fn is_disputed(&self) -> bool {
        self.status == StatusCode::CONFLICT && self.answer.body.error == "disputed"
    }

    /// Whether no worker offers the query.
    fn is_unknown_query(&self) -> bool {
        self.status == StatusCode::NOT_FOUND && self.answer.body.error == "unknown_query"
    }

    /// What the coordinator said.
    pub fn headline(&self) -> String {
        let body = &self.answer.body;
        let said = body.details.as_deref().filter(|details| !details.is_empty()).unwrap_or(&body.error);
        format!("the coordinator answered {}: {said}", self.status)
    }

    /// What the user can do about it.
    pub fn advice(&self) -> String {
        let advice = match self.status.as_u16() {
            404 if self.is_unknown_query() => "see what is offered with: quorate queries",
            409 if self.is_disputed() => {
                "compare the values, or ask with --on-dispute answer to receive the disputed answer"
            }
            409 => "use another --id, or none",
            422 => "ask again, lower --min-responses, or list the workers with: quorate workers",
            429 => return format!("ask again in {} s", self.retry_after.unwrap_or(1)),
            503 => match self.answer.body.error.as_str() {
                "no_workers" => "start a worker with the same --nats as the coordinator",
                "too_few_workers" => "start more workers, or list those that are known with: quorate workers",
                "bus_down" => {
                    "check that the NATS server runs at the coordinator's --nats; the coordinator's log has the reason"
                }
                "draining" => "ask another coordinator, or restart this one",
                "overloaded" => "ask again later, or look for a silent worker with: quorate workers",
                _ => "check that NATS and the workers are running, or list the workers with: quorate workers",
            },
            504 => "ask again, or give the workers more time with --timeout-ms",
            500.. => "look at the coordinator's log",
            _ => "correct the request",
        };
        advice.to_owned()
    }
}

impl Client {
    /// A client of the coordinator at `url`. It trusts the certificates that the operating system trusts.
    ///
    /// # Errors
    /// [`ClientError::Setup`].
    pub fn new(url: Url) -> Result<Self, ClientError> {
        let http = builder(&url)?.build().map_err(|error| ClientError::Setup(error.to_string()))?;
        Ok(Self { http, url })
    }

    /// Where the coordinator is.
    pub fn url(&self) -> &Url {
        &self.url
    }

    /// Asks one question.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn ask(&self, ask: &Ask) -> Result<Received<Outcome>, ClientError> {
        let deadline = ask.timeout_ms.map_or(ASSUMED_TIMEOUT, Duration::from_millis);
        let body = serde_json::to_vec(ask).expect("strings and numbers are always JSON");
        self.call(Method::POST, "request", Some(body), deadline + ANSWER_TIMEOUT).await
    }

    /// Lists the workers.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn workers(&self) -> Result<Received<Workers>, ClientError> {
        self.call(Method::GET, "workers", None, ANSWER_TIMEOUT).await
    }

    /// Lists the queries that the workers offer.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn queries(&self) -> Result<Received<Queries>, ClientError> {
        self.call(Method::GET, "queries", None, ANSWER_TIMEOUT).await
    }

    /// Whether the coordinator is alive.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn health(&self) -> Result<Received<Health>, ClientError> {
        self.call(Method::GET, "health", None, PROBE_TIMEOUT).await
    }

    /// Whether the coordinator can serve.
    ///
    /// # Errors
    /// [`ClientError`]; a [`ClientError::Refused`] says why it cannot.
    pub async fn ready(&self) -> Result<Received<Readiness>, ClientError> {
        self.call(Method::GET, "ready", None, PROBE_TIMEOUT).await
    }

    async fn call<T: Body>(
        &self,
        method: Method,
        route: &str,
        body: Option<Vec<u8>>,
        limit: Duration,
    ) -> Result<Received<T>, ClientError> {
        let url = route_url(&self.url, route);
        let mut request = self.http.request(method, url).timeout(limit).header(ACCEPT, "application/json");
        if let Some(body) = body {
            request = request.header(CONTENT_TYPE, "application/json").body(body);
        }
        let mut response = request.send().await.map_err(|error| self.lost(&error, limit))?;
        let status = response.status();
        let retry_after = response.headers().get(RETRY_AFTER).and_then(|after| after.to_str().ok()?.parse().ok());
        let mut json = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(|error| self.lost(&error, limit))? {
            if json.len() + chunk.len() > MAX_BODY {
                return Err(self.foreign(status, &"the answer is too long"));
            }
            json.extend_from_slice(&chunk);
        }
        let json = String::from_utf8(json).map_err(|error| self.foreign(status, &error))?;
        if status.is_success() {
            let body = T::read(&json).map_err(|error| self.foreign(status, &error))?;
            return Ok(Received { body, json });
        }
        let body = ErrorBody::read(&json).map_err(|error| self.foreign(status, &error))?;
        Err(ClientError::Refused(Box::new(Refusal { status, retry_after, answer: Received { body, json } })))
    }

    fn foreign(&self, status: StatusCode, reason: &impl ToString) -> ClientError {
        ClientError::Foreign { url: self.url.clone(), status, reason: reason.to_string() }
    }

    /// The error of a failed request. Its reason is the innermost cause; the outer ones repeat the address.
    fn lost(&self, error: &reqwest::Error, after: Duration) -> ClientError {
        let url = self.url.clone();
        let mut cause: &dyn Error = error;
        while let Some(inner) = cause.source() {
            cause = inner;
        }
        let reason = match cause.downcast_ref::<io::Error>() {
            Some(error) => plain_reason(error),
            None => cause.to_string(),
        };
        if error.is_connect() {
            ClientError::Unreachable { url, reason }
        } else if error.is_timeout() {
            ClientError::Timeout { url, after }
        } else {
            ClientError::Broken { url, reason }
        }
    }
}

/// A builder of clients for `url`, which follow no redirects and ignore proxies set in the environment.
pub(crate) fn builder(url: &Url) -> Result<reqwest::ClientBuilder, ClientError> {
    let setup = |error: &dyn Error| ClientError::Setup(error.to_string());
    let tls = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(|error| setup(&error))?;
    let tls = if url.scheme() == "https" {
        tls.with_platform_verifier().map_err(|error| setup(&error))?
    } else {
        tls.with_root_certificates(RootCertStore::empty())
    };
    Ok(reqwest::Client::builder()
        .tls_backend_preconfigured(tls.with_no_client_auth())
        .redirect(redirect::Policy::none())
        .no_proxy()
        .connect_timeout(CONNECT_TIMEOUT)
        .user_agent(concat!("quorate/", env!("CARGO_PKG_VERSION"))))
}

/// The address of a route, under the base address's own path.
pub fn route_url(base: &Url, route: &str) -> Url {
    let mut url = base.clone();
    url.set_path(&format!("{}/{route}", base.path().trim_end_matches('/')));
    url.set_query(None);
    url.set_fragment(None);
    url
}

/// The common names of frequent errors; the operating system's own words for the rest.
pub fn plain_reason(error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::ConnectionRefused => "connection refused".to_owned(),
        io::ErrorKind::ConnectionReset => "connection reset".to_owned(),
        io::ErrorKind::TimedOut => "timed out".to_owned(),
        _ => error.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn routes_lie_under_the_path_of_the_base_address() {
        for (base, expected) in [
            ("http://localhost:8080", "http://localhost:8080/request"),
            ("http://localhost:8080/", "http://localhost:8080/request"),
            ("http://gateway/quorate/", "http://gateway/quorate/request"),
            ("http://gateway/quorate?x=1#y", "http://gateway/quorate/request"),
        ] {
            let base = Url::parse(base).expect("a URL");
            assert_eq!(route_url(&base, "request").as_str(), expected);
        }
    }
}
