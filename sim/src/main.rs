//! The simulation's program: plays seeds by the thousand, and shows what went on in one of them.

mod cli;

use std::process::ExitCode;

fn main() -> ExitCode {
    cli::main()
}
