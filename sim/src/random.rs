//! Random numbers that depend on the scenario's seed alone.

use std::ops::RangeInclusive;

use rand_chacha::ChaCha8Rng;
use rand_core::{Rng, SeedableRng};

/// A stream of random numbers. Each purpose and host has its own, so that removing a host from a scenario does not
/// change what the others draw.
#[derive(Clone, Debug)]
pub struct Random(ChaCha8Rng);

/// The purpose of a stream. The numbers determine what every seed draws: changing one changes all runs.
#[derive(Clone, Copy, Debug)]
pub enum Stream {
    /// The scenario.
    Scenario = 1,
    /// Latency and loss on the network.
    Network = 2,
    /// What a worker observes and how long it takes.
    Worker = 3,
    /// How a malicious worker tampers with its results.
    Mischief = 4,
    /// The adversary.
    Adversary = 5,
    /// The seeds of coordinators.
    Coordinator = 6,
    /// The pauses between attempts to connect.
    Reconnect = 7,
    /// The messages that a bridge repeats, and when.
    Bridge = 8,
    /// What a store does: latency, losses and elections.
    Store = 9,
    /// The values that are observed for feeds and durable requests, and how their rounds end.
    Rounds = 10,
    /// The part of a scenario with a store.
    Stored = 11,
}

impl Random {
    /// The stream of `seed` for one purpose and the host with this number.
    pub fn new(seed: u64, stream: Stream, host: u32) -> Self {
        let mut random = ChaCha8Rng::seed_from_u64(seed);
        random.set_stream((u64::from(host) << 32) | stream as u64);
        Self(random)
    }

    /// Any number.
    pub fn number(&mut self) -> u64 {
        self.0.next_u64()
    }

    /// A number below `bound`, which must not be zero. Biased by less than one part in 2^32 for small bounds.
    pub fn below(&mut self, bound: u64) -> u64 {
        let wide = u128::from(self.0.next_u64()) * u128::from(bound);
        (wide >> 64) as u64
    }

    /// A number from the range.
    pub fn within(&mut self, range: RangeInclusive<u64>) -> u64 {
        let (low, high) = range.into_inner();
        low + self.below(high.saturating_sub(low).saturating_add(1))
    }

    /// True in `permille` of a thousand cases.
    pub fn chance(&mut self, permille: u32) -> bool {
        self.below(1000) < u64::from(permille)
    }

    /// One of the choices, which must not be empty.
    pub fn pick<T: Copy>(&mut self, choices: &[T]) -> T {
        choices[self.below(choices.len() as u64) as usize]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn streams_are_independent_and_repeatable() {
        let first = |stream, host| Random::new(7, stream, host).number();
        assert_eq!(first(Stream::Worker, 1), first(Stream::Worker, 1));
        assert_ne!(first(Stream::Worker, 1), first(Stream::Worker, 2));
        assert_ne!(first(Stream::Worker, 1), first(Stream::Mischief, 1));
    }

    #[test]
    fn a_range_is_covered_and_never_left() {
        let mut random = Random::new(1, Stream::Scenario, 0);
        let drawn: Vec<u64> = (0..1000).map(|_| random.within(3..=5)).collect();
        assert!((3..=5).all(|number| drawn.contains(&number)) && drawn.iter().all(|drawn| (3..=5).contains(drawn)));
        assert_eq!(random.within(9..=9), 9);
    }
}
