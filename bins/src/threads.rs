//! The runtimes of the programs.

use anyhow::Context;
use tokio::runtime::{Builder, Runtime};

/// A runtime on the calling thread, for a program that mostly waits.
///
/// # Errors
/// The system gives no resources for it.
pub fn one_thread() -> anyhow::Result<Runtime> {
    Builder::new_current_thread().enable_all().build().context("cannot start the runtime")
}

/// A runtime on this many threads. One is the calling thread, which then need not share anything with others.
///
/// # Errors
/// The system gives no resources for it.
pub fn threads(count: u16) -> anyhow::Result<Runtime> {
    if count <= 1 {
        return one_thread();
    }
    Builder::new_multi_thread().worker_threads(count.into()).enable_all().build().context("cannot start the runtime")
}
