//! The adapters of Quorate, as a library for workers and coordinators. They move bytes between the network and the
//! state machines of `quorate-core`, and decide nothing themselves.
//!
//! # A worker of your own
//!
//! Implement [`Source`](source::Source), which provides the values. [`run_worker`](node::run_worker) does the rest: it
//! starts each task once and runs tasks concurrently, gives up at their deadlines, repeats its results when asked
//! again, announces its presence, serves as a NATS service, and finishes its tasks when it is told to stop.
//!
//! Here it runs next to a coordinator, on a bus within the process:
//!
//! ```
//! use std::time::Duration;
//!
//! use quorate_core::coordinator::Config;
//! use quorate_core::policy::Overrides;
//! use quorate_core::query::Query;
//! use quorate_runtime::bus::local::LocalBus;
//! use quorate_runtime::clock::Clock;
//! use quorate_runtime::driver::{CoordinatorDriver, DriverSettings, WorkerSettings};
//! use quorate_runtime::node::run_worker;
//! use quorate_runtime::source::{Reading, Source, SourceError};
//! use quorate_runtime::{Value, WorkerId};
//!
//! struct Prices;
//!
//! impl Source for Prices {
//!     async fn observe(&self, query: &str, _time_left: Duration) -> Result<Reading, SourceError> {
//!         match query {
//!             "BTC/USD" => Ok(Value::number("42000.5")?.into()),
//!             _ => Err(SourceError::unknown_query(query)),
//!         }
//!     }
//! }
//!
//! #[tokio::main]
//! async fn main() -> Result<(), Box<dyn std::error::Error>> {
//!     let bus = LocalBus::new();
//!     let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
//!     let settings = WorkerSettings::new(WorkerId::new("my-worker")?)?;
//!     let stopped = async { drop(stopped.await) };
//!     let worker = tokio::spawn(run_worker(bus.connection(), settings, Prices, stopped));
//!
//!     let (driver, coordinator) =
//!         CoordinatorDriver::new(bus, Clock::new(), Config::default(), DriverSettings::new(7)?).await?;
//!     tokio::spawn(driver.run());
//!     while coordinator.readiness().await?.live_workers == 0 {
//!         tokio::time::sleep(Duration::from_millis(10)).await;
//!     }
//!     let outcome = coordinator.ask(None, Query::new("BTC/USD")?, Overrides::default()).await?;
//!     assert_eq!(outcome.verdict.as_ref().expect("an answer").value, Value::number("42000.5")?);
//!
//!     drop(stop);
//!     worker.await??;
//!     Ok(())
//! }
//! ```
//!
//! Over NATS only the bus differs: it is `NatsBus::connect(NatsConfig::new("nats://localhost:4222"))?` of
//! [`bus::nats`]. `examples/worker.rs` is such a program.
//!
//! # Modules
//!
//! * [`node`]: runs a whole coordinator with its HTTP API in one call, as its program does, or a whole worker
//! * [`source`]: the sources of the worker's program: HTTP services, programs, simulated values
//! * [`bus`]: carries the messages, over NATS or within one process; implement its trait for a bus of your own
//! * [`wire`]: the messages, as `docs/protocol.md` specifies them
//! * [`driver`]: the tasks that own one machine each, below [`node`]
//! * [`http`]: the HTTP API with its pages, limits and events; [`metrics`]: what it counts; [`spans`]: what it traces
//! * [`feeds`]: answers that are kept fresh
//! * [`store`]: what outlives a process: on JetStream, or within one process
//! * [`durable`]: requests whose callers have gone away, and the history of outcomes
//! * [`policies`]: the policy file; [`config_file`]: TOML files, refused with line and column
//! * [`clock`]: follows tokio's time, so that a simulation that drives tokio's time drives everything
#![warn(missing_docs)]

mod age;
pub mod bus;
pub mod clock;
pub mod config_file;
pub mod driver;
pub mod durable;
pub mod feeds;
pub mod http;
pub mod metrics;
pub mod node;
pub mod policies;
pub mod source;
pub mod spans;
pub mod store;
pub mod wire;

pub use quorate_core::id::WorkerId;
pub use quorate_core::offer::Offer;
pub use quorate_core::value::Value;
