//! `quorate exchange`: three simulated exchanges, the venues, whose answers have the form of three public APIs. They stand
//! in for these where there is no internet, and in tests.
//!
//! * `market.rs` moves the prices; `pair.rs` reads the names of pairs
//! * `venue.rs` has the form of each venue's answers; this module serves them

mod market;
mod pair;
mod venue;

use std::io::{self, Write as _};
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use axum::Router;
use axum::extract::{Path, RawQuery, State};
use axum::response::Response;
use axum::routing::get;
use rand_chacha::ChaCha8Rng;
use rand_core::{Rng as _, SeedableRng as _};
use rust_decimal::Decimal;
use rust_decimal::prelude::ToPrimitive as _;
use tokio::sync::Semaphore;

use self::market::Market;
use self::pair::Pair;
use self::venue::Venue;
use crate::args::ExchangeArgs;
use crate::listener::listen;
use crate::serve::seed;
use crate::signals;

/// Answers that may be under way at once, for all venues together.
const MAX_IN_FLIGHT: usize = 1024;

/// Shares are drawn in units of 1 / `PARTS`.
const PARTS: u32 = 1_000_000_000;

/// Serves three venues until a signal stops it.
///
/// # Errors
/// An address that cannot be listened on.
pub async fn run(args: ExchangeArgs) -> anyhow::Result<()> {
    let (listener, address) = listen(args.listen)?;
    let seed = seed(&args.seed)?;
    let stop = signals::stop();
    let venues = axum::serve(listener, router(Exchange::new(&args, seed)));
    // If the output was closed, its reader has seen enough: the venues stay.
    let _ = io::stdout().write_all(greeting(address).as_bytes());
    tokio::select! {
        served = venues => Ok(served?),
        // An answer under way is of no use once its venue is gone.
        () = stop => Ok(()),
    }
}

/// What is there to ask, as addresses to try.
fn greeting(address: SocketAddr) -> String {
    let lines = Venue::ALL.map(|venue| format!("  {:<8}  http://{address}{}\n", venue.name(), venue.example()));
    format!("Three exchanges trade any pair until Ctrl-C, for example:\n{}", lines.concat())
}

/// The venues, and what is random about their answers.
struct Exchange {
    market: Market,
    /// The mean time that an answer takes. The shortest is half of it, the longest one and a half times it.
    latency: Duration,
    /// The share of answers that are errors, in units of 1 / [`PARTS`].
    failing: u32,
    rng: Mutex<ChaCha8Rng>,
    room: Semaphore,
}

impl Exchange {
    fn new(args: &ExchangeArgs, seed: u64) -> Arc<Self> {
        Arc::new(Self {
            market: Market::open(seed, args.spread),
            latency: args.latency,
            failing: (args.failure_rate * Decimal::from(PARTS)).to_u32().unwrap_or(PARTS),
            rng: Mutex::new(ChaCha8Rng::seed_from_u64(seed)),
            room: Semaphore::new(MAX_IN_FLIGHT),
        })
    }

    /// The answer of a venue to a question for a pair.
    async fn answer(&self, venue: Venue, pair: Option<&str>) -> Response {
        let Ok(_permit) = self.room.try_acquire() else { return venue.failure() };
        let (wait, fails) = self.draw();
        tokio::time::sleep(wait).await;
        match pair.and_then(Pair::parse) {
            _ if fails => venue.failure(),
            Some(pair) => venue.ticker(&pair, &self.market.trade(&pair, venue)),
            None => venue.unknown_pair(),
        }
    }

    /// How long an answer takes, and whether it is an error. Each answer takes two draws, so that a failure does not
    /// shift the answers after it.
    fn draw(&self) -> (Duration, bool) {
        let mut rng = self.rng.lock().unwrap_or_else(PoisonError::into_inner);
        let [wait, failure] = [(); 2].map(|()| u32::try_from(rng.next_u64() % u64::from(PARTS)).unwrap_or(0));
        (self.latency / 2 + self.latency * wait / PARTS, failure < self.failing)
    }
}

fn router(exchange: Arc<Exchange>) -> Router {
    type Venues = State<Arc<Exchange>>;
    let coinbase =
        async |State(exchange): Venues, Path(pair): Path<String>| exchange.answer(Venue::Coinbase, Some(&pair)).await;
    let kraken = async |State(exchange): Venues, RawQuery(query): RawQuery| {
        let pair = query.as_deref().and_then(|query| query.split('&').find_map(|field| field.strip_prefix("pair=")));
        exchange.answer(Venue::Kraken, pair).await
    };
    let bitstamp =
        async |State(exchange): Venues, Path(pair): Path<String>| exchange.answer(Venue::Bitstamp, Some(&pair)).await;
    Router::new()
        .route("/products/{pair}/ticker", get(coinbase))
        .route("/0/public/Ticker", get(kraken))
        .route("/api/v2/ticker/{pair}/", get(bitstamp))
        .with_state(exchange)
}

#[cfg(test)]
mod tests {
    use clap::Parser as _;

    use super::*;
    use crate::args::{Command, QuorateArgs};

    fn exchange(flags: &[&str], seed: u64) -> Arc<Exchange> {
        let args = QuorateArgs::try_parse_from(["quorate", "exchange"].iter().chain(flags)).expect("valid");
        let Command::Exchange(args) = args.command else { panic!("exchange is a subcommand") };
        Exchange::new(&args, seed)
    }

    #[test]
    fn the_seed_determines_how_long_answers_take_and_which_fail() {
        let draws = |flags: &[&str], seed| {
            let exchange = exchange(flags, seed);
            (0..2_000).map(|_| exchange.draw()).collect::<Vec<_>>()
        };
        let flags = ["--latency", "100ms", "--failure-rate", "0.2"];
        let sometimes = draws(&flags, 1);
        assert_eq!(sometimes, draws(&flags, 1));
        assert_ne!(sometimes, draws(&flags, 2));
        let failed = sometimes.iter().filter(|(_, fails)| *fails).count();
        assert!((330..470).contains(&failed), "{failed} of 2000");
        let waits = || sometimes.iter().map(|(wait, _)| wait.as_millis());
        assert!(waits().all(|wait| (50..150).contains(&wait)));
        assert!(waits().any(|wait| wait < 55) && waits().any(|wait| wait >= 145));
        let never = draws(&["--latency", "100ms"], 1);
        assert!(never.iter().zip(&sometimes).all(|(one, other)| one.0 == other.0 && !one.1));
        assert!(
            draws(&["--latency", "0s", "--failure-rate", "1"], 1).iter().all(|draw| *draw == (Duration::ZERO, true))
        );
        exchange(&["--latency", "720h"], 1).draw();
    }
}
