//! What the machines of `quorate-core` must do, written a second time and as simply as possible.
//!
//! Each model takes the same inputs at the same times as its machine, predicts the outputs, and reports where the two
//! differ. The models use only core's public types: where core has a slab, an index or a timer, a model has a map or a
//! scan. Tests, fuzzers and the simulation run a machine and its model side by side.
//!
//! For every step, give the model what the machine is given (`input` or `wake`), then every output of the machine
//! (`output`). Then check that no output is missing (`settled`) and that the two are in the same state (`compare`).
//! After each step, poll the machine until it has no output left: a model learns the ids that the machine draws from
//! its outputs.
//!
//! * [`aggregate`] computes answers and assessments; [`pen`] is its arithmetic beyond 128 bits, digit by digit
//! * `coordinator/`, `worker.rs`, `feed.rs` and `durable.rs` are the models of the machines
//! * [`arbitrary`] draws what can come from outside, for tests and fuzzers
#![warn(missing_docs)]

pub mod aggregate;
#[cfg(feature = "arbitrary")]
pub mod arbitrary;
mod coordinator;
mod feed;
mod durable;
pub mod pen;
pub mod policy;
mod worker;

use std::fmt::Debug;

pub use coordinator::CoordinatorModel;
pub use feed::FeedsModel;
pub use durable::DurableModel;
pub use worker::WorkerModel;

/// A machine did something other than its model.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("expected {expected}, but found {found}")]
pub struct Divergence {
    expected: String,
    found: String,
}

impl Divergence {
    fn new(expected: &dyn Debug, found: &dyn Debug) -> Self {
        Self { expected: format!("{expected:?}"), found: format!("{found:?}") }
    }

    /// Fails unless the machine shows what the model expects. `what` names the property.
    fn unless_equal<T: Debug + PartialEq>(what: &str, expected: &T, found: &T) -> Result<(), Self> {
        if expected == found { Ok(()) } else { Err(Self::new(&format_args!("{what} to be {expected:?}"), found)) }
    }
}
