//! A worker over NATS: the same as `quorate worker`.

use std::process::ExitCode;

use clap::Parser;
use quorate_cli::args::WorkerArgs;
use quorate_cli::{exit, serve};

#[tokio::main]
async fn main() -> ExitCode {
    exit::report(serve::worker(WorkerArgs::parse()).await, false)
}
