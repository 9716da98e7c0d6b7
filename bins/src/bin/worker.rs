//! A worker over NATS: the same as `quorate worker`.

use std::process::ExitCode;

use clap::Parser;
use quorate_cli::args::WorkerArgs;
use quorate_cli::threads::one_thread;
use quorate_cli::{exit, serve};

fn main() -> ExitCode {
    let args = WorkerArgs::parse();
    // A worker waits for its source, and threads that hand each other its few messages cost more than they give.
    exit::report(one_thread().and_then(|runtime| runtime.block_on(serve::worker(args))), false)
}
