//! The clients in other languages: their own tests, run on what is published, against real programs.

mod python;
mod typescript;

use std::ffi::OsStr;
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use quorate_test_support::NatsServer;
use rustix::process::{Pid, Signal, kill_process_group};
use tokio::process::{Child, Command};
use tokio::time::timeout;

use crate::support::COORDINATOR;

/// How long the tests of one client may take, while all other tests run beside them.
const PATIENCE: Duration = Duration::from_mins(10);

/// A command that a test runs to its end.
struct Suite {
    command: Command,
    name: String,
}

impl Suite {
    /// A program that sees of this process's environment only the search path.
    fn of(program: &str, arguments: impl IntoIterator<Item = impl AsRef<OsStr>>) -> Self {
        let mut command = Command::new(program);
        command.args(arguments).env_clear().envs(std::env::var_os("PATH").map(|path| ("PATH", path)));
        // Its own group, so that what it starts can be ended with it.
        command.process_group(0).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let name = format!("{:?}", command.as_std());
        Self { command, name }
    }

    fn within(mut self, folder: &Path) -> Self {
        self.command.current_dir(folder);
        self
    }

    fn with(mut self, name: &str, value: impl AsRef<OsStr>) -> Self {
        self.command.env(name, value);
        self
    }

    /// Tells it where the programs are: those of this build, and the NATS server.
    fn with_programs(self) -> Self {
        let folder = Path::new(COORDINATOR).parent().expect("a program lies in a folder");
        self.with("QUORATE_BIN", folder).with("NATS_SERVER", NatsServer::binary())
    }

    /// Runs it, and returns what it has written.
    ///
    /// # Panics
    /// If it fails or takes too long, with what it has written.
    async fn passes(mut self) -> String {
        let child = self.command.spawn().unwrap_or_else(|error| panic!("{} cannot be started: {error}", self.name));
        let group = Group::of(&child);
        let output = timeout(PATIENCE, child.wait_with_output()).await;
        let output = output.unwrap_or_else(|_| panic!("{} does not end", self.name)).expect("it can be waited for");
        group.has_ended();
        let written = [output.stdout, output.stderr].map(|text| String::from_utf8_lossy(&text).into_owned()).concat();
        assert!(output.status.success(), "{} ended with {}: {written}", self.name, output.status);
        written
    }
}

/// A process and what it has started. Killed when dropped before its end.
struct Group(Option<Pid>);

impl Group {
    fn of(leader: &Child) -> Self {
        Self(leader.id().and_then(|id| Pid::from_raw(id.try_into().ok()?)))
    }

    fn has_ended(mut self) {
        self.0 = None;
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        if let Some(group) = self.0 {
            // It may just have ended.
            let _ = kill_process_group(group, Signal::KILL);
        }
    }
}
