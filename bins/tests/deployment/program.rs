//! Command lines and environments, given to the programs' own parsers.

use std::time::Duration;

use clap::CommandFactory as _;
use quorate_cli::args::{CoordinatorArgs, QuorateArgs, WorkerArgs};

/// The command line of a program.
fn program(name: &str) -> clap::Command {
    match name {
        "coordinator" => CoordinatorArgs::command(),
        "worker" => WorkerArgs::command(),
        "quorate" => QuorateArgs::command(),
        _ => panic!("there is no program {name}"),
    }
}

/// The command that has the flags: the subcommand, if the program has some.
fn flags_of(name: &str, arguments: &[&str]) -> clap::Command {
    let program = program(name);
    match arguments.first().and_then(|first| program.find_subcommand(first)) {
        Some(subcommand) => subcommand.clone(),
        None => program,
    }
}

/// Checks that a program accepts these arguments with these variables in its environment.
pub(crate) fn check_taken(name: &str, arguments: &[&str], variables: &[(&str, &str)]) {
    let flags = flags_of(name, arguments);
    let mut line: Vec<_> = [name].iter().chain(arguments).map(|&word| word.to_owned()).collect();
    for (variable, value) in variables {
        let arg = flags.get_arguments().find(|arg| arg.get_env().is_some_and(|env| env == *variable));
        let arg = arg.unwrap_or_else(|| panic!("{name} {arguments:?} does not read {variable}"));
        let long = arg.get_long().expect("every such variable belongs to a long flag");
        // Passed as the flag, so that the value is parsed, too.
        if arg.get_action().takes_values() {
            line.push(format!("--{long}={value}"));
        } else {
            assert!(["true", "1"].contains(value), "{variable} is on or not set, and not {value:?}");
            line.push(format!("--{long}"));
        }
    }
    program(name).try_get_matches_from(&line).unwrap_or_else(|error| panic!("{line:?}: {error}"));
}

/// Whether some program reads a variable.
pub(crate) fn is_read(variable: &str) -> bool {
    let quorate = QuorateArgs::command();
    let programs = [CoordinatorArgs::command(), WorkerArgs::command()];
    let mut flags = programs.iter().chain(quorate.get_subcommands()).flat_map(clap::Command::get_arguments);
    flags.any(|arg| arg.get_env().is_some_and(|env| env == variable))
}

/// The default of a flag.
pub(crate) fn default(name: &str, long: &str) -> String {
    let program = program(name);
    let arg = program.get_arguments().find(|arg| arg.get_long() == Some(long)).expect("there is such a flag");
    arg.get_default_values()[0].to_str().expect("ASCII").to_owned()
}

/// The port that the coordinator listens on.
pub(crate) fn coordinator_port() -> u16 {
    let listen = default("coordinator", "listen");
    listen.rsplit(':').next().and_then(|port| port.parse().ok()).expect("an address has a port")
}

/// How long a stop may take: the longest deadline, and the few seconds that docs/operations.md allows.
pub(crate) fn longest_stop() -> Duration {
    let longest = default("coordinator", "max-timeout-ms").parse().expect("milliseconds");
    Duration::from_millis(longest) + Duration::from_secs(5)
}
