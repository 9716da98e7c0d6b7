//! How to reach NATS: addresses, credentials and limits. Secrets are kept out of logs.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use async_nats::{ConnectOptions, ServerAddr};
use percent_encoding::percent_decode_str;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;

use crate::bus::{BusError, SUBSCRIPTION_CAPACITY};

/// How to reach NATS.
#[derive(Clone)]
pub struct NatsConfig {
    /// The servers, each `nats://[user:password@|token@]host[:port]`, or `tls://` to demand encryption. At least one.
    pub urls: Vec<String>,
    /// A credentials file as `nsc` writes it. Read again for every connection, so that it can be replaced.
    pub credentials_file: Option<PathBuf>,
    /// PEM certificates to trust instead of the system's when the connection is encrypted.
    pub root_certificates: Option<PathBuf>,
    /// The name the server lists the connection under.
    pub name: String,
    /// The root of the subjects on which the bus receives its own messages.
    pub inbox: String,
    /// How many messages may wait to be sent.
    pub publish_capacity: usize,
    /// How many messages may wait in one subscription.
    pub subscription_capacity: usize,
    /// How long one attempt to connect may take.
    pub connect_timeout: Duration,
    /// How long a server may be silent before it is pinged. The connection is given up when three pings are unanswered.
    pub ping_interval: Duration,
    /// How long a flush waits at most.
    pub flush_timeout: Duration,
    /// The longest wait before reconnecting after a connection that lasted. It doubles with each failure in a row.
    pub backoff_min: Duration,
    /// The longest wait before an attempt to connect. A connection that does not last longer than this counts as a
    /// failure.
    pub backoff_max: Duration,
}

impl NatsConfig {
    /// The defaults, with one address or several separated by commas, as in `NATS_URL`.
    pub fn new(urls: impl AsRef<str>) -> Self {
        Self { urls: urls.as_ref().split(',').map(str::to_owned).collect(), ..Self::default() }
    }

    /// Checks the settings and the files that they name, without connecting.
    ///
    /// # Errors
    /// [`BusError::Configuration`] if a connection is not possible with them.
    pub fn check(&self) -> Result<Checked, BusError> {
        let servers = self.servers()?;
        Ok(Checked {
            servers: servers.iter().map(|server| server.address.as_url_str().to_owned()).collect(),
            certificates: self.check_files()?,
        })
    }

    /// The servers, if the settings can be used.
    pub(super) fn servers(&self) -> Result<Vec<Server>, BusError> {
        let servers = self.urls.iter().map(|url| Server::parse(url)).collect::<Result<Vec<_>, _>>()?;
        let fault = if servers.is_empty() {
            "no address of a NATS server was given"
        } else if self.publish_capacity == 0 || self.subscription_capacity == 0 {
            "a queue must have room for a message"
        } else if self.ping_interval.is_zero() || self.connect_timeout.is_zero() {
            "the ping interval and the connect timeout must be longer than zero"
        } else {
            return Ok(servers);
        };
        Err(BusError::Configuration(fault.to_owned()))
    }

    /// Reads the files, and returns the number of certificates if there is a file of them.
    pub(super) fn check_files(&self) -> Result<Option<usize>, BusError> {
        if let Some(path) = &self.credentials_file {
            read_credentials(path)
                .and_then(|text| ConnectOptions::with_credentials(&text).map_err(|error| named(path, &error)))
                .map_err(|error| BusError::Configuration(format!("the NATS credentials cannot be used: {error}")))?;
        }
        let Some(path) = &self.root_certificates else { return Ok(None) };
        let certificates = CertificateDer::pem_file_iter(path)
            .and_then(Iterator::collect::<Result<Vec<_>, _>>)
            .map_err(|error| named(path, &error))
            .and_then(|certificates| match certificates.len() {
                0 => Err(named(path, &"there is no PEM certificate in it")),
                count => Ok(count),
            });
        certificates
            .map(Some)
            .map_err(|error| BusError::Configuration(format!("the NATS certificates cannot be used: {error}")))
    }
}

/// What a check of the settings has found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Checked {
    /// The addresses of the servers, without user information.
    pub servers: Vec<String>,
    /// The number of certificates to trust, if they are not the system's.
    pub certificates: Option<usize>,
}

/// Reads a credentials file. An error names the file.
pub(super) fn read_credentials(path: &Path) -> io::Result<String> {
    std::fs::read_to_string(path).map_err(|error| named(path, &error))
}

/// An error about a file, with its name.
fn named(path: &Path, error: &dyn fmt::Display) -> io::Error {
    io::Error::other(format!("{}: {error}", path.display()))
}

impl Default for NatsConfig {
    fn default() -> Self {
        Self {
            urls: vec!["nats://localhost:4222".to_owned()],
            credentials_file: None,
            root_certificates: None,
            name: "quorate".to_owned(),
            inbox: "_INBOX".to_owned(),
            publish_capacity: 16_384,
            subscription_capacity: SUBSCRIPTION_CAPACITY,
            connect_timeout: Duration::from_secs(5),
            ping_interval: Duration::from_secs(2),
            flush_timeout: Duration::from_secs(2),
            backoff_min: Duration::from_millis(50),
            backoff_max: Duration::from_secs(2),
        }
    }
}

