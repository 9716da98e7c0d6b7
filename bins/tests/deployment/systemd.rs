//! The units of systemd.

use std::time::Duration;

use quorate_cli::exit;

use crate::files::{listed, read};
use crate::program::{check_taken, is_read, longest_stop};

/// The values of a setting in a unit, in order.
fn values<'a>(unit: &'a str, name: &str) -> Vec<&'a str> {
    unit.lines().filter_map(|line| line.strip_prefix(name)?.strip_prefix('=')).collect()
}

/// Each unit with the program it runs.
fn units() -> Vec<(String, String)> {
    let units: Vec<_> = listed("deploy/systemd")
        .into_iter()
        .map(|file| {
            let program = file.trim_start_matches("quorate-").split(['.', '@']).next().expect("a first part");
            (program.to_owned(), read(&format!("deploy/systemd/{file}")))
        })
        .collect();
    assert_eq!(units.len(), 2);
    units
}

#[test]
fn every_program_takes_its_settings() {
    for (program, unit) in units() {
        let [start] = values(&unit, "ExecStart")[..] else { panic!("{program} is started once") };
        let mut words = start.split(' ');
        assert_eq!(words.next(), Some("/usr/local/bin/quorate"));
        let arguments: Vec<_> = words.collect();
        assert_eq!(arguments[0], program);
        let environment = values(&unit, "Environment").into_iter();
        let variables: Vec<_> = environment.map(|set| set.split_once('=').expect("a variable and its value")).collect();
        check_taken("quorate", &arguments, &variables);
        assert_eq!(values(&unit, "Documentation"), [format!("man:quorate-{program}(1)")]);
    }
}

#[test]
fn an_instance_of_the_worker_is_named_after_its_id() {
    let (_, worker) = units().pop().expect("it is the last");
    assert_eq!(values(&worker, "Environment"), ["QUORATE_ID=%i"]);
    let files = ["-/etc/quorate/worker.env", "-/etc/quorate/worker-%i.env"];
    assert_eq!(values(&worker, "EnvironmentFile"), files, "the one for this instance wins");
}

#[test]
fn every_variable_that_a_unit_mentions_is_read() {
    for (program, unit) in units() {
        let words = unit.split(|c: char| !c.is_ascii_uppercase() && c != '_');
        let named: Vec<_> = words.filter(|word| word.starts_with("QUORATE_") || word.starts_with("NATS_")).collect();
        assert!(named.len() >= 2, "{program}: {named:?}");
        for variable in named {
            assert!(variable == "QUORATE_" || is_read(variable), "{program}: {variable}");
        }
    }
}

#[test]
fn a_stop_is_given_the_time_it_takes_and_wrong_usage_is_not_tried_again() {
    let (usage, _) =
        exit::SERVER.list().iter().find(|(_, meaning)| *meaning == "usage error").expect("there is a code");
    for (program, unit) in units() {
        let given = values(&unit, "TimeoutStopSec")[0].strip_suffix('s').and_then(|seconds| seconds.parse().ok());
        assert!(given.map(Duration::from_secs) >= Some(longest_stop()), "{program}");
        assert_eq!(values(&unit, "Restart"), ["on-failure"]);
        assert_eq!(values(&unit, "RestartPreventExitStatus"), [usage.to_string()]);
    }
}
