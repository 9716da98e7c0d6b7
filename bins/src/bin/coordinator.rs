//! The coordinator over NATS: the same as `quorate coordinator`.

use std::process::ExitCode;

use clap::Parser;
use quorate_cli::args::CoordinatorArgs;
use quorate_cli::{exit, serve};

#[tokio::main]
async fn main() -> ExitCode {
    exit::report(serve::coordinator(CoordinatorArgs::parse()).await, false)
}
