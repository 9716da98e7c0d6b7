//! Counts the open connections, in all and per peer, and refuses those beyond a limit.

use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use ipnet::IpNet;

use super::client::Client;
use super::limits::ServeLimits;
use super::shares::Shares;
use crate::metrics::ConnectionCounts;

/// A peer that holds fewer connections than this may take a reserved one.
pub(super) const FEW: usize = 4;

/// The open connections. Clones share one count.
#[derive(Clone, Debug, Default)]
pub(super) struct ConnectionLimiter(Arc<Mutex<Held>>);

#[derive(Debug, Default)]
struct Held {
    open: Shares,
    refused: Refusals,
}

/// Connections that were refused, by the limit that they met.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Refusals {
    of_one_peer: u64,
    of_all: u64,
}

/// Why a connection is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum ConnectionRefused {
    /// The peer holds as many connections as one peer may.
    #[error("your address already holds the maximum number of connections; close some of them")]
    OfPeer,
    /// All connections are open, except those that are reserved for peers with few connections.
    #[error("all connections are in use; try again")]
    OfAll,
}

/// The permit for one connection, which is released when this is dropped.
#[derive(Debug)]
pub(super) struct ConnectionPermit {
    limiter: ConnectionLimiter,
    peer: Client,
}

impl ConnectionLimiter {
    /// Takes a permit for a connection of `peer`. A trusted proxy acts for many clients, and may hold all permits but the
    /// reserved ones.
    pub(super) fn take(
        &self,
        peer: IpAddr,
        limits: &ServeLimits,
        trusted: &[IpNet],
    ) -> Result<ConnectionPermit, ConnectionRefused> {
        let is_trusted = trusted.iter().any(|network| network.contains(&peer.to_canonical()));
        let peer = Client::from(peer);
        let mut held = self.held();
        let of_peer = held.open.of(peer);
        if of_peer >= limits.max_connections_per_peer && !is_trusted {
            held.refused.of_one_peer += 1;
            return Err(ConnectionRefused::OfPeer);
        }
        let reserved = if of_peer < FEW { 0 } else { limits.reserved_connections };
        if held.open.all() >= limits.max_connections.saturating_sub(reserved) {
            held.refused.of_all += 1;
            return Err(ConnectionRefused::OfAll);
        }
        held.open.take(peer);
        Ok(ConnectionPermit { limiter: self.clone(), peer })
    }

    pub(super) fn counts(&self) -> ConnectionCounts {
        let Held { open, refused } = &*self.held();
        ConnectionCounts { open: open.all(), refused_of_peer: refused.of_one_peer, refused_of_all: refused.of_all }
    }

    fn held(&self) -> MutexGuard<'_, Held> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for ConnectionPermit {
    fn drop(&mut self) {
        self.limiter.held().open.release(self.peer);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn limits(max_connections: usize, max_connections_per_peer: usize, reserved_connections: usize) -> ServeLimits {
        ServeLimits { max_connections, max_connections_per_peer, reserved_connections, ..ServeLimits::default() }
    }

    fn peer(host: u8) -> IpAddr {
        IpAddr::from([192, 0, 2, host])
    }

    #[test]
    fn one_peer_holds_only_its_share_and_gets_it_back() {
        let (limiter, limits) = (ConnectionLimiter::default(), limits(100, 10, 0));
        let take = |host| limiter.take(peer(host), &limits, &[]);
        let mut held: Vec<_> = (0..10).map(|_| take(1).expect("within its share")).collect();
        assert_eq!(take(1).expect_err("one too many"), ConnectionRefused::OfPeer);
        let other = take(2).expect("another peer has its own share");
        assert_eq!(limiter.counts(), ConnectionCounts { open: 11, refused_of_peer: 1, refused_of_all: 0 });
        held.pop();
        held.push(take(1).expect("one has ended"));
        drop((held, other));
        assert_eq!((limiter.counts().open, limiter.held().open.clients()), (0, 0));
    }

    #[test]
    fn the_last_connections_are_reserved_for_peers_that_hold_few() {
        let (limiter, limits) = (ConnectionLimiter::default(), limits(20, 20, 6));
        let take = |host| limiter.take(peer(host), &limits, &[]);
        let mut held: Vec<_> = (0..14).map(|_| take(1).expect("not reserved")).collect();
        assert_eq!(take(1).expect_err("the rest is reserved"), ConnectionRefused::OfAll);
        held.extend((0..FEW).map(|_| take(2).expect("the client holds few connections")));
        assert_eq!(take(2).expect_err("the client no longer holds few connections"), ConnectionRefused::OfAll);
        held.extend((0..2).map(|_| take(3).expect("the client holds few connections")));
        assert_eq!(take(4).expect_err("there are no more"), ConnectionRefused::OfAll);
        assert_eq!(limiter.counts(), ConnectionCounts { open: 20, refused_of_peer: 0, refused_of_all: 3 });
    }

    #[test]
    fn a_trusted_proxy_may_hold_all_but_the_reserved_ones_and_ipv6_hosts_share_by_prefix() {
        let (limiter, limits) = (ConnectionLimiter::default(), limits(20, 5, 6));
        let trusted = ["192.0.2.0/24".parse().expect("a network")];
        let held: Vec<_> = (0..14).map(|_| limiter.take(peer(1), &limits, &trusted).expect("a proxy")).collect();
        assert_eq!(limiter.take(peer(1), &limits, &trusted).expect_err("reserved"), ConnectionRefused::OfAll);
        drop(held);
        let host = |host: u16| IpAddr::from([0x2001, 0xdb8, 0, 1, 0, 0, 0, host]);
        let held: Vec<_> = (0..5).map(|n| limiter.take(host(n), &limits, &trusted).expect("its share")).collect();
        assert_eq!(limiter.take(host(9), &limits, &trusted).expect_err("the same /64"), ConnectionRefused::OfPeer);
        drop(held);
    }
}
