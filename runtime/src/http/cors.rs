//! Cross-origin resource sharing: which pages of other origins may use the API from a browser.

use std::str::FromStr;
use std::time::Duration;

use http::header::{CONTENT_TYPE, RETRY_AFTER};
use http::{HeaderName, HeaderValue, Method};
use reqwest::Url;
use tower_http::cors::{AllowOrigin, CorsLayer};

use super::sse::LAST_EVENT_ID;

/// How long a browser may remember the answer to its preflight request.
const MAX_AGE: Duration = Duration::from_mins(10);

/// Pages that may use the API.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AllowedOrigin {
    /// Those of every origin.
    Any,
    /// Those of one origin, as browsers write it in the header `Origin`.
    Exact(HeaderValue),
}

/// A text that is neither `*` nor an origin.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum OriginError {
    /// The text has more than an origin, or browsers write it differently.
    #[error("browsers write this origin as {0}")]
    Form(String),
    /// The text names no origin.
    #[error("expected * or an origin such as https://app.example.org")]
    NoOrigin,
}

impl FromStr for AllowedOrigin {
    type Err = OriginError;

    /// Reads `*` or an origin: a scheme, a host, and the port unless it is that of the scheme.
    fn from_str(text: &str) -> Result<Self, OriginError> {
        if text == "*" {
            return Ok(Self::Any);
        }
        if text.contains('*') {
            return Err(OriginError::NoOrigin);
        }
        let origin = Url::parse(text).map_err(|_| OriginError::NoOrigin)?.origin();
        if !origin.is_tuple() {
            return Err(OriginError::NoOrigin);
        }
        let written = origin.ascii_serialization();
        if written != text {
            return Err(OriginError::Form(written));
        }
        written.parse().map(Self::Exact).map_err(|_| OriginError::NoOrigin)
    }
}

/// Adds the headers to responses and answers preflight requests; `None` if no page of another origin is allowed.
pub(super) fn layer(allowed: &[AllowedOrigin]) -> Option<CorsLayer> {
    let exact = |origin: &AllowedOrigin| match origin {
        AllowedOrigin::Any => None,
        AllowedOrigin::Exact(origin) => Some(origin.clone()),
    };
    let origins: Option<Vec<_>> = allowed.iter().map(exact).collect();
    let origins = match origins {
        Some(none) if none.is_empty() => return None,
        Some(origins) => AllowOrigin::list(origins),
        None => AllowOrigin::any(),
    };
    let layer = CorsLayer::new()
        .allow_origin(origins)
        .allow_methods([Method::GET, Method::POST])
        .allow_headers([CONTENT_TYPE, LAST_EVENT_ID, HeaderName::from_static("traceparent")])
        .expose_headers([RETRY_AFTER])
        .max_age(MAX_AGE);
    Some(layer)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_origin_is_written_as_browsers_write_it() {
        let form = |text: &str| Err(OriginError::Form(text.to_owned()));
        for (text, expected) in [
            ("*", Ok(AllowedOrigin::Any)),
            ("https://app.example.org", Ok(AllowedOrigin::Exact(HeaderValue::from_static("https://app.example.org")))),
            ("http://[::1]:3000", Ok(AllowedOrigin::Exact(HeaderValue::from_static("http://[::1]:3000")))),
            ("https://app.example.org/", form("https://app.example.org")),
            ("https://app.example.org/prices?x=1", form("https://app.example.org")),
            ("HTTPS://App.Example.org:443", form("https://app.example.org")),
            ("https://user@app.example.org", form("https://app.example.org")),
            ("https://bücher.example", form("https://xn--bcher-kva.example")),
            ("app.example.org", Err(OriginError::NoOrigin)),
            ("app.example.org:3000", Err(OriginError::NoOrigin)),
            ("null", Err(OriginError::NoOrigin)),
            ("file:///index.html", Err(OriginError::NoOrigin)),
            ("https://*.example.org", Err(OriginError::NoOrigin)),
            ("", Err(OriginError::NoOrigin)),
        ] {
            assert_eq!(text.parse::<AllowedOrigin>(), expected, "{text}");
        }
    }
}
