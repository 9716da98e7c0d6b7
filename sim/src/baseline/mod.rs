//! Baselines for speed: the same numbers of hosts, messages and events as in a run, with nothing done to them.

mod heap;
mod turmoil;

pub use heap::heap_baseline;
pub use turmoil::{TurmoilDone, TurmoilLoad, turmoil_baseline};
