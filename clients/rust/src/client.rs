//! A client of a coordinator's HTTP API.

mod feeds;

use std::ops::Deref;
use std::time::Duration;

use reqwest::header::{ACCEPT, CONTENT_TYPE, RETRY_AFTER};
use reqwest::{Method, Response, StatusCode, Url};
use serde::Deserialize;
use tokio::time::Instant;

use crate::body::{Ask, Body, ErrorBody, Health, Outcome, Policies, Queries, Readiness, RequestState, Workers};
use crate::error::{Error, Refusal};
use crate::follow::{Follow, Following};
use crate::transport::{self, route_url};

/// How long to wait for an answer that does not depend on workers, or beyond the deadline for one that does.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(10);
/// The longest wait for an answer about health or readiness. Callers probe every few seconds.
const PROBE_TIMEOUT: Duration = Duration::from_secs(3);
/// The longest timeout that a request is expected to have if it sets none.
const ASSUMED_TIMEOUT: Duration = Duration::from_mins(10);
/// The longest that a coordinator is asked to wait for an outcome at a time.
const WAIT_AT_A_TIME: Duration = Duration::from_secs(30);
/// The least pause between two questions for an outcome.
const WAIT_PAUSE: Duration = Duration::from_millis(200);
/// The longest answer or event that is read, in bytes.
const MAX_BYTES: usize = 16 << 20;

/// Talks to one coordinator. Clones share its connections.
#[derive(Clone, Debug)]
pub struct Client {
    http: reqwest::Client,
    url: Url,
    timeout: Duration,
    max_bytes: usize,
}

/// Builds a [`Client`].
#[derive(Clone, Debug)]
pub struct ClientBuilder {
    address: String,
    timeout: Duration,
    max_bytes: usize,
    user_agent: String,
}

/// What a coordinator sent, decoded and as received.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Received<T> {
    /// What it sent.
    pub body: T,
    /// Its JSON text, which may have fields that this client does not know.
    pub json: String,
}

impl<T> Deref for Received<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.body
    }
}

impl<T: Body> Received<T> {
    /// Reads what a coordinator sent.
    ///
    /// # Errors
    /// A text that is not this body.
    pub fn read(json: String) -> serde_json::Result<Self> {
        Ok(Self { body: T::read(&json)?, json })
    }
}

impl ClientBuilder {
    /// How long to wait for an answer: from the question on if it does not depend on workers, and otherwise from the
    /// deadline of the request on. The default is 10 s.
    #[must_use]
    pub fn timeout(self, timeout: Duration) -> Self {
        Self { timeout, ..self }
    }

    /// The longest answer or event that is read, in bytes. The default is 16 MiB.
    #[must_use]
    pub fn max_bytes(self, max_bytes: usize) -> Self {
        Self { max_bytes, ..self }
    }

    /// The name under which the client presents itself.
    #[must_use]
    pub fn user_agent(self, user_agent: impl Into<String>) -> Self {
        Self { user_agent: user_agent.into(), ..self }
    }

    /// The client.
    ///
    /// # Errors
    /// [`Error::Address`] and [`Error::Setup`].
    pub fn build(self) -> Result<Client, Error> {
        let Self { address, timeout, max_bytes, user_agent } = self;
        let url = Url::parse(&address).ok();
        let is_web = |url: &Url| matches!(url.scheme(), "http" | "https") && url.has_host();
        let Some(url) = url.filter(is_web) else { return Err(Error::Address { address }) };
        let http = transport::builder(&url)?.user_agent(user_agent).build();
        let http = http.map_err(|error| Error::Setup(error.to_string()))?;
        Ok(Client { http, url, timeout, max_bytes })
    }
}

impl Client {
    /// A client of the coordinator at `url`, such as `http://localhost:8080`. It trusts the certificates that the
    /// operating system trusts.
    ///
    /// # Errors
    /// [`Error::Address`] and [`Error::Setup`].
    pub fn new(url: impl AsRef<str>) -> Result<Self, Error> {
        Self::builder(url).build()
    }

    /// A client of the coordinator at `url`, with settings of its own.
    pub fn builder(url: impl AsRef<str>) -> ClientBuilder {
        ClientBuilder {
            address: url.as_ref().to_owned(),
            timeout: ANSWER_TIMEOUT,
            max_bytes: MAX_BYTES,
            user_agent: concat!("quorate-client/", env!("CARGO_PKG_VERSION")).to_owned(),
        }
    }

