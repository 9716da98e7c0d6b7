//! A worker over NATS.

use std::process::ExitCode;

use clap::Parser;
use quorate_cli::args::WorkerArgs;
use quorate_cli::{exit, serve, telemetry};

#[tokio::main]
async fn main() -> ExitCode {
    exit::report(run(WorkerArgs::parse()).await, false)
}

async fn run(args: WorkerArgs) -> anyhow::Result<()> {
    telemetry::init(&args.log)?;
    serve::worker(args).await
}
