//! What is counted at the edge of a coordinator, before its machine.

/// All of it.
#[derive(Debug)]
pub(crate) struct Edge {
    /// Of questions.
    pub(crate) limiter: LimiterCounts,
    /// Of the other routes.
    pub(crate) read_limiter: LimiterCounts,
    pub(crate) connections: ConnectionCounts,
    /// Clients that read events now.
    pub(crate) subscribers: usize,
}

/// What a limiter has decided so far, and how much it holds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LimiterCounts {
    /// Questions within the allowance of their client.
    pub allowed: u64,
    /// Questions beyond it.
    pub refused: u64,
    /// The clients that are told apart now, some of which may have been idle for a while.
    pub clients: usize,
}

/// The connections that are open now, and those refused since the start.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct ConnectionCounts {
    /// Open now.
    pub(crate) open: usize,
    /// Refused because their peer held as many as one may.
    pub(crate) refused_of_peer: u64,
    /// Refused because there were as many as there may be.
    pub(crate) refused_of_all: u64,
}
