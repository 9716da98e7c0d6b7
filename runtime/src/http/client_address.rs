//! The address of a client: the peer's, or the one that a trusted proxy reports.

use std::net::{IpAddr, SocketAddr};

use http::HeaderMap;
use ipnet::IpNet;

const FORWARDED_FOR: &str = "x-forwarded-for";

/// The other end of a connection. Every request carries it as an extension.
#[derive(Clone, Copy, Debug)]
pub struct Peer(pub SocketAddr);

/// The client's address. `X-Forwarded-For` counts only if the peer is a trusted proxy, and is read from its end: each
/// proxy appends the address it was contacted from, so the last address that is not a trusted proxy is the last one
/// that a trusted proxy saw.
pub(super) fn client_address(peer: IpAddr, headers: &HeaderMap, trusted: &[IpNet]) -> IpAddr {
    let peer = peer.to_canonical();
    let is_trusted = |address: &IpAddr| trusted.iter().any(|network| network.contains(address));
    if !is_trusted(&peer) {
        return peer;
    }
    let mut client = peer;
    for header in headers.get_all(FORWARDED_FOR).iter().rev() {
        for hop in header.to_str().unwrap_or_default().split(',').rev() {
            // Nothing before an entry that is not an address can be trusted.
            let Some(address) = parse(hop.trim()) else { return client };
            client = address.to_canonical();
            if !is_trusted(&client) {
                return client;
            }
        }
    }
    client
}

/// Reads an address, to which some proxies add the port.
fn parse(hop: &str) -> Option<IpAddr> {
    hop.parse().ok().or_else(|| hop.parse::<SocketAddr>().ok().map(|address| address.ip()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn forwarded_addresses_count_only_from_trusted_proxies() {
        let trusted: Vec<IpNet> = ["10.0.0.0/8".parse().expect("a network")].into();
        let cases: &[(&str, &[&str], &str)] = &[
            ("192.0.2.1", &["198.51.100.9"], "192.0.2.1"),
            ("10.0.0.1", &["198.51.100.9"], "198.51.100.9"),
            ("::ffff:10.0.0.1", &["198.51.100.9"], "198.51.100.9"),
            ("10.0.0.1", &["203.0.113.7, 198.51.100.9, 10.0.0.2"], "198.51.100.9"),
            ("10.0.0.1", &["203.0.113.7", "198.51.100.9, 10.0.0.2"], "198.51.100.9"),
            ("10.0.0.1", &["198.51.100.9:4711"], "198.51.100.9"),
            ("10.0.0.1", &["[2001:db8::1]:4711"], "2001:db8::1"),
            ("10.0.0.1", &["198.51.100.9, garbage"], "10.0.0.1"),
            ("10.0.0.1", &["10.0.0.3, 10.0.0.2"], "10.0.0.3"),
            ("10.0.0.1", &[], "10.0.0.1"),
        ];
        for (peer, forwarded, client) in cases {
            let mut headers = HeaderMap::new();
            for value in *forwarded {
                headers.append(FORWARDED_FOR, value.parse().expect("a header value"));
            }
            let found = client_address(peer.parse().expect("an address"), &headers, &trusted);
            assert_eq!(found.to_string(), *client, "{peer} {forwarded:?}");
        }
    }
}
