//! A worker over NATS: the same as `quorate worker`.

use std::process::ExitCode;

use clap::Parser;
use quorate_cli::args::WorkerArgs;
use quorate_cli::{exit, serve};

// One thread: a worker waits for its source, and threads that hand each other its few messages cost more than they give.
#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    exit::report(serve::worker(WorkerArgs::parse()).await, false)
}
