//! The coordinator over NATS: the same as `quorate coordinator`.

use std::process::ExitCode;

use clap::Parser;
use quorate_cli::args::CoordinatorArgs;
use quorate_cli::threads::threads;
use quorate_cli::{exit, serve};

fn main() -> ExitCode {
    let args = CoordinatorArgs::parse();
    exit::report(threads(args.serve.threads).and_then(|runtime| runtime.block_on(serve::coordinator(args))), false)
}
