//! Random numbers from the scenario's seed, and from nothing else.

use std::ops::RangeInclusive;

use rand_chacha::ChaCha8Rng;
use rand_core::{Rng, SeedableRng};

/// A stream of random numbers. Each purpose and each host has a stream of its own, so that removing one host from a
/// scenario does not change what the others draw.
#[derive(Clone, Debug)]
pub struct Random(ChaCha8Rng);

/// What a stream is for; the numbers keep streams apart and never change.
#[derive(Clone, Copy, Debug)]
pub enum Stream {
    /// Making the scenario.
    Scenario = 1,
    /// Latency and loss on the network.
    Network = 2,
    /// What a worker observes and how long it takes.
    Worker = 3,
    /// What a worker that means no good does.
    Mischief = 4,
    /// The adversary.
    Adversary = 5,
    /// The seeds of coordinators.
    Coordinator = 6,
    /// The pauses between attempts to connect.
    Reconnect = 7,
    /// What comes twice.
    Bridge = 8,
}

impl Random {
    /// The stream of `seed` for one purpose, and one host of that kind.
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

    /// A number of the range.
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
    fn streams_are_apart_and_the_same_again() {
        let first = |stream, host| Random::new(7, stream, host).number();
        assert_eq!(first(Stream::Worker, 1), first(Stream::Worker, 1));
        assert_ne!(first(Stream::Worker, 1), first(Stream::Worker, 2));
        assert_ne!(first(Stream::Worker, 1), first(Stream::Mischief, 1));
    }

    #[test]
    fn ranges_are_kept_and_reached() {
        let mut random = Random::new(1, Stream::Scenario, 0);
        let drawn: Vec<u64> = (0..1000).map(|_| random.within(3..=5)).collect();
        assert!((3..=5).all(|number| drawn.contains(&number)) && drawn.iter().all(|drawn| (3..=5).contains(drawn)));
        assert_eq!(random.within(9..=9), 9);
    }
}
