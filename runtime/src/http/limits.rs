//! What bounds the connections of clients.

use std::time::Duration;

/// How many there may be, and how long each may take.
#[derive(Clone, Copy, Debug)]
pub struct ServeLimits {
    /// The most open connections; further ones are answered 503 and closed.
    pub max_connections: usize,
    /// The most open connections of one peer, which is an IPv4 address or a 64-bit prefix of IPv6. A trusted proxy may
    /// hold all that are not reserved.
    pub max_connections_per_peer: usize,
    /// How many of all connections are reserved for peers that hold fewer than four, such as a probe.
    pub reserved_connections: usize,
    /// How long a new connection may be silent.
    pub first_byte_timeout: Duration,
    /// How long the head of a request may take to arrive, also the first byte of a next request.
    pub head_timeout: Duration,
    /// How long a client may not take a byte of what is written to it.
    pub write_timeout: Duration,
    /// How long the answers at hand may take to be written once the server stops.
    pub stop_timeout: Duration,
}

impl Default for ServeLimits {
    fn default() -> Self {
        Self {
            max_connections: 16_384,
            max_connections_per_peer: 1_024,
            reserved_connections: 256,
            first_byte_timeout: Duration::from_secs(5),
            head_timeout: Duration::from_secs(30),
            write_timeout: Duration::from_secs(30),
            stop_timeout: Duration::from_secs(3),
        }
    }
}
