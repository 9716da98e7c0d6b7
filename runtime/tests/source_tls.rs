//! The HTTP source over TLS: it queries servers with a trusted certificate, and no others.

use std::io::{Read, Write};
use std::net::TcpListener;
use std::sync::Arc;
use std::time::Duration;

use quorate_core::value::Value;
use quorate_runtime::clock::Clock;
use quorate_runtime::source::{
    AgeFrom, HttpClient, HttpConfig, HttpSource, Pointer, ReadAs, Source, SourceError, UrlTemplate,
};
use rustls::crypto::ring;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{RootCertStore, ServerConfig, ServerConnection, StreamOwned};

/// Self-signed, for 127.0.0.1, valid until 2126. It protects nothing.
const CERTIFICATE: &str = "\
-----BEGIN CERTIFICATE-----
MIIBkzCCATmgAwIBAgIUe5cW6m1Ubnv2SCH1/5sRDtNwabIwCgYIKoZIzj0EAwIw
FzEVMBMGA1UEAwwMcXVvcmF0ZSB0ZXN0MCAXDTI2MTEyMzE5NDQ0OFoYDzIxMjYx
MDMwMTk0NDQ4WjAXMRUwEwYDVQQDDAxxdW9yYXRlIHRlc3QwWTATBgcqhkjOPQIB
BggqhkjOPQMBBwNCAAQ/kiOS7ZVW1KtFHUMRai/Uqy07yay3uc32Ni5CRxwDYfPu
YeN7O6dYnAczCz6F7FvoiUzKBXzajMRIxTHUqicKo2EwXzAdBgNVHQ4EFgQUJoAb
M/TMNKmNrlMZMM5DL78k3fAwHwYDVR0jBBgwFoAUJoAbM/TMNKmNrlMZMM5DL78k
3fAwDwYDVR0RBAgwBocEfwAAATAMBgNVHRMBAf8EAjAAMAoGCCqGSM49BAMCA0gA
MEUCIE0gfS9Lbo3AZMijZOoW6L6GGzYoiHjfWcqQ/LJrhnQAAiEA9Bd0PsgHqTfO
b+tBH94YWcksWXsOY8VkjQv2tTirZVg=
-----END CERTIFICATE-----
";

/// The key of [`CERTIFICATE`].
const KEY: &str = "\
-----BEGIN PRIVATE KEY-----
MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgZahHOlOyt9K7qcTh
DQ8NyheYzakYQmxEhGB22LQfpy2hRANCAAQ/kiOS7ZVW1KtFHUMRai/Uqy07yay3
uc32Ni5CRxwDYfPuYeN7O6dYnAczCz6F7FvoiUzKBXzajMRIxTHUqicK
-----END PRIVATE KEY-----
";

fn certificate() -> CertificateDer<'static> {
    CertificateDer::from_pem_slice(CERTIFICATE.as_bytes()).expect("a certificate")
}

/// Answers `42` to the first request; returns `https://127.0.0.1:PORT/`.
fn serve_once() -> String {
    let key = PrivateKeyDer::from_pem_slice(KEY.as_bytes()).expect("a key");
    let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .expect("the provider's versions")
        .with_no_client_auth()
        .with_single_cert(vec![certificate()], key)
        .expect("the key of the certificate");
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = listener.local_addr().expect("the bound address");
    std::thread::spawn(move || -> std::io::Result<()> {
        let (tcp, _) = listener.accept()?;
        let connection = ServerConnection::new(Arc::new(config)).map_err(std::io::Error::other)?;
        let mut stream = StreamOwned::new(connection, tcp);
        let _ = stream.read(&mut [0; 4096])?;
        stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\nconnection: close\r\n\r\n42")?;
        stream.flush()
    });
    format!("https://{address}/")
}

async fn ask(client: &HttpClient) -> Result<Value, SourceError> {
    let config = HttpConfig {
        url: UrlTemplate::parse(&serve_once()).expect("a good URL"),
        headers: HttpConfig::headers_from([]).expect("good headers"),
        pointer: Pointer::parse("").expect("a good pointer"),
        read_as: ReadAs::Number,
        age: AgeFrom::Nowhere,
        timeout: Duration::from_secs(30),
        max_bytes: 100,
    };
    HttpSource::new(client, config, Clock::new())
        .observe("q", Duration::from_secs(30))
        .await
        .map(|reading| reading.value)
}

#[tokio::test]
async fn a_server_with_a_trusted_certificate_is_asked() {
    let mut roots = RootCertStore::empty();
    roots.add(certificate()).expect("a trust anchor");
    assert_eq!(ask(&HttpClient::trusting(roots).expect("a client")).await, Ok(Value::Number(42.into())));
}

#[tokio::test]
async fn a_server_with_an_unknown_certificate_is_refused() {
    let mut clients = vec![HttpClient::plain().expect("a client")];
    // This client exists only on a host with CA certificates.
    clients.extend(HttpClient::new());
    for client in clients {
        let error = ask(&client).await.expect_err("not trusted").to_string();
        assert!(error.contains("cannot connect") && error.contains("certificate"), "{error}");
    }
}
