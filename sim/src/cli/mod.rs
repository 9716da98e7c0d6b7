//! The command line, with one module per command.

mod explain;
mod play;
mod range;
mod run;
mod scenario;
mod shrink;
mod speed;
mod sweep;
mod tally;
mod verify;
mod watchdog;

use std::io;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, Parser, Subcommand};
use quorate_sim::explain::words;
use quorate_sim::{Depth, Scenario};

/// The end of the program's help.
const EXIT_CODES: &str = "Exit codes: 0 no failure found, 1 a broken invariant, two runs that differ, or an error, \
    2 usage error.";

/// Play Quorate on a simulated network: clusters, faults and invariants from one seed
#[derive(Parser, Debug)]
#[command(name = "quorate-sim", version, arg_required_else_help = true, after_help = EXIT_CODES)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand, Debug)]
enum Command {
    /// Play many seeds, and report which of them break an invariant
    Sweep(sweep::SweepArgs),
    /// Play one seed or scenario
    Run(run::RunArgs),
    /// Play each seed in two processes, and compare every event
    Verify(verify::VerifyArgs),
    /// Shrink a failing scenario for as long as it fails in the same way
    Shrink(shrink::ShrinkArgs),
    /// Show a run, as a timeline here and as a page for a browser
    Explain(explain::ExplainArgs),
    /// Measure how fast each depth plays, compared with a bare simulation of the same size
    Speed(speed::SpeedArgs),
    /// Print the scenario of a seed
    Scenario(scenario::ScenarioArgs),
}

/// Whether a command found nothing wrong. If it did, it has already printed what.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Verdict {
    Well,
    Broken,
}

/// Parses the command line and runs the command.
pub(crate) fn main() -> ExitCode {
    let done = match Cli::parse().command {
        Command::Sweep(args) => sweep::sweep(&args),
        Command::Run(args) => run::run(&args),
        Command::Verify(args) => verify::verify(&args),
        Command::Shrink(args) => shrink::shrink(&args),
        Command::Explain(args) => explain::explain(&args),
        Command::Speed(args) => speed::speed(&args),
        Command::Scenario(args) => scenario::scenario(&args),
    };
    match done {
        Ok(Verdict::Well) => ExitCode::SUCCESS,
        Ok(Verdict::Broken) => ExitCode::FAILURE,
        // The reader of the output has closed it: not an error.
        Err(error) if error.chain().any(is_closed_pipe) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {}", words::clean(&format!("{error:#}")));
            ExitCode::FAILURE
        }
    }
}

fn is_closed_pipe(error: &(dyn std::error::Error + 'static)) -> bool {
    error.downcast_ref::<io::Error>().is_some_and(|error| error.kind() == io::ErrorKind::BrokenPipe)
}

/// The stage to play on.
#[derive(Args, Clone, Copy, Debug)]
struct DepthArgs {
    /// How much of the production code a run exercises
    #[arg(long, value_name = "DEPTH", default_value = "network")]
    depth: Depth,
}

/// What to play: a seed, or a scenario from a file.
#[derive(Args, Clone, Debug)]
#[group(required = true, multiple = false)]
struct Source {
    /// Seed to make the scenario from
    #[arg(long, value_name = "N")]
    seed: Option<u64>,

    /// File with a scenario, as `scenario` and `shrink` write it
    #[arg(long, value_name = "FILE")]
    scenario: Option<PathBuf>,
}

impl Source {
    fn load(&self) -> anyhow::Result<Scenario> {
        match (&self.scenario, self.seed) {
            (Some(path), _) => Scenario::read(path),
            (None, Some(seed)) => Ok(Scenario::generate(seed)),
            (None, None) => unreachable!("clap requires one of them"),
        }
    }

    /// The stem of the names of files that belong to it.
    fn stem(&self) -> String {
        match (&self.scenario, self.seed) {
            (Some(path), _) => {
                path.file_stem().map_or_else(|| "scenario".to_owned(), |stem| stem.to_string_lossy().into())
            }
            (None, seed) => format!("seed-{}", seed.unwrap_or_default()),
        }
    }
}

/// The name of a depth on the command line.
fn depth_name(depth: Depth) -> &'static str {
    match depth {
        Depth::Network => "network",
        Depth::Machines => "machines",
        Depth::Store => "store",
    }
}

/// The command that replays a seed or a scenario, given as arguments of `run`.
fn command(what: &[String], depth: Depth) -> String {
    let what: Vec<_> = what.iter().map(|word| quoted(word)).collect();
    format!("cargo run --release -p quorate-sim -- run {} --depth {}", what.join(" "), depth_name(depth))
}

/// A word, quoted for a shell if necessary.
fn quoted(word: &str) -> String {
    let plain = |character: char| character.is_ascii_alphanumeric() || "-_./".contains(character);
    if !word.is_empty() && word.chars().all(plain) {
        word.to_owned()
    } else {
        format!("'{}'", word.replace('\'', r"'\''"))
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn what_to_play_is_a_seed_or_a_file_and_not_both() {
        for (line, valid) in [
            ("run --seed 7", true),
            ("run --scenario a.json --depth machines --trace", true),
            ("run", false),
            ("run --seed 7 --scenario a.json", false),
            ("run --seed -1", false),
            ("run --seed 7 --depth shallow", false),
            ("sweep --seeds 0..10 --jobs 2", true),
            ("sweep --seeds 10..0", false),
            ("sweep --seeds 10", false),
            ("sweep --seeds 0..10 --jobs 0", false),
            ("verify --seeds 0..3", true),
            ("verify --seed 1 --random 5", true),
            ("verify --seeds 0..3 --random 5", false),
            ("verify --seeds 0..3 --seed 1", false),
            ("verify", false),
            ("speed", true),
            ("speed --seeds 0..2 --rounds 3", true),
            ("speed --rounds 0", false),
        ] {
            let parsed = Cli::try_parse_from(["quorate-sim"].into_iter().chain(line.split(' ')));
            assert_eq!(parsed.is_ok(), valid, "{line}");
        }
    }

    #[test]
    fn a_command_can_be_pasted_into_a_shell() {
        let what = ["--scenario".to_owned(), "it's a.json".to_owned()];
        assert_eq!(
            command(&what, Depth::Machines),
            r"cargo run --release -p quorate-sim -- run --scenario 'it'\''s a.json' --depth machines"
        );
    }
}
