//! A source that needs nothing external: it waits, sometimes fails, and draws a value around a base, all from one seed.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use quorate_core::value::Value;
use rand_chacha::ChaCha8Rng;
use rand_core::{Rng, SeedableRng};
use rust_decimal::Decimal;
use rust_decimal::prelude::ToPrimitive;

use super::{ConfigError, Reading, Source, SourceError};

/// The longest delay that may be configured.
const MAX_DELAY: Duration = Duration::from_hours(1);

/// Shares are drawn in units of 1 / `PARTS`.
const PARTS: u64 = 1_000_000_000;

/// The known queries: query, base in units of the last decimal, decimals.
const BASES: [(&str, i64, u32); 4] =
    [("BTC/USD", 4_200_000, 2), ("ETH/USD", 250_000, 2), ("SOL/USD", 10_000, 2), ("MATIC/USD", 8_000, 4)];

/// The base of every other query: 1000.00.
const OTHER_BASE: (i64, u32) = (100_000, 2);

/// How a simulated source behaves.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SimulatedConfig {
    /// The shortest delay before an answer.
    pub delay_min: Duration,
    /// The longest delay before an answer, at most an hour. Delays are uniform between the two.
    pub delay_max: Duration,
    /// The share of queries that fail, between 0 and 1, in steps of 10^-9.
    pub failure_rate: Decimal,
    /// How far a value may be from its base, as a share of the base between 0 and 1. Values are uniform within it.
    pub variance: Decimal,
}

impl Default for SimulatedConfig {
    fn default() -> Self {
        Self {
            delay_min: Duration::from_millis(100),
            delay_max: Duration::from_secs(2),
            failure_rate: Decimal::new(1, 1),
            variance: Decimal::new(1, 2),
        }
    }
}

/// A seeded source: the same seed and the same order of calls give the same delays, failures and values.
#[derive(Debug)]
pub struct SimulatedSource {
    delay_min: Duration,
    delay_spread: Duration,
    /// The share of calls that fail, in units of 1 / [`PARTS`].
    failing: u64,
    variance: Decimal,
    rng: Mutex<ChaCha8Rng>,
}

impl SimulatedSource {
    /// Builds a source from its seed.
    ///
    /// # Errors
    /// [`ConfigError::Simulated`], which says what is out of range.
    pub fn new(config: &SimulatedConfig, seed: u64) -> Result<Self, ConfigError> {
        let share = Decimal::ZERO..=Decimal::ONE;
        if config.delay_min > config.delay_max {
            return Err(ConfigError::Simulated("the shortest delay must not exceed the longest"));
        }
        if config.delay_max > MAX_DELAY {
            return Err(ConfigError::Simulated("the longest delay must be at most an hour"));
        }
        if !share.contains(&config.failure_rate) {
            return Err(ConfigError::Simulated("the failure rate must be between 0 and 1"));
        }
        if !share.contains(&config.variance) {
            return Err(ConfigError::Simulated("the variance must be between 0 and 1"));
        }
        Ok(Self {
            delay_min: config.delay_min,
            delay_spread: config.delay_max.saturating_sub(config.delay_min),
            failing: (config.failure_rate * Decimal::from(PARTS)).to_u64().unwrap_or(0),
            variance: config.variance,
            rng: Mutex::new(ChaCha8Rng::seed_from_u64(seed)),
        })
    }

    /// Draws everything that one call needs. Each call takes three draws, whatever its result, so that a failure does
    /// not shift the calls after it.
    fn draw(&self, query: &str) -> (Duration, Result<Value, SourceError>) {
        let draws = {
            let mut rng = self.rng.lock().unwrap_or_else(PoisonError::into_inner);
            [rng.next_u64(), rng.next_u64(), rng.next_u64()]
        };
        let spread_nanos = u64::try_from(self.delay_spread.as_nanos()).unwrap_or(u64::MAX - 1);
        let delay = self.delay_min + Duration::from_nanos(below(draws[0], spread_nanos + 1));
        let answer = if below(draws[1], PARTS) < self.failing {
            Err(SourceError::Failed("simulated failure".into()))
        } else {
            Ok(Value::Number(self.value(query, draws[2])))
        };
        (delay, answer)
    }

    /// A value at most `variance` away from the base. It is computed in whole units of the last decimal, and so exact.
    fn value(&self, query: &str, draw: u64) -> Decimal {
        let (base, decimals) = base_of(query);
        let spread = (Decimal::from(base) * self.variance).to_u64().unwrap_or(0);
        let offset = i64::try_from(below(draw, 2 * spread + 1)).unwrap_or(0) - i64::try_from(spread).unwrap_or(0);
        Decimal::new(base + offset, decimals)
    }
}