    /// Where the coordinator is.
    pub fn url(&self) -> &Url {
        &self.url
    }

    /// Asks one question: an [`Ask`], or only a query.
    ///
    /// # Errors
    /// [`Error`]; an [`Error::Refused`] has what the workers answered, if they were asked.
    pub async fn ask(&self, ask: impl Into<Ask>) -> Result<Received<Outcome>, Error> {
        let ask = ask.into();
        let deadline = ask.timeout_ms.map_or(ASSUMED_TIMEOUT, Duration::from_millis);
        let body = serde_json::to_vec(&ask).expect("strings and numbers are always JSON");
        self.call(Method::POST, self.route("request"), Some(body), deadline.saturating_add(self.timeout)).await
    }

    /// Leaves a request with the coordinator, which needs a store. Once this succeeds, the request will have exactly one
    /// outcome, whichever coordinator stops in between: see [`result`](Self::result). A request with an `id` can be
    /// submitted again if it is not known whether it was accepted.
    ///
    /// # Errors
    /// [`Error`].
    pub async fn submit(&self, ask: impl Into<Ask>) -> Result<Received<RequestState>, Error> {
        let body = serde_json::to_vec(&ask.into()).expect("strings and numbers are always JSON");
        // It takes the coordinator up to 10 s to say that its store does not answer.
        let limit = self.timeout.saturating_add(ANSWER_TIMEOUT);
        self.call(Method::POST, self.route("requests"), Some(body), limit).await
    }

    /// The outcome of a request that was left with a coordinator, or asked lately. It is awaited for `wait`; `None` if
    /// there is none by then.
    ///
    /// # Errors
    /// [`Error`]; an [`Error::Refused`] with the status 404 and the word `not_found` if there is no such request, and any
    /// other one if the request ended with that error.
    pub async fn result(&self, id: &str, wait: Duration) -> Result<Option<Received<Outcome>>, Error> {
        let until = Instant::now().checked_add(wait);
        loop {
            let asked_at = Instant::now();
            let left = until.map_or(WAIT_AT_A_TIME, |until| until.saturating_duration_since(asked_at));
            let wait = left.min(WAIT_AT_A_TIME);
            let mut url = self.route("requests");
            url.path_segments_mut().expect("it is a web address").push(id);
            url.query_pairs_mut().append_pair("wait_ms", &wait.as_millis().to_string());
            let limit = wait.saturating_add(self.timeout);
            let (status, json) = self.received(Method::GET, url, None, limit).await?;
            if status != StatusCode::ACCEPTED {
                return self.ended(status, json).map(Some);
            }
            if left.is_zero() {
                return Ok(None);
            }
            // A coordinator for which too many wait answers at once.
            tokio::time::sleep_until(asked_at + WAIT_PAUSE.min(left)).await;
        }
    }

    /// What the callers of a request received: an outcome, or an error with the status that they received.
    fn ended(&self, status: StatusCode, json: String) -> Result<Received<Outcome>, Error> {
        #[derive(Deserialize)]
        struct Code {
            code: u16,
        }
        let code = serde_json::from_str(&json).ok().and_then(|Code { code }| StatusCode::from_u16(code).ok());
        let Some(status) = code else {
            return Received::read(json).map_err(|error| self.foreign(status, &error));
        };
        let answer = Received::read(json).map_err(|error| self.foreign(status, &error))?;
        Err(Error::Refused(Box::new(Refusal { status, retry_after: None, answer })))
    }

    /// Lists the workers.
    ///
    /// # Errors
    /// [`Error`].
    pub async fn workers(&self) -> Result<Received<Workers>, Error> {
        self.call(Method::GET, self.route("workers"), None, self.timeout).await
    }

    /// Lists the queries that the workers offer.
    ///
    /// # Errors
    /// [`Error`].
    pub async fn queries(&self) -> Result<Received<Queries>, Error> {
        self.call(Method::GET, self.route("queries"), None, self.timeout).await
    }

    /// Shows the policies in force: all, or only the one that applies to a query.
    ///
    /// # Errors
    /// [`Error`].
    pub async fn policies(&self, query: Option<&str>) -> Result<Received<Policies>, Error> {
        let mut url = self.route("policies");
        if let Some(query) = query {
            url.query_pairs_mut().append_pair("query", query);
        }
        self.call(Method::GET, url, None, self.timeout).await
    }

