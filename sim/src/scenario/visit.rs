//! What clients do over HTTP beside asking questions.

use serde::{Deserialize, Serialize};

/// What there is at the edge of the coordinators; only where there is HTTP.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Edges {
    /// What clients do beside asking questions, in the order of time.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub visits: Vec<Visit>,
    /// For whom clients say that they ask; `None` if they say nothing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub proxy: Option<Proxy>,
    /// How many events a coordinator keeps for those who come back; `None` is production's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kept: Option<usize>,
    /// How many connections of one client a coordinator holds; `None` is production's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub connections_per_peer: Option<usize>,
    /// How many clients the limiter of a coordinator tells apart; `None` is production's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub clients: Option<usize>,
    /// How many readers of events a client may have at a coordinator; `None` is production's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub readers: Option<usize>,
    /// How long a coordinator that stops waits for its connections, in milliseconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stop_ms: Option<u64>,
}

impl Edges {
    /// Whether everything is as without visits and proxies.
    pub fn is_plain(&self) -> bool {
        *self == Self::default()
    }
}

/// Clients say in `X-Forwarded-For` that they ask for somebody else.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Proxy {
    /// And are believed.
    Trusted,
    /// And are not.
    Untrusted,
}

/// For whom a client asks the question with this number, if it says so.
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
    /// It reads events, goes away, and comes back to where it was.
    Follow {
        /// How long it reads first, in milliseconds.
        first_ms: u64,
        /// How long it is away.
        away_ms: u64,
        /// How long it reads then.
        then_ms: u64,
        /// Whether it begins with some that happened before.
        recent: bool,
    },
    /// It holds a connection for so many milliseconds, in this way.
    Linger(Linger, u64),
}

/// What is wrong with a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Malformed {
    /// Its body breaks off.
    Json,
    /// Its body is valid JSON that asks nothing.
    NoQuery,
    /// Its query is empty.
    EmptyQuery,
    /// Its id is longer than an id may be.
    LongId,
    /// A field that is ignored is nested too deeply.
    Deep,
    /// A field is out of its type.
    Field,
    /// Its body is said to be a text.
    ContentType,
    /// Its body is longer than one may be.
    Oversized,
    /// There is no such route.
    Route,
    /// The route does not take that method.
    Method,
}

impl Malformed {
    /// All of them.
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

    /// The status and the word that `docs/protocol.md` names for it.
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
            Self::Route => ("POST", "/requests", json, r#"{"query": "BTC/USD"}"#.to_owned()),
            Self::Method => ("PUT", "/request", json, r#"{"query": "BTC/USD"}"#.to_owned()),
        }
    }
}

/// A page of a coordinator.
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
    /// All of them.
    pub const ALL: &[Self] = &[Self::Workers, Self::Metrics, Self::Health, Self::Ready];

    /// Where it is.
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
    /// It sends a head, and half of the body it names.
    HalfBody,
    /// It asks for a long page many times over, and reads nothing.
    Unread,
}

impl Linger {
    /// All of them.
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
