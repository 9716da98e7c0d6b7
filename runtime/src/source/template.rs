//! A URL with placeholders for the query. No query can direct the request elsewhere.

use std::fmt;

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use reqwest::Url;

/// All characters of ASCII but RFC 3986's unreserved ones.
const ENCODED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// A URL template with `{query}`, `{base}` and `{quote}` after its host. However they are filled, the request goes to
/// the configured scheme, host, port and path prefix.
#[derive(Clone)]
pub struct UrlTemplate {
    parts: Vec<Part>,
    host: String,
    https: bool,
}

#[derive(Clone)]
enum Part {
    Literal(String),
    Query,
    Base,
    Quote,
}

impl UrlTemplate {
    /// Reads a template. A literal `{` is written `%7B`.
    ///
    /// # Errors
    /// A message that says what is wrong with it.
    pub fn parse(url: &str) -> Result<Self, String> {
        let mut parts = Vec::new();
        let mut rest = url;
        while let Some((literal, after)) = rest.split_once('{') {
            parts.push(Part::Literal(literal.to_owned()));
            parts.push(match after.split_once('}') {
                Some(("query", _)) => Part::Query,
                Some(("base", _)) => Part::Base,
                Some(("quote", _)) => Part::Quote,
                _ => return Err("after '{' must come \"query}\", \"base}\" or \"quote}\"; a plain '{' is \"%7B\"".into()),
            });
            rest = after.split_once('}').map_or("", |(_, rest)| rest);
        }
        parts.push(Part::Literal(rest.to_owned()));
        let template = Self { parts, host: String::new(), https: false };

        let parsed = |query| Url::parse(&template.fill(query)?).map_err(|error| format!("is not a URL: {error}"));
        let (one, other) = (parsed("a/a")?, parsed("b/b")?);
        if !matches!(one.scheme(), "http" | "https") {
            return Err("must begin with \"http://\" or \"https://\"".into());
        }
        let authority = |url: &Url| (url.origin(), url.username().to_owned(), url.password().map(str::to_owned));
        if authority(&one) != authority(&other) {
            return Err("may have {query}, {base} and {quote} only after the host".into());
        }
        let host = one.host_str().unwrap_or_default().to_owned();
        Ok(Self { host, https: one.scheme() == "https", ..template })
    }

    /// The host that is asked. It is safe to show: it has no credentials and no query.
    pub fn host(&self) -> &str {
        &self.host
    }

    /// Whether it needs TLS, and so a client that trusts certificate authorities.
    pub fn is_https(&self) -> bool {
        self.https
    }

    /// The URL for one query.
    ///
    /// # Errors
    /// A message that says why the query does not fit.
    pub(super) fn fill_in(&self, query: &str) -> Result<Url, String> {
        Url::parse(&self.fill(query)?).map_err(|_| "the query does not fit into the URL".to_owned())
    }

    fn fill(&self, query: &str) -> Result<String, String> {
        let mut url = String::new();
        for part in &self.parts {
            match part {
                Part::Literal(literal) => url.push_str(literal),
                Part::Query => encode(query, &mut url)?,
                Part::Base => encode(pair(query)?.0, &mut url)?,
                Part::Quote => encode(pair(query)?.1, &mut url)?,
            }
        }
        Ok(url)
    }
}

impl fmt::Debug for UrlTemplate {
    /// Shows only the host: the rest may contain credentials.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("UrlTemplate").field("host", &self.host).finish_non_exhaustive()
    }
}

/// The two sides of a query such as `BTC/USD`.
fn pair(query: &str) -> Result<(&str, &str), String> {
    match query.split_once('/') {
        Some((base, quote)) if !quote.contains('/') => Ok((base, quote)),
        _ => Err("this source needs a query like BASE/QUOTE".into()),
    }
}

/// Percent-encodes all but unreserved characters. Refuses an empty text, and one of dots alone: as a path segment it would
/// climb out of the configured path.
fn encode(text: &str, url: &mut String) -> Result<(), String> {
    if text.bytes().all(|byte| byte == b'.') {
        return Err("a part of the query is empty or only dots".into());
    }
    url.extend(utf8_percent_encode(text, ENCODED));
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fill(template: &str, query: &str) -> Result<String, String> {
        UrlTemplate::parse(template)?.fill_in(query).map(String::from)
    }

    #[test]
    fn a_query_is_percent_encoded_into_its_places() {
        for (template, query, url) in [
            ("https://x.example/p", "BTC/USD", "https://x.example/p"),
            ("https://x.example/{base}-{quote}/t", "BTC/USD", "https://x.example/BTC-USD/t"),
            ("https://x.example/?q={query}", "BTC/USD", "https://x.example/?q=BTC%2FUSD"),
            (
                "http://x.example:8/{query}?{query}",
                "a b&c=d#é?",
                "http://x.example:8/a%20b%26c%3Dd%23%C3%A9%3F?a%20b%26c%3Dd%23%C3%A9%3F",
            ),
            ("https://x.example/a/{query}", "../../b", "https://x.example/a/..%2F..%2Fb"),
            ("https://x.example/a/{query}", "%2e%2e", "https://x.example/a/%252e%252e"),
            ("https://x.example/{query}", "{base}", "https://x.example/%7Bbase%7D"),
        ] {
            assert_eq!(fill(template, query).as_deref(), Ok(url), "{template} {query}");
        }
    }

    #[test]
    fn a_query_cannot_lead_elsewhere() {
        for (template, query) in [
            ("https://x.example/a/{query}", ".."),
            ("https://x.example/a/{query}", ""),
            ("https://x.example/{base}/{quote}", "../USD"),
            ("https://x.example/{base}/{quote}", "BTC"),
            ("https://x.example/{base}/{quote}", "A/B/C"),
        ] {
            assert!(fill(template, query).is_err(), "{template} {query}");
        }
    }

    #[test]
    fn a_template_that_is_not_http_or_opens_its_host_is_refused() {
        for (template, says) in [
            ("x.example/{query}", "not a URL"),
            ("ftp://x.example/", "http://"),
            ("file:///etc/passwd", "http://"),
            ("https://{base}.example/", "after the host"),
            ("https://{base}@x.example/", "after the host"),
            ("https:///{base}/x", "after the host"),
            ("{query}", "not a URL"),
            ("https://x.example/{symbol}", "query}"),
            ("https://x.example/{", "query}"),
        ] {
            let error = fill(template, "BTC/USD").expect_err(template);
            assert!(error.contains(says), "{template}: {error}");
        }
    }
}
