//! The simulator's binary: plays thousands of seeds, and shows what happened in one of them.

mod cli;

use std::process::ExitCode;

fn main() -> ExitCode {
    cli::main()
}
