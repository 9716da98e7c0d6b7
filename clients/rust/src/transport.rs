//! HTTP as this crate speaks it, for programs that also send other requests.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use reqwest::{Url, redirect};
use rustls::crypto::ring;
use rustls::{ClientConfig, RootCertStore};
use rustls_platform_verifier::BuilderVerifierExt as _;

use crate::error::Error;

/// How long to wait for a connection.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// A builder of clients for `url`, which follow no redirects, ignore proxies set in the environment, and trust the
/// certificates that the operating system trusts.
///
/// # Errors
/// [`Error::Setup`].
pub fn builder(url: &Url) -> Result<reqwest::ClientBuilder, Error> {
    let setup = |error: &dyn std::error::Error| Error::Setup(error.to_string());
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
        .connect_timeout(CONNECT_TIMEOUT))
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

/// The error of a request to `url` that failed. Its reason is the innermost cause; the outer ones repeat the address.
pub(crate) fn lost(error: &reqwest::Error, url: &Url, after: Duration) -> Error {
    let url = url.clone();
    let mut cause: &dyn std::error::Error = error;
    while let Some(inner) = cause.source() {
        cause = inner;
    }
    let reason = match cause.downcast_ref::<io::Error>() {
        Some(error) => plain_reason(error),
        None => cause.to_string(),
    };
    if error.is_connect() {
        Error::Unreachable { url, reason }
    } else if error.is_timeout() {
        Error::Timeout { url, after }
    } else {
        Error::Broken { url, reason }
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