    /// Whether the coordinator is alive.
    ///
    /// # Errors
    /// [`Error`].
    pub async fn health(&self) -> Result<Received<Health>, Error> {
        self.call(Method::GET, self.route("health"), None, self.timeout.min(PROBE_TIMEOUT)).await
    }

    /// Whether the coordinator can serve.
    ///
    /// # Errors
    /// [`Error`]; an [`Error::Refused`] says why it cannot.
    pub async fn ready(&self) -> Result<Received<Readiness>, Error> {
        self.call(Method::GET, self.route("ready"), None, self.timeout.min(PROBE_TIMEOUT)).await
    }

    /// Follows what happens in the coordinator. Nothing is sent before the first event is awaited.
    pub fn follow(&self, follow: Follow) -> Following {
        Following::new(self.clone(), follow)
    }

    /// Begins to read a stream: the response's status and type are right, and its body has not been read.
    pub(crate) async fn open(&self, url: Url, accept: &str, headers: &[(&str, &str)]) -> Result<Response, Error> {
        let mut request = self.http.get(url).header(ACCEPT, accept);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let sent = tokio::time::timeout(self.timeout, request.send()).await;
        let late = || Error::Timeout { url: self.url.clone(), after: self.timeout };
        let response = sent.map_err(|_| late())?.map_err(|error| transport::lost(&error, &self.url, self.timeout))?;
        if !response.status().is_success() {
            let refused = tokio::time::timeout(self.timeout, self.refused(response)).await;
            return Err(refused.unwrap_or_else(|_| late()));
        }
        let kind = response.headers().get(CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or_default();
        if kind.split(';').next().unwrap_or_default().trim() != accept {
            return Err(self.foreign(response.status(), &format!("the answer is not {accept}")));
        }
        Ok(response)
    }

    /// The longest answer or event that is read, in bytes.
    pub(crate) fn max_bytes(&self) -> usize {
        self.max_bytes
    }

    fn route(&self, route: &str) -> Url {
        route_url(&self.url, route)
    }

    async fn call<T: Body>(
        &self,
        method: Method,
        url: Url,
        body: Option<Vec<u8>>,
        limit: Duration,
    ) -> Result<Received<T>, Error> {
        let (status, json) = self.received(method, url, body, limit).await?;
        Received::read(json).map_err(|error| self.foreign(status, &error))
    }

    /// The status and the body of a success.
    async fn received(
        &self,
        method: Method,
        url: Url,
        body: Option<Vec<u8>>,
        limit: Duration,
    ) -> Result<(StatusCode, String), Error> {
        let mut request = self.http.request(method, url).timeout(limit).header(ACCEPT, "application/json");
        if let Some(body) = body {
            request = request.header(CONTENT_TYPE, "application/json").body(body);
        }
        let response = request.send().await.map_err(|error| transport::lost(&error, &self.url, limit))?;
        let status = response.status();
        if !status.is_success() {
            return Err(self.refused(response).await);
        }
        Ok((status, self.text(response, limit).await?))
    }

    /// The error in a response.
    async fn refused(&self, response: Response) -> Error {
        let status = response.status();
        let retry_after = response.headers().get(RETRY_AFTER).and_then(|after| after.to_str().ok()?.parse().ok());
        let json = match self.text(response, self.timeout).await {
            Ok(json) => json,
            Err(error) => return error,
        };
        match Received::<ErrorBody>::read(json) {
            Ok(answer) => Error::Refused(Box::new(Refusal { status, retry_after, answer })),
            Err(error) => self.foreign(status, &error),
        }
    }

    /// The body of a response.
    async fn text(&self, mut response: Response, limit: Duration) -> Result<String, Error> {
        let status = response.status();
        let mut text = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(|error| transport::lost(&error, &self.url, limit))? {
            if text.len() + chunk.len() > self.max_bytes {
                return Err(self.foreign(status, &"the answer is too long"));
            }
            text.extend_from_slice(&chunk);
        }
        String::from_utf8(text).map_err(|error| self.foreign(status, &error))
    }

    pub(crate) fn foreign(&self, status: StatusCode, reason: &impl ToString) -> Error {
        Error::Foreign { url: self.url.clone(), status, reason: reason.to_string() }
    }
}
