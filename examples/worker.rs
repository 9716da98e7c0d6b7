//! A Quorate worker in Rust, over NATS.
//! Run: NATS_URL=nats://localhost:4222 cargo run --example worker my-worker
use std::{env, error::Error, time::Duration};

use quorate_runtime::bus::nats::{NatsBus, NatsConfig};
use quorate_runtime::driver::WorkerSettings;
use quorate_runtime::node::run_worker;
use quorate_runtime::source::{Reading, Source, SourceError};
use quorate_runtime::{Value, WorkerId};

struct Prices;

impl Source for Prices {
    /// The value: a number or a text. Put your own source here; an error becomes the worker's `err`.
    async fn observe(&self, query: &str, _time_left: Duration) -> Result<Reading, SourceError> {
        match query {
            "BTC/USD" => Ok(Value::number("42000.5")?.into()),
            "ETH/USD" => Ok(Value::number("2500.10")?.into()),
            _ => Err(SourceError::unknown_query(query)),
        }
    }
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let id = env::args().nth(1).unwrap_or_else(|| "rust-1".to_owned());
    let url = env::var("NATS_URL").unwrap_or_else(|_| "nats://localhost:4222".to_owned());
    let bus = NatsBus::connect(NatsConfig::new(url))?;
    let settings = WorkerSettings::new(WorkerId::new(&id)?)?;
    let stop = async { drop(tokio::signal::ctrl_c().await) };
    run_worker(bus, settings, Prices, stop).await?;
    Ok(())
}