impl Source for SimulatedSource {
    async fn observe(&self, query: &str, _time_left: Duration) -> Result<Reading, SourceError> {
        let (delay, answer) = self.draw(query);
        // A timer takes a millisecond even for a delay of zero.
        if !delay.is_zero() {
            tokio::time::sleep(delay).await;
        }
        answer.map(Reading::from)
    }
}

/// The base of a query, in units of the last decimal, and its decimals.
fn base_of(query: &str) -> (i64, u32) {
    let known = BASES.iter().find(|(name, ..)| *name == query);
    known.map_or(OTHER_BASE, |(_, base, decimals)| (*base, *decimals))
}

/// The value around which simulated values of a query lie, with as many decimals as they have.
pub fn simulated_base(query: &str) -> Decimal {
    let (base, decimals) = base_of(query);
    Decimal::new(base, decimals)
}

/// Scales a uniform draw to `0..end`; the bias is below 2^-20 for the ends used here.
fn below(draw: u64, end: u64) -> u64 {
    u64::try_from((u128::from(draw) * u128::from(end)) >> 64).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn source(seed: u64) -> SimulatedSource {
        SimulatedSource::new(&SimulatedConfig::default(), seed).expect("the default configuration is valid")
    }

    #[test]
    fn the_same_seed_draws_the_same_sequence_and_another_seed_does_not() {
        let sequence = |seed| {
            let source = source(seed);
            (0..50).map(|_| source.draw("BTC/USD")).collect::<Vec<_>>()
        };
        assert_eq!(sequence(7), sequence(7));
        assert_ne!(sequence(7), sequence(8));
    }

    #[test]
    fn every_draw_is_within_its_bounds_and_reaches_near_them() {
        for (query, low, high, decimals) in [
            ("BTC/USD", 4_158_000, 4_242_000, 2),
            ("ETH/USD", 247_500, 252_500, 2),
            ("SOL/USD", 9_900, 10_100, 2),
            ("MATIC/USD", 7_920, 8_080, 4),
            ("anything else", 99_000, 101_000, 2),
        ] {
            let source = source(1);
            let (low, high) = (Decimal::new(low, decimals), Decimal::new(high, decimals));
            let (mut delays, mut values, mut failures) = (Vec::new(), Vec::new(), 0);
            for _ in 0..5_000 {
                let (delay, answer) = source.draw(query);
                delays.push(delay);
                match answer {
                    Ok(Value::Number(number)) => values.push(number),
                    Ok(Value::Text(text)) => panic!("{query}: {text} is not a number"),
                    Err(_) => failures += 1,
                }
            }
            let (min, max) = (*values.iter().min().expect("values"), *values.iter().max().expect("values"));
            assert!(low <= min && max <= high, "{query}: {min} to {max}");
            assert!((max - min) > (high - low) * Decimal::new(95, 2), "{query}: {min} to {max}");
            assert!(values.iter().all(|value| value.scale() == decimals), "{query}");
            assert!((350..650).contains(&failures), "{query}: {failures} of 5000 failed");
            let (min, max) = (*delays.iter().min().expect("delays"), *delays.iter().max().expect("delays"));
            assert!(Duration::from_millis(100) <= min && min < Duration::from_millis(150), "{min:?}");
            assert!(Duration::from_millis(1950) < max && max <= Duration::from_secs(2), "{max:?}");
        }
    }

    #[test]
    fn a_failure_does_not_shift_the_calls_after_it() {
        let never = SimulatedConfig { failure_rate: Decimal::ZERO, ..SimulatedConfig::default() };
        let never = SimulatedSource::new(&never, 3).expect("valid");
        let sometimes = source(3);
        let mut failures = 0;
        for _ in 0..100 {
            let ((delay, answer), (same_delay, expected)) = (sometimes.draw("SOL/USD"), never.draw("SOL/USD"));
            assert_eq!(delay, same_delay);
            if answer.is_ok() {
                assert_eq!(answer, expected);
            } else {
                failures += 1;
            }
        }
        assert!(failures > 0);
    }

    #[test]
    fn what_is_out_of_range_is_refused() {
        let good = SimulatedConfig::default;
        for (config, word) in [
            (SimulatedConfig { delay_min: Duration::from_secs(3), ..good() }, "shortest"),
            (SimulatedConfig { delay_max: Duration::from_secs(3601), ..good() }, "hour"),
            (SimulatedConfig { failure_rate: Decimal::new(11, 1), ..good() }, "failure rate"),
            (SimulatedConfig { failure_rate: Decimal::new(-1, 1), ..good() }, "failure rate"),
            (SimulatedConfig { variance: Decimal::TWO, ..good() }, "variance"),
            (SimulatedConfig { variance: Decimal::NEGATIVE_ONE, ..good() }, "variance"),
        ] {
            let error = SimulatedSource::new(&config, 0).expect_err(word).to_string();
            assert!(error.contains(word), "{error}");
        }
    }
}
