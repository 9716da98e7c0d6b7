//! The coordinator over NATS.

use std::process::ExitCode;

use clap::Parser;
use quorate_cli::args::CoordinatorArgs;
use quorate_cli::{exit, serve, telemetry};

#[tokio::main]
async fn main() -> ExitCode {
    exit::report(run(CoordinatorArgs::parse()).await, false)
}

async fn run(args: CoordinatorArgs) -> anyhow::Result<()> {
    telemetry::init(&args.log)?;
    serve::coordinator(args).await
}
