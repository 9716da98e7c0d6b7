//! The baselines: how fast the same numbers of hosts, messages and events move when nothing is done with them.

mod heap;
mod turmoil;

pub use heap::heap_baseline;
pub use turmoil::{TurmoilDone, TurmoilLoad, turmoil_baseline};
