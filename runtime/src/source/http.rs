//! A source behind HTTP: a URL template, and a JSON Pointer to the value in the response.

use std::error::Error;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use reqwest::header::{ACCEPT, HeaderMap, HeaderName, HeaderValue};
use reqwest::redirect;
use rustls::crypto::ring;
use rustls::{ClientConfig, RootCertStore};
use rustls_platform_verifier::BuilderVerifierExt;

use super::json::{Pointer, ReadAs, parse};
use super::{AgeFrom, ConfigError, Reading, Source, SourceError, UrlTemplate, trace_context};
use crate::clock::Clock;
use crate::wire::TRACEPARENT;

/// The `User-Agent` of workers.
const USER_AGENT: &str = concat!("quorate/", env!("CARGO_PKG_VERSION"));

/// The connections of any number of HTTP sources. Cheap to clone; clones share the connections.
///
/// It follows no redirects and uses no proxy from the environment: a request goes where the source file says.
#[derive(Clone, Debug)]
pub struct HttpClient(reqwest::Client);

impl HttpClient {
    /// A client that trusts the certificate authorities that the operating system trusts, or those in `SSL_CERT_FILE`.
    ///
    /// # Errors
    /// [`ConfigError::Tls`] if there are none.
    pub fn new() -> Result<Self, ConfigError> {
        Self::build(|tls| Ok(tls.with_platform_verifier()?.with_no_client_auth()))
    }

    /// A client for `http` only. It trusts no certificate authority, so it works on a host that has none.
    ///
    /// # Errors
    /// [`ConfigError::Tls`].
    pub fn plain() -> Result<Self, ConfigError> {
        Self::trusting(RootCertStore::empty())
    }

    /// A client that trusts only these certificate authorities.
    ///
    /// # Errors
    /// [`ConfigError::Tls`].
    pub fn trusting(roots: RootCertStore) -> Result<Self, ConfigError> {
        Self::build(|tls| Ok(tls.with_root_certificates(roots).with_no_client_auth()))
    }

    fn build(
        trust: impl FnOnce(
            rustls::ConfigBuilder<ClientConfig, rustls::WantsVerifier>,
        ) -> Result<ClientConfig, rustls::Error>,
    ) -> Result<Self, ConfigError> {
        let mut tls = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()
            .and_then(trust)
            .map_err(|error| ConfigError::Tls(error.to_string()))?;
        tls.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
        reqwest::Client::builder()
            .tls_backend_preconfigured(tls)
            .redirect(redirect::Policy::none())
            .no_proxy()
            .user_agent(USER_AGENT)
            .build()
            .map(Self)
            .map_err(|error| ConfigError::Tls(error.to_string()))
    }
}

/// What to request from an HTTP server, and where the value is in its response.
#[derive(Clone, Debug)]
pub struct HttpConfig {
    /// The URL to request.
    pub url: UrlTemplate,
    /// The headers of each request; see [`HttpConfig::headers_from`].
    pub headers: HeaderMap,
    /// Where the value is in the response.
    pub pointer: Pointer,
    /// How the value is read.
    pub read_as: ReadAs,
    /// Where the response states the age of the value.
    pub age: AgeFrom,
    /// The longest time for one response, from connecting to its last byte.
    pub timeout: Duration,
    /// The longest response, in bytes.
    pub max_bytes: usize,
}

impl HttpConfig {
    /// Headers from names and values. The values are never shown.
    ///
    /// # Errors
    /// A message that names the header that HTTP does not allow.
    pub fn headers_from<'a>(pairs: impl IntoIterator<Item = (&'a str, &'a str)>) -> Result<HeaderMap, String> {
        let mut headers = HeaderMap::new();
        for (name, value) in pairs {
            let key = HeaderName::try_from(name).map_err(|_| format!("{name:?} is not a header name"))?;
            let mut value = HeaderValue::try_from(value)
                .map_err(|_| format!("the value of {name:?} has characters that headers cannot have"))?;
            value.set_sensitive(true);
            headers.insert(key, value);
        }
        Ok(headers)
    }
}

/// Queries an HTTP server. Its errors never contain the URL or the headers, because both may have credentials.
#[derive(Debug)]
pub struct HttpSource {
    client: reqwest::Client,
    config: HttpConfig,
    clock: Clock,
}

impl HttpSource {
    /// Builds a source. `clock` turns the times of observations into ages.
    pub fn new(client: &HttpClient, mut config: HttpConfig, clock: Clock) -> Self {
        config.headers.entry(ACCEPT).or_insert(HeaderValue::from_static("application/json"));
        Self { client: client.0.clone(), config, clock }
    }

    async fn ask(&self, url: reqwest::Url) -> Result<Reading, SourceError> {
        let mut request = self.client.get(url).headers(self.config.headers.clone());
        if let Some(context) = trace_context().filter(|_| !self.config.headers.contains_key(TRACEPARENT)) {
            request = request.header(TRACEPARENT, context.to_string());
        }
        let mut response = request.send().await.map_err(|error| self.broken(&error))?;
        let status = response.status();
        if status.is_redirection() {
            return Err(self.failed(format_args!("answered {status}, a redirect, which is not followed")));
        }
        if !status.is_success() {
            return Err(self.failed(format_args!("answered {status}")));
        }
        let announced = response.content_length().unwrap_or(0);
        if usize::try_from(announced).map_or(true, |length| length > self.config.max_bytes) {
            return Err(self.too_long());
        }
        let mut body = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(|error| self.broken(&error))? {
            if body.len() + chunk.len() > self.config.max_bytes {
                return Err(self.too_long());
            }
            body.extend_from_slice(&chunk);
        }
        self.read(response.headers(), &body).map_err(|problem| self.failed(format_args!("{problem}")))
    }

    fn read(&self, headers: &HeaderMap, body: &[u8]) -> Result<Reading, String> {
        let json = parse(body)?;
        let found = self.config.pointer.find(json)?;
        let value = self.config.read_as.read(found).map_err(|problem| format!("the value {problem}"))?;
        Ok(Reading { value, age: self.config.age.find(json, headers, self.clock.wall())? })
    }

    fn too_long(&self) -> SourceError {
        self.failed(format_args!("the answer is longer than {} bytes", self.config.max_bytes))
    }

    /// Reports the innermost cause of a failed request, because the outer ones repeat the URL.
    fn broken(&self, error: &reqwest::Error) -> SourceError {
        let Some(mut cause) = error.source() else {
            return self.failed(format_args!("the request failed"));
        };
        while let Some(inner) = cause.source() {
            cause = inner;
        }
        let step = if error.is_connect() { "cannot connect" } else { "the answer broke off" };
        self.failed(format_args!("{step}: {cause}"))
    }

    fn failed(&self, problem: fmt::Arguments<'_>) -> SourceError {
        SourceError::failed(format!("{}: {problem}", self.config.url.host()))
    }
}

impl Source for HttpSource {
    async fn observe(&self, query: &str, time_left: Duration) -> Result<Reading, SourceError> {
        let url = self.config.url.fill_in(query).map_err(SourceError::failed)?;
        let limit = self.config.timeout.min(time_left);
        match tokio::time::timeout(limit, self.ask(url)).await {
            Ok(answer) => answer,
            Err(_) => Err(self.failed(format_args!("no answer within {} ms", limit.as_millis()))),
        }
    }
}