impl fmt::Debug for NatsConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("NatsConfig")
            .field("urls", &self.urls.iter().map(|url| redact(url)).collect::<Vec<_>>())
            .field("credentials_file", &self.credentials_file)
            .field("root_certificates", &self.root_certificates)
            .field("name", &self.name)
            .field("inbox", &self.inbox)
            .field("publish_capacity", &self.publish_capacity)
            .field("subscription_capacity", &self.subscription_capacity)
            .field("connect_timeout", &self.connect_timeout)
            .field("ping_interval", &self.ping_interval)
            .field("flush_timeout", &self.flush_timeout)
            .field("backoff_min", &self.backoff_min)
            .field("backoff_max", &self.backoff_max)
            .finish()
    }
}

/// One server: its address without secrets, and the secrets.
#[derive(Clone)]
pub(super) struct Server {
    /// Without user information, so that this program and async-nats may log it.
    pub(super) address: ServerAddr,
    login: Login,
}

/// The user information of an address.
#[derive(Clone)]
enum Login {
    None,
    Token(String),
    Password { user: String, password: String },
}

impl Server {
    /// Reads an address.
    pub(super) fn parse(url: &str) -> Result<Self, BusError> {
        let unusable = |why: &dyn fmt::Display| {
            BusError::Configuration(format!("{:?} is not the address of a NATS server: {why}", redact(url)))
        };
        let mut parsed = url.parse::<ServerAddr>().map_err(|error| unusable(&error))?.into_inner();
        if !matches!(parsed.scheme(), "nats" | "tls") {
            return Err(unusable(&"it does not begin with nats:// or tls://"));
        }
        if parsed.host_str().is_none_or(str::is_empty) {
            return Err(unusable(&"it has no host"));
        }
        let decode = |text: &str| match percent_decode_str(text).decode_utf8() {
            Ok(text) => Ok(text.into_owned()),
            Err(_) => Err(unusable(&"its user information is not valid UTF-8")),
        };
        let login = match (parsed.username(), parsed.password()) {
            ("", None) => Login::None,
            (token, None) => Login::Token(decode(token)?),
            (user, Some(password)) => Login::Password { user: decode(user)?, password: decode(password)? },
        };
        let stripped = parsed.set_username("").and_then(|()| parsed.set_password(None));
        stripped.expect("an address with a host can omit user information");
        let address = ServerAddr::from_url(parsed).map_err(|error| unusable(&error))?;
        Ok(Self { address, login })
    }

    /// What the server refuses when it does not let this program in. Contains no secret.
    pub(super) fn credentials(&self, config: &NatsConfig) -> String {
        match (&self.login, &config.credentials_file) {
            (Login::Password { .. }, _) => "the user or its password".to_owned(),
            (Login::Token(_), _) => "the token".to_owned(),
            (Login::None, Some(file)) => format!("the credentials in {}", file.display()),
            (Login::None, None) => "a client without credentials".to_owned(),
        }
    }

    /// Adds the credentials for this server.
    pub(super) fn log_in(&self, options: ConnectOptions) -> ConnectOptions {
        match self.login.clone() {
            Login::None => options,
            Login::Token(token) => options.token(token),
            Login::Password { user, password } => options.user_and_password(user, password),
        }
    }
}

/// An address without its user information, even when it cannot be parsed.
fn redact(url: &str) -> String {
    match url.rsplit_once('@') {
        Some((before, host)) => {
            let scheme = before.split_once("://").map_or("", |(scheme, _)| scheme);
            format!("{scheme}{}***@{host}", if scheme.is_empty() { "" } else { "://" })
        }
        None => url.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_read_and_its_secrets_are_kept_apart() {
        let server = Server::parse("nats://us%40er:p%3Ass%@example.org:4333").expect("the address is valid");
        assert_eq!(server.address.as_url_str(), "nats://example.org:4333");
        assert!(matches!(&server.login, Login::Password { user, password } if user == "us@er" && password == "p:ss%"),);
        let token = Server::parse("tls://s3cret@example.org").expect("the address is valid");
        assert!(token.address.tls_required());
        assert!(matches!(&token.login, Login::Token(token) if token == "s3cret"));
        assert!(matches!(Server::parse("localhost").expect("a bare host is valid").login, Login::None));
    }

    #[test]
    fn an_unusable_address_is_named_without_its_secrets() {
        for url in ["http://u:s3cret@host", "nats://u:s3cret@host:99999", "nats://u:s3cret@", "nats://", "ws://h", ""] {
            let error = Server::parse(url).err().unwrap_or_else(|| panic!("{url:?} was taken")).to_string();
            assert!(!error.contains("s3cret"), "{error}");
        }
        let config = NatsConfig::new("nats://one,nats://u:s3cret@host");
        assert_eq!(config.urls.len(), 2);
        assert!(!format!("{config:?}").contains("s3cret"), "{config:?}");
    }
}
