//! How often one client may send a request.

use std::collections::HashMap;
use std::net::IpAddr;
use std::num::NonZeroU32;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use governor::Quota;
use governor::clock::Clock as _;
use governor::middleware::NoOpMiddleware;
use governor::nanos::Nanos;
use governor::state::StateStore;
use governor::state::keyed::ShrinkableKeyedStateStore;

use super::client::Client;
use crate::clock::Clock;
use crate::metrics::LimiterCounts;

/// How many clients a limiter distinguishes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ClientTable {
    /// The most clients with an allowance of their own. Further ones share one allowance until others have been idle;
    /// known clients keep theirs.
    pub max_clients: usize,
    /// After this many checks, the clients with a full allowance are forgotten; at least 1.
    pub forget_every: u64,
}

impl Default for ClientTable {
    fn default() -> Self {
        Self { max_clients: 65_536, forget_every: 4096 }
    }
}

/// How often one client may send a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RateLimit {
    /// Requests per second, in the long run.
    pub per_second: NonZeroU32,
    /// The most requests at once, after a pause.
    pub burst: NonZeroU32,
}

/// The allowances of clients: for each, the time at which it is full again.
#[derive(Debug)]
struct Allowances {
    max_clients: usize,
    table: Mutex<Table>,
}

#[derive(Debug, Default)]
struct Table {
    known: HashMap<Client, Nanos>,
    /// The allowance that clients without an entry share.
    others: Option<Nanos>,
}

impl Allowances {
    fn new(max_clients: usize) -> Self {
        Self { max_clients, table: Mutex::default() }
    }

    fn table(&self) -> MutexGuard<'_, Table> {
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl StateStore for Allowances {
    type Key = Client;

    fn measure_and_replace<T, F, E>(&self, client: &Client, decide: F) -> Result<T, E>
    where
        F: Fn(Option<Nanos>) -> Result<(T, Nanos), E>,
    {
        let mut table = self.table();
        let known = table.known.get(client).copied();
        let is_known = known.is_some() || table.known.len() < self.max_clients;
        let (decided, next) = decide(if is_known { known } else { table.others })?;
        if is_known {
            table.known.insert(*client, next);
        } else {
            table.others = Some(next);
        }
        Ok(decided)
    }
}

impl ShrinkableKeyedStateStore<Client> for Allowances {
    fn retain_recent(&self, drop_below: Nanos) {
        self.table().known.retain(|_, whole| *whole > drop_below);
    }

    fn shrink_to_fit(&self) {
        self.table().known.shrink_to_fit();
    }

    fn len(&self) -> usize {
        self.table().known.len()
    }

    fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// The runtime's clock, in the form that the limiter needs.
#[derive(Clone, Debug)]
struct LimiterClock(Clock);

impl governor::clock::Clock for LimiterClock {
    type Instant = Nanos;

    fn now(&self) -> Nanos {
        Nanos::new(self.0.now().as_nanos())
    }
}

/// Keeps every client to its rate, in bounded memory.
#[derive(Debug)]
pub struct RateLimiter {
    limiter: governor::RateLimiter<Client, Allowances, LimiterClock, NoOpMiddleware<Nanos>>,
    clock: LimiterClock,
    forget_every: u64,
    /// All checks, counted before they are decided: the number says when to forget.
    asked: AtomicU64,
    allowed: AtomicU64,
    refused: AtomicU64,
}

impl RateLimiter {
    /// A limiter that has not seen any client.
    pub fn new(limit: RateLimit, clients: ClientTable, clock: Clock) -> Self {
        let quota = Quota::per_second(limit.per_second).allow_burst(limit.burst);
        let clock = LimiterClock(clock);
        let allowances = Allowances::new(clients.max_clients);
        Self {
            limiter: governor::RateLimiter::new(quota, allowances, clock.clone()),
            clock,
            forget_every: clients.forget_every.max(1),
            asked: AtomicU64::new(0),
            allowed: AtomicU64::new(0),
            refused: AtomicU64::new(0),
        }
    }

