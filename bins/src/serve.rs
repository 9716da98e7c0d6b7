//! The programs that serve: the coordinator, the worker, and both in one process.

use anyhow::bail;

use crate::args::{CoordinatorArgs, DevArgs, WorkerArgs};

/// Runs a coordinator over NATS until it is told to stop.
#[expect(clippy::unused_async, reason = "the signature of what is joined here")]
pub async fn coordinator(_args: CoordinatorArgs) -> anyhow::Result<()> {
    bail!("not joined yet")
}

/// Runs a worker over NATS until it is told to stop.
#[expect(clippy::unused_async, reason = "the signature of what is joined here")]
pub async fn worker(_args: WorkerArgs) -> anyhow::Result<()> {
    bail!("not joined yet")
}

/// Runs a coordinator and simulated workers in this process until it is told to stop.
#[expect(clippy::unused_async, reason = "the signature of what is joined here")]
pub async fn dev(_args: DevArgs) -> anyhow::Result<()> {
    bail!("not joined yet")
}

/// Runs the demo against a coordinator and three simulated workers in this process.
#[expect(clippy::unused_async, reason = "the signature of what is joined here")]
pub async fn embedded_demo() -> anyhow::Result<()> {
    bail!("not joined yet")
}
