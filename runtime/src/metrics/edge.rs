//! The counts at the edge of a coordinator, before its machine.

/// All counts at the edge.
#[derive(Debug)]
pub(crate) struct Edge {
    /// Of `POST /request`.
    pub(crate) limiter: LimiterCounts,
    /// Of the other routes, except probes.
    pub(crate) read_limiter: LimiterCounts,
    pub(crate) connections: ConnectionCounts,
    /// Event streams that are open now.
    pub(crate) subscribers: usize,
}

/// The decisions of a limiter so far, and the number of clients that it distinguishes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LimiterCounts {
    /// Requests within the allowance of their client.
    pub allowed: u64,
    /// Requests beyond it.
    pub refused: u64,
    /// The clients that have an allowance of their own now. Some may have been idle for a while.
    pub clients: usize,
}

/// The connections that are open now, and those refused since the start.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct ConnectionCounts {
    pub(crate) open: usize,
    /// Refused because their peer held as many as one peer may.
    pub(crate) refused_of_peer: u64,
    /// Refused because all connections, except reserved ones, were open.
    pub(crate) refused_of_all: u64,
}