    /// Counts one request of a client against its allowance.
    ///
    /// # Errors
    /// How long the client must wait before its next request.
    pub fn check(&self, address: IpAddr) -> Result<(), Duration> {
        let asked = self.asked.fetch_add(1, Ordering::Relaxed);
        if asked % self.forget_every == self.forget_every - 1 {
            self.limiter.retain_recent();
        }
        let checked = self.limiter.check_key(&Client::from(address));
        let decided = if checked.is_ok() { &self.allowed } else { &self.refused };
        decided.fetch_add(1, Ordering::Relaxed);
        checked.map_err(|not_until| not_until.wait_time_from(self.clock.now()))
    }

    /// The decisions so far, and the number of clients now.
    pub fn counts(&self) -> LimiterCounts {
        LimiterCounts {
            allowed: self.allowed.load(Ordering::Relaxed),
            refused: self.refused.load(Ordering::Relaxed),
            clients: self.limiter.len(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn limit(per_second: u32, burst: u32) -> RateLimit {
        match (NonZeroU32::new(per_second), NonZeroU32::new(burst)) {
            (Some(per_second), Some(burst)) => RateLimit { per_second, burst },
            _ => panic!("a limit is not zero"),
        }
    }

    fn limiter(per_second: u32, burst: u32) -> RateLimiter {
        RateLimiter::new(limit(per_second, burst), ClientTable::default(), Clock::new())
    }

    #[tokio::test(start_paused = true)]
    async fn a_client_gets_its_burst_then_its_rate_and_others_are_not_touched() {
        let limiter = limiter(10, 20);
        let (greedy, modest) = (IpAddr::from([192, 0, 2, 1]), IpAddr::from([192, 0, 2, 2]));
        assert_eq!((0..20).filter(|_| limiter.check(greedy).is_ok()).count(), 20);
        let wait = limiter.check(greedy).expect_err("the burst is used up");
        assert!(wait > Duration::ZERO && wait <= Duration::from_millis(100), "{wait:?}");
        assert!(limiter.check(modest).is_ok());
        tokio::time::advance(Duration::from_secs(1)).await;
        assert_eq!((0..20).filter(|_| limiter.check(greedy).is_ok()).count(), 10);
        assert_eq!(limiter.counts(), LimiterCounts { allowed: 31, refused: 11, clients: 2 });
    }

    #[tokio::test(start_paused = true)]
    async fn a_host_cannot_escape_by_choosing_among_its_ipv6_addresses() {
        let limiter = limiter(1, 5);
        let address = |host: u16| IpAddr::from([0x2001, 0xdb8, 0, 1, 0, 0, 0, host]);
        assert_eq!((0..20).filter(|host| limiter.check(address(*host)).is_ok()).count(), 5);
    }

    #[tokio::test(start_paused = true)]
    async fn memory_is_bounded_however_many_clients_ask() {
        let limiter = RateLimiter::new(limit(1, 1), ClientTable { max_clients: 100, forget_every: 50 }, Clock::new());
        for n in 0..1000_u32 {
            let _ = limiter.check(IpAddr::from(n.to_be_bytes()));
        }
        assert_eq!(limiter.counts().clients, 100);
        tokio::time::advance(Duration::from_secs(10)).await;
        for _ in 0..50 {
            let _ = limiter.check(IpAddr::from([192, 0, 2, 1]));
        }
        assert!(limiter.counts().clients <= 1, "{:?}", limiter.counts());
    }

    #[tokio::test(start_paused = true)]
    async fn a_known_client_keeps_its_own_allowance_when_the_table_is_full_and_unknown_ones_share() {
        let limiter =
            RateLimiter::new(limit(1, 3), ClientTable { max_clients: 2, ..ClientTable::default() }, Clock::new());
        let client = |host: u8| IpAddr::from([192, 0, 2, host]);
        assert!(limiter.check(client(1)).is_ok() && limiter.check(client(2)).is_ok());
        // A crowd that there is no room for uses up the shared allowance.
        let allowed = (3..=20).filter(|host| limiter.check(client(*host)).is_ok()).count();
        assert_eq!(allowed, 3, "they share one allowance");
        for known in [1, 2] {
            let allowed = (0..5).filter(|_| limiter.check(client(known)).is_ok()).count();
            assert_eq!(allowed, 2, "the rest of its own allowance");
        }
    }
}
