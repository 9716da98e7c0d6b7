//! The limits of client connections.

use std::time::Duration;

/// How many connections there may be, and how long each may take.
#[derive(Clone, Copy, Debug)]
pub struct ServeLimits {
    /// The most open connections. Further ones are answered with 503 and closed.
    pub max_connections: usize,
    /// The most open connections of one peer, which is an IPv4 address or a 64-bit prefix of IPv6. A trusted proxy may
    /// hold all that are not reserved.
    pub max_connections_per_peer: usize,
    /// How many of all connections are reserved for peers that hold fewer than four, such as a probe.
    pub reserved_connections: usize,
    /// How long a new connection may be silent.
    pub first_byte_timeout: Duration,
    /// How long the head of a request may take to arrive, including its first byte on a connection that is kept alive.
    pub head_timeout: Duration,
    /// How long a client may read nothing of what is written to it.
    pub write_timeout: Duration,
    /// How long the responses in progress may take to be written once the server stops.
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
