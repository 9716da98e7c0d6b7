//! What can come from outside, for tests and fuzzers: the likely, the unlikely and the absurd.

pub mod aggregation;
pub mod bytes;
mod clock;
<<<<<<< HEAD
mod feeds;
=======
mod durable;
>>>>>>> w-durable
mod run;
mod steps;
mod worker;

<<<<<<< HEAD
pub use feeds::{FeedsRun, feed_steps};
=======
pub use durable::{DurableRun, TimedDurableStep, durable_config, durable_steps};
>>>>>>> w-durable
pub use run::Run;
pub use steps::{TimedStep, config, steps};
pub use worker::{TimedWorkerStep, WorkerRun, worker_config, worker_steps};
