//! What the machines of `quorate-core` must do, said a second time and as simply as possible.
//!
//! Each model takes the same inputs at the same times as its machine, predicts what the machine puts out, and says where
//! the two differ. The models know nothing of core but its public types: where core has a slab, an index or a timer,
//! there is a map or a scan here. Tests drive a machine and its model side by side, and so does whoever else runs one.
//!
//! For every step: hand the model what the machine is handed (`input` or `wake`), then every output of the machine
//! (`output`), then ask whether that was all (`settled`) and whether the two look the same (`compare`). A machine must be
//! polled dry after each step, since what it names itself is learned from what it puts out.
#![warn(missing_docs)]

pub mod aggregate;
#[cfg(feature = "arbitrary")]
pub mod arbitrary;
mod coordinator;
pub mod pen;
pub mod policy;
mod worker;

use std::fmt::Debug;

pub use coordinator::CoordinatorModel;
pub use worker::WorkerModel;

/// A machine did something else than its model.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("expected {expected}, and there was {found}")]
pub struct Divergence {
    expected: String,
    found: String,
}

impl Divergence {
    /// Something else was expected.
    fn new(expected: &dyn Debug, found: &dyn Debug) -> Self {
        Self { expected: format!("{expected:?}"), found: format!("{found:?}") }
    }

    /// Fails unless the machine shows what the model expects; `what` names it.
    fn unless_equal<T: Debug + PartialEq>(what: &str, expected: &T, found: &T) -> Result<(), Self> {
        if expected == found { Ok(()) } else { Err(Self::new(&(what, expected), found)) }
    }
}
