//! Runs every command in the documents, unless the table has the reason why it is not run.
//!
//! The commands of a document run in order, in a folder that looks like the repository after `cargo build --release`,
//! with a NATS server, `quorate exchange` in place of the exchanges, and free addresses. They run as written, except for what
//! [`stage::Stage`] replaces. A `text` block after them must be what they wrote, except for the digits.

pub(crate) mod exchanges;
mod stage;

use std::fs;
use std::path::Path;

use futures_util::future::join_all;
use quorate_core::pattern::Pattern;
use quorate_test_support::documents::{blocks, commands, documents};
use quorate_test_support::workspace;

use self::stage::Stage;
pub(crate) use self::stage::shape;

/// How a command is run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum How {
    /// It ends with this exit code.
    Ends(i32),
    /// It runs once the killed worker is known to be gone, and ends with 0.
    EndsLater,
    /// It runs once every feed has a report, and ends with 0.
    EndsReported,
    /// It is a coordinator: it serves until the document ends.
    Coordinates,
    /// It is a worker that announces itself, and runs until the document ends.
    Works,
    /// It is a worker that writes nothing, and runs until the document ends.
    Answers,
    /// It is an exchange: it serves until the document ends, and the examples of sources name it.
    Trades,
    /// It runs until the document ends, and writes this before the next command.
    GoesOn(&'static str),
    /// The same, to standard error.
    GoesOnSaying(&'static str),
    /// It kills the earlier command that contains this, by its id: others may run the same command here.
    Kills(&'static str),
    /// It is not run here, for this reason.
    NotHere(&'static str),
}

use How::{Answers, Coordinates, Ends, EndsLater, EndsReported, GoesOn, GoesOnSaying, Kills, NotHere, Trades, Works};

/// Every kind of command and how it runs. The first match counts; `*` matches any characters.
const TABLE: &[(&str, How)] = &[
    // A replicated deployment.
    ("nats-server -js *", NotHere("chaos.rs starts three of them")),
    ("export NATS_URL=*", NotHere("the servers that it names are not started here")),
    ("coordinator * --store *", NotHere("chaos.rs starts three of them")),
    ("quorate submit *", NotHere("durable.rs runs it, against a coordinator with a store")),
    ("quorate result *", NotHere("durable.rs runs it, against a coordinator with a store")),
    ("curl http://localhost:8080/feeds/*", NotHere("no coordinator has feeds here")),
    ("echo QUORATE_FEEDS=* sudo *", NotHere("it changes the machine")),
    ("curl -s *localhost:808*/feeds*", NotHere("no coordinator has feeds here")),
    ("for port in 8080 8081 8082; *", NotHere("three coordinators are not started here")),
    ("pkill -KILL -f 'coordinator *", NotHere("chaos.rs kills coordinators")),
    // The programs.
    ("coordinator *", Coordinates),
    ("worker *", Works),
    ("python3 examples/worker.py *", Answers),
    ("quorate ask *--fail-on-dispute", Ends(5)),
    ("quorate ask *--on-dispute reject", Ends(3)),
    ("quorate ask *--watch", GoesOn("/3 workers")),
    ("quorate ask *", Ends(0)),
    ("quorate feed ls", EndsReported),
    ("quorate feed get *", EndsReported),
    ("quorate feed history *", EndsReported),
    ("quorate feed watch*", GoesOnSaying("watching")),
    ("quorate follow *", GoesOnSaying("following")),
    ("quorate workers --watch", GoesOn("requests accepted")),
    ("quorate workers", EndsLater),
    ("quorate queries", Ends(0)),
    ("quorate policies BTC/USD", Ends(0)),
    ("quorate health *", Ends(0)),
    ("quorate load *", Ends(0)),
    ("quorate exchange*", Trades),
    ("quorate context *", Ends(0)),
    ("quorate completions *", Ends(0)),
    ("quorate man *", Ends(0)),
    // The tools that the documents use with them. curl exits with 22 if the status is 400 or more.
    ("curl -sN *localhost:8080/events*", GoesOn("retry: ")),
    ("curl -s localhost:8080/request *\"timeout_ms\": 0}'", Ends(22)),
    ("curl -s localhost:8080/*", Ends(0)),
    ("cat > feed.toml <<*", Ends(0)),
    ("cat > follow.py <<*", Ends(0)),
    ("python3 follow.py", GoesOn("following")),
    ("pkill -KILL -f 'worker --id kraken'", Kills("worker --id kraken")),
    // What exists already.
    ("cargo build --release", NotHere("what it builds was built for this test, by whoever runs it")),
    (
        "nats-server",
        NotHere("each document has one, which test-support/src/nats_server.rs starts on a port of its own"),
    ),
    ("python3 -m venv *", NotHere("target/python takes its place")),
    ("pip install nats-py", NotHere("python.rs gets it into target/python")),
    ("pip install *clients/python*", NotHere("clients/python.rs installs its wheel")),
    ("npm install *", NotHere("clients/typescript.rs installs what npm pack makes")),
    // What other tests run.
    ("cargo run --release -- demo", NotHere("embedded.rs runs it")),
    ("quorate demo", NotHere("embedded.rs runs it")),
    ("quorate dev", NotHere("embedded.rs runs it")),
    ("cargo run --example worker *", NotHere("rust.rs runs it")),
    ("cargo run --release -p quorate-sim -- *", NotHere("sim/tests/command_line.rs runs them, with fewer seeds")),
    ("quorate-sim *", NotHere("sim/tests/command_line.rs runs them, with fewer seeds")),
    // What needs a container engine, or rights over the machine. bins/tests/deployment checks the files against the
    // programs.
    ("docker *", NotHere("there is no engine here; the workflow for images runs them")),
    ("kubectl *", NotHere("there is no cluster here")),
    ("sudo *", NotHere("it changes the machine")),
    // What takes too long. A test below checks that these targets exist.
    ("make test", NotHere("it is what runs this")),
    ("make lint", NotHere("it builds everything another time")),
    ("make deny", NotHere("it needs what the registries have today")),
    ("cargo test *", NotHere("it is what runs this")),
    ("make sim*", NotHere("it builds the simulator for release, and takes minutes")),
    ("make bench*", NotHere("it measures, for minutes, with nothing beside it")),
    ("scripts/planted-bugs.py *", NotHere("it builds a copy of everything")),
    ("scripts/bench-baseline.py *", NotHere("it measures, for minutes, with nothing beside it")),
];

/// The documents that ask a coordinator which they have not started. They get one, with a feed and three workers.
const ASK_ONLY: [&str; 3] = ["docs/feeds.md", "docs/operations.md", "docs/tutorial-feeds.md"];

/// The row of the table for a command, wherever its program lies.
fn row(command: &str) -> Option<&'static (&'static str, How)> {
    let command = command.strip_prefix("target/release/").unwrap_or(command);
    TABLE.iter().find(|(pattern, _)| Pattern::new(pattern).matches(command))
}

/// A command of a document, or the output it shows.
enum Step {
    Run(String),
    Expect(String),
}

/// The steps of each document that has any. A block of output belongs to the commands in the block before it.
fn steps() -> Vec<(String, Vec<Step>)> {
    let root = workspace("");
    let of = |path: &Path| {
        let mut steps = Vec::new();
        for block in blocks(&fs::read_to_string(path).expect("it can be read")) {
            match block.fence.as_str() {
                "sh" => steps.extend(commands(&block.text).into_iter().map(Step::Run)),
                "text" if !steps.is_empty() => steps.push(Step::Expect(block.text)),
                _ => {}
            }
        }
        let name = path.strip_prefix(&root).expect("it lies in the workspace").display().to_string();
        (name, steps)
    };
    documents().iter().map(|path| of(path)).filter(|(_, steps)| !steps.is_empty()).collect()
}

/// All commands, each with its document.
fn all() -> Vec<(String, String)> {
    let mut all = Vec::new();
    for (document, steps) in steps() {
        all.extend(steps.into_iter().filter_map(|step| match step {
            Step::Run(command) => Some((document.clone(), command)),
            Step::Expect(_) => None,
        }));
    }
    all
}

#[test]
fn every_command_of_the_documents_is_in_the_table_and_nothing_else_is() {
    let all = all();
    let unknown: Vec<_> = all.iter().filter(|(_, command)| row(command).is_none()).collect();
    assert!(unknown.is_empty(), "say in the table how these are run, or why they are not: {unknown:#?}");
    for entry in TABLE {
        assert!(all.iter().any(|(_, command)| row(command) == Some(entry)), "no document has {entry:?}");
    }
}

#[test]
fn every_make_target_of_the_documents_is_one() {
    let makefile = fs::read_to_string(workspace("Makefile")).expect("it can be read");
    for (document, command) in all() {
        if let Some(target) = command.strip_prefix("make ").and_then(|words| words.split_whitespace().next()) {
            let rule = format!("{target}:");
            assert!(makefile.lines().any(|line| line.starts_with(&rule)), "{document}: there is no make {target}");
        }
    }
}

#[tokio::test]
async fn every_command_of_the_documents_does_what_they_say() {
    join_all(steps().into_iter().map(|(document, steps)| play(document, steps))).await;
}

async fn play(document: String, steps: Vec<Step>) {
    let is_run = |step: &Step| matches!(step, Step::Run(command) if !matches!(row(command), Some((_, NotHere(_)))));
    if !steps.iter().any(is_run) {
        return;
    }
    let mut stage = Stage::set(&document).await;
    if ASK_ONLY.contains(&document.as_str()) {
        stage.run("coordinator --feeds examples/feeds.toml", Coordinates).await;
        for n in 1..=3 {
            let quick = "--delay-min-ms 1 --delay-max-ms 5 --failure-rate 0";
            stage.run(&format!("worker --id worker-{n} {quick}"), Works).await;
        }
    }
    let mut is_run_here = true;
    for step in steps {
        match step {
            Step::Run(command) => {
                let (_, how) = row(&command).unwrap_or_else(|| panic!("{document}: {command} is not in the table"));
                is_run_here = !matches!(how, NotHere(_));
                stage.run(&command, *how).await;
            }
            Step::Expect(shown) if is_run_here => stage.expect(&shown).await,
            // Whatever runs the command checks its output.
            Step::Expect(_) => {}
        }
    }
    stage.clear();
}
