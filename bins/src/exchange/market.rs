//! The prices: for each pair a walk that follows from the seed alone, and is the same for all venues.

use std::time::{Duration, Instant, SystemTime};

use quorate_runtime::source::simulated_base;
use rand_chacha::ChaCha8Rng;
use rand_core::{Rng as _, SeedableRng as _};
use rust_decimal::Decimal;

use super::pair::Pair;
use super::venue::Venue;

/// The heights of the waves that make up a walk, in millionths of the price. The first wave has a new height every
/// second, each further one every two, four, eight seconds and so on. Each is higher than the one before by the square
/// root of two, as in a random walk. Together they stay within half a percent.
const WAVES_PPM: [i32; 13] = [20, 28, 40, 57, 80, 113, 160, 226, 320, 453, 640, 905, 1280];

/// The price that was paid last, and when.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Trade {
    pub(super) price: Decimal,
    pub(super) at: SystemTime,
}

/// The prices of all pairs. They change once a second.
#[derive(Debug)]
pub(super) struct Market {
    seed: u64,
    spread: Decimal,
    opened: Instant,
    opened_at: SystemTime,
}

impl Market {
    /// A market that opens now.
    pub(super) fn open(seed: u64, spread: Decimal) -> Self {
        Self { seed, spread, opened: Instant::now(), opened_at: SystemTime::now() }
    }

    /// The last trade of a pair on a venue.
    pub(super) fn trade(&self, pair: &Pair, venue: Venue) -> Trade {
        let second = self.opened.elapsed().as_secs();
        Trade { price: self.price(pair, venue, second), at: self.opened_at + Duration::from_secs(second) }
    }

    /// The price so many seconds after the opening, with as many decimals as the base has.
    fn price(&self, pair: &Pair, venue: Venue, second: u64) -> Decimal {
        let query = pair.query();
        let base = simulated_base(&query);
        let place = Decimal::ONE + self.spread * venue.place();
        let mut price = (base * (Decimal::ONE + self.walk(&query, second)) * place).round_dp(base.scale());
        price.rescale(base.scale());
        price
    }

    /// How far the walk is from the base, as a share of it.
    fn walk(&self, query: &str, second: u64) -> Decimal {
        let mut key = [0; 32];
        key[..8].copy_from_slice(&self.seed.to_le_bytes());
        key[8..8 + query.len()].copy_from_slice(query.as_bytes());
        let mut rng = ChaCha8Rng::from_seed(key);
        let mut walk = Decimal::ZERO;
        for (wave, height) in (0_u32..).zip(WAVES_PPM) {
            let period = 1_u64 << wave;
            let (at, gone) = (second / period, second % period);
            rng.set_stream(u64::from(wave));
            let (from, to) = (height_at(&mut rng, at), height_at(&mut rng, at + 1));
            let share = Decimal::from(gone) / Decimal::from(period);
            walk += Decimal::new(i64::from(height), 6) * (from + (to - from) * share);
        }
        walk
    }
}

/// The height of a wave at one of the points between which it runs straight, from -1 to 1.
fn height_at(rng: &mut ChaCha8Rng, point: u64) -> Decimal {
    rng.set_word_pos(u128::from(point));
    Decimal::new(i64::from(rng.next_u32() % 2_000_001) - 1_000_000, 6)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn market(seed: u64, spread: &str) -> Market {
        Market::open(seed, spread.parse().expect("a number"))
    }

    fn pair(text: &str) -> Pair {
        Pair::parse(text).expect("a pair")
    }

    fn prices(market: &Market, pair: &Pair) -> Vec<Decimal> {
        (0..1_000).map(|second| market.price(pair, Venue::Coinbase, second)).collect()
    }

    #[test]
    fn the_seed_determines_the_prices_and_each_pair_has_its_own() {
        let (btc, eth) = (pair("BTC-USD"), pair("ETH-USD"));
        assert_eq!(prices(&market(7, "0"), &btc), prices(&market(7, "0.1"), &btc));
        assert_ne!(prices(&market(7, "0"), &btc), prices(&market(8, "0"), &btc));
        let moves = |prices: &[Decimal]| prices.windows(2).map(|two| two[1] > two[0]).collect::<Vec<_>>();
        let market = market(7, "0");
        assert_ne!(moves(&prices(&market, &btc)), moves(&prices(&market, &eth)));
    }

    #[test]
    fn a_price_moves_in_small_steps_and_stays_within_half_a_percent() {
        for (name, base, decimals) in [("BTC-USD", 42_000, 2), ("ETH-USD", 2_500, 2), ("XYZ-EUR", 1_000, 2)] {
            let prices = prices(&market(1, "0"), &pair(name));
            let base = Decimal::from(base);
            let largest = prices.windows(2).map(|two| (two[1] - two[0]).abs()).max().expect("prices");
            assert!(largest < base * Decimal::new(2, 4), "{name}: a step of {largest}");
            let (low, high) = (prices.iter().min().expect("prices"), prices.iter().max().expect("prices"));
            let bound = base * Decimal::new(5, 3);
            assert!(base - bound < *low && *high < base + bound, "{name}: {low} to {high}");
            assert!(*high - *low > base * Decimal::new(5, 4), "{name}: {low} to {high}");
            assert!(prices.iter().all(|price| price.scale() == decimals), "{name}");
        }
        let matic = market(1, "0").price(&pair("MATIC-USD"), Venue::Kraken, 0);
        assert_eq!(matic.scale(), 4);
    }

    #[test]
    fn the_venues_differ_by_the_spread() {
        let btc = pair("BTC-USD");
        for (spread, exact) in [("0", 0), ("0.0002", 2), ("0.1", 1_000)] {
            let market = market(3, spread);
            let of = |venue| market.price(&btc, venue, 60);
            let (low, middle, high) = (of(Venue::Kraken), of(Venue::Coinbase), of(Venue::Bitstamp));
            assert!(low <= middle && middle <= high, "{low} {middle} {high}");
            let expected = middle * Decimal::new(exact, 4);
            assert!(((high - low) - expected).abs() <= Decimal::new(2, 2), "{spread}: {low} to {high}");
        }
    }

    #[test]
    fn the_longest_name_of_a_pair_fits() {
        let longest = pair(&format!("{}-{}", "A".repeat(10), "B".repeat(10)));
        assert!(market(u64::MAX, "1").price(&longest, Venue::Bitstamp, u64::MAX >> 1) > Decimal::ZERO);
    }
}
