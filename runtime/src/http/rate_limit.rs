//! How often one client may ask.

use std::net::{IpAddr, Ipv6Addr};
use std::num::NonZeroU32;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use governor::Quota;
use governor::clock::Clock as _;
use governor::middleware::NoOpMiddleware;
use governor::nanos::Nanos;
use governor::state::keyed::HashMapStateStore;

use crate::clock::Clock;

/// The most addresses that are told apart; further ones share one allowance until others have been idle.
const MAX_CLIENTS: usize = 65_536;
/// After this many questions, the addresses that have their whole allowance again are forgotten.
const FORGET_EVERY: u64 = 4096;

/// How often one client may ask.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RateLimit {
    /// Requests per second in the long run.
    pub per_second: NonZeroU32,
    /// Requests at once after a pause.
    pub burst: NonZeroU32,
}

/// Whom an allowance belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Client {
    /// An IPv4 address, or the 64-bit prefix that one IPv6 host can choose its addresses from.
    Address(IpAddr),
    /// Everybody there is no room for.
    Others,
}

impl From<IpAddr> for Client {
    fn from(address: IpAddr) -> Self {
        Self::Address(match address.to_canonical() {
            IpAddr::V6(address) => {
                let prefix = u128::from(address) & !u128::from(u64::MAX);
                IpAddr::V6(Ipv6Addr::from(prefix))
            }
            address @ IpAddr::V4(_) => address,
        })
    }
}

/// The driver's clock as the limiter wants it.
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
    limiter: governor::RateLimiter<Client, HashMapStateStore<Client>, LimiterClock, NoOpMiddleware<Nanos>>,
    clock: LimiterClock,
    /// Every question, counted before it is decided on: says when to forget.
    asked: AtomicU64,
    allowed: AtomicU64,
    refused: AtomicU64,
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

impl RateLimiter {
    /// A limiter that has seen nobody.
    pub fn new(limit: RateLimit, clock: Clock) -> Self {
        let quota = Quota::per_second(limit.per_second).allow_burst(limit.burst);
        let clock = LimiterClock(clock);
        let limiter = governor::RateLimiter::new(quota, HashMapStateStore::default(), clock.clone());
        Self { limiter, clock, asked: AtomicU64::new(0), allowed: AtomicU64::new(0), refused: AtomicU64::new(0) }
    }

    /// Counts one question of a client against its allowance.
    ///
    /// # Errors
    /// How long the client must wait before its next question.
    pub fn check(&self, address: IpAddr) -> Result<(), Duration> {
        let asked = self.asked.fetch_add(1, Ordering::Relaxed);
        if asked % FORGET_EVERY == FORGET_EVERY - 1 {
            self.limiter.retain_recent();
        }
        let client = if self.limiter.len() < MAX_CLIENTS { Client::from(address) } else { Client::Others };
        let checked = self.limiter.check_key(&client);
        let decided = if checked.is_ok() { &self.allowed } else { &self.refused };
        decided.fetch_add(1, Ordering::Relaxed);
        checked.map_err(|not_until| not_until.wait_time_from(self.clock.now()))
    }

    /// What was decided so far.
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

    #[tokio::test(start_paused = true)]
    async fn a_client_gets_its_burst_then_its_rate_and_others_are_not_touched() {
        let limiter = RateLimiter::new(limit(10, 20), Clock::new());
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
        let limiter = RateLimiter::new(limit(1, 5), Clock::new());
        let address = |host: u16| IpAddr::from([0x2001, 0xdb8, 0, 1, 0, 0, 0, host]);
        assert_eq!((0..20).filter(|host| limiter.check(address(*host)).is_ok()).count(), 5);
    }

    #[tokio::test(start_paused = true)]
    async fn memory_is_bounded_whoever_asks() {
        let limiter = RateLimiter::new(limit(1, 1), Clock::new());
        for n in 0..2 * MAX_CLIENTS as u32 {
            let _ = limiter.check(IpAddr::from(n.to_be_bytes()));
        }
        assert!(limiter.limiter.len() <= MAX_CLIENTS + 1, "{}", limiter.limiter.len());
        tokio::time::advance(Duration::from_secs(10)).await;
        for _ in 0..FORGET_EVERY {
            let _ = limiter.check(IpAddr::from([192, 0, 2, 1]));
        }
        assert!(limiter.limiter.len() <= 2, "{}", limiter.limiter.len());
    }
}
