//! The programs of the trial, as processes with the settings of their containers: they give a price.

use std::fs;
use std::io::{BufRead as _, BufReader, Read};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use quorate_test_support::NatsServer;

use super::{config_map, container, of_stage, variables};
use crate::files::{text, texts};
use crate::kustomize::trial;

/// How long the programs may take to find each other.
const PATIENCE: Duration = Duration::from_secs(30);

/// A program that is killed when dropped.
struct Running {
    process: Child,
    /// Kept open, so that the program can continue to write to it.
    _output: Option<Box<dyn Read>>,
}

impl Drop for Running {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

fn command(program: &str, arguments: &[&str], variables: &[(&str, String)]) -> Command {
    let mut command = Command::new(program);
    command.args(arguments).env_clear().envs(variables.iter().map(|(name, value)| (name, value)));
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    command
}

/// Starts a program that writes its address, and returns what it writes from `before` to `after`.
fn listening(mut command: Command, on_stdout: bool, before: &str, after: &str) -> (Running, String) {
    let mut process =
        if on_stdout { command.stdout(Stdio::piped()) } else { command.stderr(Stdio::piped()) }.spawn().expect("built");
    let output: Box<dyn Read> = match (process.stdout.take(), process.stderr.take()) {
        (Some(stdout), _) => Box::new(stdout),
        (_, stderr) => Box::new(stderr.expect("it is piped")),
    };
    let mut output = BufReader::new(output);
    let address = output.by_ref().lines().map(|line| line.expect("text")).find_map(|line| {
        let (_, rest) = line.split_once(before)?;
        Some(rest.split_once(after)?.0.to_owned())
    });
    (Running { process, _output: Some(Box::new(output)) }, address.expect("it says where it listens"))
}

#[test]
fn the_programs_of_the_trial_give_a_price_with_its_settings() {
    let folder = tempfile::tempdir().expect("a folder");
    let nats = NatsServer::start();
    let [exchange] = of_stage(trial(), "quorate")[..] else { panic!("one exchange") };
    let arguments = texts(&container(exchange)["args"]).join(" ").replace("0.0.0.0:8090", "127.0.0.1:0");
    let arguments: Vec<_> = arguments.split(' ').collect();
    let start = command(env!("CARGO_BIN_EXE_quorate"), &arguments, &[]);
    let (_exchange, exchange) = listening(start, true, "coinbase  http://", "/");

    // The names of services are addresses here.
    let settings = |workload| -> Vec<(&str, String)> {
        let variables = variables(trial(), container(workload)).into_iter();
        variables.map(|(name, value)| (name, value.replace("nats://nats:4222", &nats.url()))).collect()
    };
    let mut workers = Vec::new();
    for workload in of_stage(trial(), "worker") {
        let mut settings = settings(workload);
        let map = &workload["spec"]["template"]["spec"]["volumes"][0]["configMap"]["name"];
        let sources = text(&config_map(trial(), map)["sources.toml"]).replace("quorate-exchange:8090", &exchange);
        // A file of its own: the worker before it may still be reading.
        let file = folder.path().join(format!("{}.toml", workers.len()));
        fs::write(&file, sources).expect("written");
        let config = settings.iter_mut().find(|(name, _)| *name == "QUORATE_CONFIG").expect("it has a source file");
        config.1 = file.display().to_string();
        let process = command(env!("CARGO_BIN_EXE_worker"), &[], &settings).spawn().expect("built");
        workers.push(Running { process, _output: None });
    }
    let [coordinator] = of_stage(trial(), "coordinator")[..] else { panic!("one coordinator") };
    let mut variables = settings(coordinator);
    variables.push(("QUORATE_LISTEN", "127.0.0.1:0".to_owned()));
    let start = command(env!("CARGO_BIN_EXE_coordinator"), &[], &variables);
    let (_coordinator, address) = listening(start, false, "\"address\":\"", "\"");

    let deadline = Instant::now() + PATIENCE;
    loop {
        let ask = ["ask", "BTC/USD", "--min-responses", "3", "--url", &format!("http://{address}")];
        let mut ask = command(env!("CARGO_BIN_EXE_quorate"), &ask, &[]);
        let asked = ask.stdout(Stdio::piped()).stderr(Stdio::piped()).output().expect("built");
        let said = String::from_utf8_lossy(&asked.stdout);
        if asked.status.success() {
            assert!(said.contains("All workers responded successfully"), "{said}");
            assert!(["bitstamp", "coinbase", "kraken"].iter().all(|id| said.contains(id)), "{said}");
            return;
        }
        assert!(Instant::now() < deadline, "{said}{}", String::from_utf8_lossy(&asked.stderr));
    }
}
