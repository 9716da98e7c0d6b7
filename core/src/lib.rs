//! The decisions of Quorate: state machines and the aggregation.
//!
//! This crate contains no networking code, no threads and no async runtime. It reads no clock and draws no entropy: the
//! caller passes the time to every call and a seed to [`Coordinator::new`]. The same inputs at the same times therefore
//! give the same outputs, and tests need neither a network nor waiting.
//!
//! # The run loop
//!
//! An adapter drives a [`Machine`] in a loop:
//!
//! 1. It polls outputs until there are none, and carries out each.
//! 2. It waits for the next input, but no longer than until [`Machine::poll_timeout`].
//! 3. It hands over the input with [`Machine::handle_input`], or the time with [`Machine::handle_timeout`].
//!
//! Here a coordinator asks two workers, one of which stays silent. Time is a variable, so the five seconds until the
//! deadline pass at once:
//!
//! ```
//! use std::collections::VecDeque;
//! use std::time::Duration;
//!
//! use quorate_core::Coordinator;
//! use quorate_core::coordinator::{Config, Input, Output, Presence, PresenceState, Submit, WorkerResult};
//! use quorate_core::id::{Ticket, WorkerId};
//! use quorate_core::outcome::Status;
//! use quorate_core::policy::Overrides;
//! use quorate_core::query::Query;
//! use quorate_core::time::Timestamp;
//! use quorate_core::value::Value;
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let kraken = WorkerId::new("kraken")?;
//! let bitstamp = WorkerId::new("bitstamp")?;
//! let announcement = |worker: &WorkerId| {
//!     Input::Presence(Presence::new(worker.clone(), "1".into(), PresenceState::Live))
//! };
//! let question = Submit {
//!     ticket: Ticket(1),
//!     id: None,
//!     query: Query::new("BTC/USD")?,
//!     overrides: Overrides::default(),
//!     trace: None,
//! };
//!
//! // The inputs from the network and from a caller, each with its time.
//! let mut now = Timestamp::ZERO;
//! let mut inbox = VecDeque::from([
//!     (now, Input::BusUp),
//!     (now, announcement(&kraken)),
//!     (now, announcement(&bitstamp)),
//!     (now, Input::Submit(question)),
//! ]);
//!
//! let mut coordinator = Coordinator::new(Config::default(), 7);
//! let mut attempts = Vec::new();
//! let outcome = 'run: loop {
//!     while let Some(output) = coordinator.poll_output() {
//!         match output {
//!             // Kraken answers the first attempt after 20 ms. A real adapter sends the task to all workers.
//!             Output::Publish(task) => {
//!                 attempts.push(task.attempt);
//!                 if task.attempt == 1 {
//!                     let result = WorkerResult {
//!                         task: Some(task.id),
//!                         ..WorkerResult::new(kraken.clone(), task.request, Ok(Value::number("42000.5")?))
//!                     };
//!                     inbox.push_back((now.after(Duration::from_millis(20)), Input::Result(result)));
//!                 }
//!             }
//!             // The caller's answer, or the reason why the request was refused.
//!             Output::Answer { ticket, reply } => {
//!                 assert_eq!(ticket, Ticket(1));
//!                 break 'run reply?;
//!             }
//!             // A real adapter pings the workers, publishes the outcome, stops, and passes events on.
//!             Output::CallWorkers | Output::Ended(_) | Output::Drained | Output::Event(_) => {}
//!         }
//!     }
//!     let due = coordinator.poll_timeout().unwrap_or(Timestamp::MAX);
//!     match inbox.pop_front() {
//!         Some((at, input)) if at <= due => {
//!             now = at;
//!             coordinator.handle_input(now, &input);
//!         }
//!         later => {
//!             inbox.extend(later);
//!             now = due;
//!             coordinator.handle_timeout(now);
//!         }
//!     }
//! };
//!
//! // The coordinator sent the task again at half of the timeout, and answered at the deadline with what it had.
//! assert_eq!(attempts, [1, 2]);
//! assert_eq!(now, Timestamp::from_millis(5000));
//! assert_eq!(outcome.missing, [bitstamp]);
//! let answer = outcome.verdict.as_ref().expect("one value is enough");
//! assert_eq!(answer.value, Value::number("42000.5")?);
//! assert_eq!(answer.status, Status::Partial);
//! # Ok(())
//! # }
//! ```
//!
//! # Modules
//!
//! * [`machine`]: the trait that the machines implement
//! * [`coordinator`]: the machine that serves requests
//! * [`worker`]: the machine that answers tasks
//! * [`feed`]: the machine that keeps answers fresh
//! * [`durable`]: the machine that serves requests whose callers have gone away
//! * [`aggregate`]: combines many values into one
//! * [`outcome`]: how a request ended, with its evidence and its size in memory
//! * [`offer`]: the queries that a worker can answer
//! * [`policy`]: how one request is answered, and the server's limits
//! * [`id`], [`query`], [`pattern`], [`time`], [`value`]: bounded texts, patterns of queries, timestamps, exact values
//! * [`trace`]: an opaque mark that the machines copy, so that adapters can assign work to a trace
#![warn(missing_docs)]

pub mod aggregate;
pub mod coordinator;
pub mod durable;
pub mod feed;
pub mod id;
pub mod machine;
mod memory;
pub mod offer;
pub mod outcome;
pub mod pattern;
pub mod policy;
pub mod query;
pub mod time;
pub mod trace;
pub mod value;
pub mod worker;

pub use coordinator::Coordinator;
pub use durable::Durable;
pub use feed::Feeds;
pub use machine::Machine;
pub use worker::Worker;
