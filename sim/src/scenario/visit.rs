//! What clients do over HTTP besides asking questions.

use serde::{Deserialize, Serialize};

/// The visits of clients, and the settings of the coordinators' HTTP API, where `None` is the production default, or for
/// `proxy` no proxy. Only the network stage has them.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Edges {
    /// What clients do besides asking questions, ordered by time.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub visits: Vec<Visit>,
    /// Whether clients send `X-Forwarded-For`, and whether coordinators trust it; `None` if they do not send it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub proxy: Option<Proxy>,
    /// The number of events that a coordinator keeps for readers that reconnect.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kept: Option<usize>,
    /// The number of connections that a coordinator accepts from one client address.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub connections_per_peer: Option<usize>,
    /// The number of clients that a coordinator's rate limiter distinguishes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub clients: Option<usize>,
    /// The number of readers of events that a client may have at a coordinator.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub readers: Option<usize>,
    /// How long a stopping coordinator waits for its connections, in milliseconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stop_ms: Option<u64>,
}

impl Edges {
    /// Whether there are no visits and every setting is left at its default.
    pub fn is_plain(&self) -> bool {
        *self == Self::default()
    }
}

/// Whether coordinators believe the `X-Forwarded-For` that clients send.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Proxy {
    /// They believe it.
    Trusted,
    /// They ignore it.
    Untrusted,
}

/// The last octet of the address that `X-Forwarded-For` states for the question with this number.
pub fn forwarded_for(number: u32) -> u8 {
    (number % 3) as u8
}

/// One visit of a client.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Visit {
    /// When it begins, in milliseconds.
    pub at_ms: u64,
    /// Which client it is.
    pub client: u8,
    /// Which coordinator it visits.
    pub coordinator: u8,
    /// What it does there.
    pub kind: VisitKind,
}

/// What a client does there.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum VisitKind {
    /// It sends a malformed request.
    Malformed(Malformed),
    /// It reads a page.
    Read(Page),
    /// It reads events, disconnects, and resumes where it was.
    Follow {
        /// How long it reads first, in milliseconds.
        first_ms: u64,
        /// How long it is away, in milliseconds.
        away_ms: u64,
        /// How long it reads after that, in milliseconds.
        then_ms: u64,
        /// Whether it begins with some recent events.
        recent: bool,
    },
    /// It holds a connection in this way for this many milliseconds.
    Linger(Linger, u64),
}

/// What is wrong with a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Malformed {
    /// Its body is truncated JSON.
    Json,
    /// Its body is valid JSON without a query.
    NoQuery,
    /// Its query is empty.
    EmptyQuery,
    /// Its id is too long.
    LongId,
    /// An unknown field is nested too deeply.
    Deep,
    /// A field has an invalid value.
    Field,
    /// Its body is declared as text.
    ContentType,
    /// Its body is too long.
    Oversized,
    /// There is no such route.
    Route,
    /// The route does not support the method.
    Method,
}

impl Malformed {
    /// All variants.
    pub const ALL: &[Self] = &[
        Self::Json,
        Self::NoQuery,
        Self::EmptyQuery,
        Self::LongId,
        Self::Deep,
        Self::Field,
        Self::ContentType,
        Self::Oversized,
        Self::Route,
        Self::Method,
    ];

    /// The status and the error word that `docs/protocol.md` specifies for it.
    pub fn answer(self) -> (u16, &'static str) {
        match self {
            Self::Json | Self::NoQuery | Self::EmptyQuery | Self::LongId | Self::Deep | Self::Field => {
                (400, "invalid_request")
            }
            Self::ContentType => (415, "unsupported_media_type"),
            Self::Oversized => (413, "payload_too_large"),
            Self::Route => (404, "not_found"),
            Self::Method => (405, "method_not_allowed"),
        }
    }

    /// The method, the path, the content type and the body of such a request.
    pub fn request(self) -> (&'static str, &'static str, &'static str, String) {
        let json = "application/json";
        let post = |body: String| ("POST", "/request", json, body);
        match self {
            Self::Json => post(r#"{"query": "BTC/USD""#.to_owned()),
            Self::NoQuery => post("{}".to_owned()),
            Self::EmptyQuery => post(r#"{"query": ""}"#.to_owned()),
            Self::LongId => post(format!(r#"{{"query": "BTC/USD", "id": "{}"}}"#, "i".repeat(1000))),
            Self::Deep => post(format!(r#"{{"query": "BTC/USD", "more": {}{}}}"#, "[".repeat(200), "]".repeat(200))),
            Self::Field => post(r#"{"query": "BTC/USD", "timeout_ms": -1}"#.to_owned()),
            Self::ContentType => ("POST", "/request", "text/plain", r#"{"query": "BTC/USD"}"#.to_owned()),
            Self::Oversized => post(format!(r#"{{"query": "{}"}}"#, "q".repeat(20_000))),
            Self::Route => ("POST", "/questions", json, r#"{"query": "BTC/USD"}"#.to_owned()),
            Self::Method => ("PUT", "/request", json, r#"{"query": "BTC/USD"}"#.to_owned()),
        }
    }
}

/// A page of a coordinator's HTTP API.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[allow(missing_docs)]
pub enum Page {
    Workers,
    Metrics,
    Health,
    Ready,
}

impl Page {
    /// All variants.
    pub const ALL: &[Self] = &[Self::Workers, Self::Metrics, Self::Health, Self::Ready];

    /// Its path.
    pub fn path(self) -> &'static str {
        match self {
            Self::Workers => "/workers",
            Self::Metrics => "/metrics",
            Self::Health => "/health",
            Self::Ready => "/ready",
        }
    }
}

/// How a client holds a connection that it does not use.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Linger {
    /// It sends nothing.
    Silent,
    /// It sends the first half of a head.
    HalfHead,
    /// It sends a head, and half of the body that the head announces.
    HalfBody,
    /// It requests a long page many times and reads nothing.
    Unread,
}

impl Linger {
    /// All variants.
    pub const ALL: &[Self] = &[Self::Silent, Self::HalfHead, Self::HalfBody, Self::Unread];

    /// What it sends.
    pub fn bytes(self) -> String {
        let head = "POST /request HTTP/1.1\r\nHost: coordinator\r\nContent-Type: application/json\r\n";
        match self {
            Self::Silent => String::new(),
            Self::HalfHead => head.to_owned(),
            Self::HalfBody => format!("{head}Content-Length: 20\r\n\r\n{{\"query\""),
            Self::Unread => "GET /openapi.json HTTP/1.1\r\nHost: coordinator\r\n\r\n".repeat(8),
        }
    }
}
