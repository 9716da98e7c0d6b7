//! The place where the commands of one document run.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;

use quorate_test_support::{NatsServer, workspace};
use serde_json::json;
use tempfile::TempDir;

use super::How;
use super::exchanges;
use crate::python::NATS_PY;
use crate::support::{Api, COORDINATOR, Program, QUORATE, WORKER, api_of, until};

/// A folder, a NATS server, and the programs started there. All end with it.
pub(crate) struct Stage {
    document: String,
    folder: TempDir,
    nats: NatsServer,
    /// The venues that the examples of sources name.
    _exchange: Program,
    /// The coordinator, once there is one.
    api: Option<Api>,
    /// How many workers must be live.
    workers: usize,
    /// The programs that run, by command.
    running: Vec<(String, Program)>,
    /// The output of the last command that ended.
    written: String,
}

impl Stage {
    /// Prepares what a reader has who has cloned the repository and built it.
    pub(crate) async fn set(document: &str) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let path = |name: &str| folder.path().join(name);
        for name in ["target/release", "examples", "etc/bash_completion.d", "usr/local/share/zsh/site-functions"] {
            fs::create_dir_all(path(name)).expect("a folder");
        }
        for program in [COORDINATOR, WORKER, QUORATE] {
            let name = Path::new(program).file_name().expect("a program has a name");
            symlink(program, path("target/release").join(name)).expect("a link");
        }
        for name in ["examples/worker.py", "examples/policies.toml", "examples/feeds.toml"] {
            symlink(workspace(name), path(name)).expect("a link");
        }
        // Quick, so that these tests are, too.
        let exchange = exchanges::start(&["--latency", "20ms"]);
        exchanges::write_sources(&path("examples"), &exchanges::url_of(&exchange).await);
        // A status of 400 or more is a failure.
        fs::write(path(".curlrc"), "fail\n").expect("written");
        let nats = NatsServer::start();
        let (document, written) = (document.to_owned(), String::new());
        Self { document, folder, nats, _exchange: exchange, api: None, workers: 0, running: Vec::new(), written }
    }

    /// Runs a command as the table says.
    ///
    /// # Panics
    /// If the command does not do what the table says.
    pub(crate) async fn run(&mut self, command: &str, how: How) {
        match how {
            How::Ends(code) => self.run_to_its_end(command, code).await,
            How::EndsLater => {
                self.api().wait_for(1, "expired").await;
                self.run_to_its_end(command, 0).await;
            }
            How::EndsReported => {
                until(command, async || {
                    let (_, body) = self.api().get("/feeds").await;
                    body["feeds"].as_array().is_some_and(|feeds| feeds.iter().all(|feed| feed["round"].is_u64()))
                })
                .await;
                self.run_to_its_end(command, 0).await;
            }
            How::Coordinates => {
                let coordinator = self.go_on(command);
                self.api = Some(api_of(coordinator).await);
            }
            How::Works | How::Answers => {
                self.workers += 1;
                let worker = self.go_on(command);
                if how == How::Works {
                    worker.logs("the bus is connected").await;
                }
                let (api, workers) = (self.api(), self.workers);
                if how == How::Answers {
                    until(command, async || {
                        let (_, body) = api.ask(json!({"query": "BTC/USD"})).await;
                        body["succeeded"] == workers
                    })
                    .await;
                }
                api.wait_for(workers, "live").await;
            }
            How::Trades => {
                let exchange = self.go_on(command);
                let url = exchanges::url_of(exchange).await;
                exchanges::write_sources(&self.folder.path().join("examples"), &url);
            }
            How::GoesOn(text) => {
                self.go_on(command).prints(text).await;
            }
            How::GoesOnSaying(text) => {
                self.go_on(command).logs(text).await;
            }
            How::Kills(part) => {
                let found = self.running.iter().position(|(command, _)| command.contains(part));
                // It is killed when it is dropped.
                self.running.remove(found.unwrap_or_else(|| panic!("{}: {part} does not run", self.document)));
                self.workers -= 1;
            }
            How::NotHere(_) => {}
        }
    }

    /// Waits until every line that the document shows was written, by the last command or by a running one.
    pub(crate) async fn expect(&self, shown: &str) {
        for line in shown.lines().map(shape) {
            let what = format!("{line:?} in {}, after {}", self.document, self.written);
            until(&what, async || {
                let going_on = self.running.iter().map(|(_, program)| program.stdout() + &program.stderr());
                going_on.chain([self.written.clone()]).any(|text| text.lines().any(|written| shape(written) == line))
            })
            .await;
        }
    }

    /// Ends the running programs, none of which may have ended before.
    pub(crate) fn clear(mut self) {
        for (command, program) in &mut self.running {
            assert!(program.runs(), "{}: {command} ended: {}", self.document, program.stderr());
        }
    }

    async fn run_to_its_end(&mut self, command: &str, code: i32) {
        let ended = self.start(command).ended().await;
        assert_eq!(ended.code, Some(code), "{}: {command}: {ended:?}", self.document);
        self.written = ended.stdout + &ended.stderr;
    }

    fn api(&self) -> &Api {
        self.api.as_ref().unwrap_or_else(|| panic!("{}: there is no coordinator yet", self.document))
    }

    fn go_on(&mut self, command: &str) -> &Program {
        // So that a kill reaches the program, and not the shell.
        let program = self.start(&format!("exec {command}"));
        self.running.push((command.to_owned(), program));
        &self.running.last().expect("it has just been added").1
    }

    fn start(&self, command: &str) -> Program {
        let home = self.folder.path().display().to_string();
        let path = format!("{home}/target/release:{}", std::env::var("PATH").unwrap_or_default());
        let (nats, packages) = (self.nats.url(), NATS_PY.folder().display().to_string());
        let mut variables = vec![
            ("HOME", home.as_str()),
            ("PATH", &path),
            ("PYTHONPATH", &packages),
            ("NATS_URL", &nats),
            ("QUORATE_LISTEN", "127.0.0.1:0"),
            ("QUORATE_EXCHANGE_LISTEN", "127.0.0.1:0"),
            ("QUORATE_RATE_LIMIT", "0"),
        ];
        variables.extend(self.api.iter().map(|api| ("QUORATE_URL", api.url.as_str())));
        Program::start_in("sh", &["-c", &format!("cd \"$HOME\"\n{}", self.here(command))], &variables)
    }

    /// The command with local addresses, and with replacements for what must not be touched or takes long.
    fn here(&self, command: &str) -> String {
        let mut here = command.to_owned();
        for (elsewhere, here_it_is) in [
            ("nats://nats.example.org:4222", self.nats.url().as_str()),
            ("nats://localhost:4222", &self.nats.url()),
            ("0.0.0.0:8080", "127.0.0.1:0"),
            ("localhost:8080", self.api.as_ref().map_or("", |api| api.url.as_str())),
            (" /etc/", " etc/"),
            (" /usr/local/", " usr/local/"),
            ("--duration 30s", "--duration 1s"),
        ] {
            here = here.replace(elsewhere, here_it_is);
        }
        here
    }
}

/// A line without what differs between two runs: numbers, signs, the units of times, and the width of columns.
pub(crate) fn shape(line: &str) -> String {
    let mut shape = String::new();
    for word in line.split_whitespace() {
        let mut before = ' ';
        for c in word.chars() {
            // A number may have decimals.
            let is_number = c.is_ascii_digit() || (c == '.' && before == '0');
            // A change may be up or down.
            let c = match c {
                _ if is_number => '0',
                '+' => '-',
                c => c,
            };
            if !(is_number && before == '0') {
                shape.push(c);
            }
            before = c;
        }
        shape.push(' ');
    }
    shape.replace("0 ms ", "0 s ").replace("0 µs ", "0 s ")
}
