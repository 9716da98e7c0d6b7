//! A source that is a program: it reads the task on its standard input and writes the value to its standard output.

use std::io;
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWriteExt};
use tokio::process::{Child, Command};

use super::json::{parse, read_as_written};
use super::{Reading, Source, SourceError, trace_context};
use crate::age;
use crate::clock::Clock;

/// The most bytes of a program's standard error that are kept, to find the first line in.
const MAX_STDERR_BYTES: usize = 1024;

/// The environment variable that names the trace a program is run for.
const TRACEPARENT: &str = "TRACEPARENT";

/// Which program to run, and its limits.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CommandConfig {
    /// The program, looked up in `PATH` unless it holds a `/`.
    pub program: String,
    /// Its arguments. No shell interprets them.
    pub args: Vec<String>,
    /// The longest time for one answer, from the start of the program to its end.
    pub timeout: Duration,
    /// The longest answer, in bytes.
    pub max_bytes: usize,
}

/// Runs a program for each query. The program and all that it has started are killed once it takes too long, writes too
/// much or is no longer waited for.
#[derive(Debug)]
pub struct CommandSource {
    config: CommandConfig,
    clock: Clock,
}

/// What the program reads.
#[derive(Serialize)]
struct Task<'a> {
    query: &'a str,
    ttl_ms: u64,
}

/// What the program may write instead of a bare value.
#[derive(Deserialize)]
struct Answer<'a> {
    #[serde(borrow)]
    value: Option<&'a RawValue>,
    err: Option<String>,
    #[serde(borrow, default)]
    age_ms: Option<&'a RawValue>,
    #[serde(borrow, default)]
    observed_at: Option<&'a RawValue>,
}

impl CommandSource {
    /// Builds a source. `clock` turns the times that programs state into ages.
    pub fn new(config: CommandConfig, clock: Clock) -> Self {
        Self { config, clock }
    }

    async fn run(&self, task: &[u8]) -> Result<Reading, SourceError> {
        let mut running = self.start()?;
        let (Some(mut stdin), Some(stdout), Some(stderr)) =
            (running.0.stdin.take(), running.0.stdout.take(), running.0.stderr.take())
        else {
            return Err(self.failed("its pipes are missing"));
        };
        // All at once: a program may fill one pipe before it reads the other. A program need not read its input.
        let write = async {
            let _ = stdin.write_all(task).await;
            drop(stdin);
            Ok(())
        };
        let read = async {
            read_at_most(stdout, self.config.max_bytes)
                .await
                .map_err(|error| self.failed(&error.to_string()))?
                .ok_or_else(|| self.failed(&format!("the answer is longer than {} bytes", self.config.max_bytes)))
        };
        let complain = async { Ok(read_start(stderr, MAX_STDERR_BYTES).await) };
        let ((), answer, complaint) = tokio::try_join!(write, read, complain)?;
        let status = running.0.wait().await.map_err(|error| self.failed(&error.to_string()))?;
        if status.success() {
            return self.read(&answer);
        }
        Err(self.failed(&ending(status, &complaint)))
    }

    fn start(&self) -> Result<Running, SourceError> {
        let mut command = Command::new(&self.config.program);
        command
            .args(&self.config.args)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true);
        match trace_context() {
            Some(context) => command.env(TRACEPARENT, context.to_string()),
            // A trace in which this worker was started, for example, is not the one of its tasks.
            None => command.env_remove(TRACEPARENT),
        };
        #[cfg(unix)]
        command.process_group(0);
        command.spawn().map(Running).map_err(|error| self.failed(&format!("cannot be run: {error}")))
    }

    fn read(&self, answer: &[u8]) -> Result<Reading, SourceError> {
        let json = parse(answer).map_err(|problem| self.failed(&problem))?;
        let (value, age) = if json.get().starts_with('{') {
            let answer: Answer<'_> = serde_json::from_str(json.get())
                .map_err(|error| self.failed(&format!("the answer is not {{\"value\"}} or {{\"err\"}}: {error}")))?;
            let age = age::stated(answer.age_ms, answer.observed_at, self.clock.wall());
            match (answer.err.filter(|err| !err.is_empty()), answer.value) {
                (Some(err), _) => return Err(SourceError::failed(err)),
                (None, Some(value)) => (value, age.map_err(|problem| self.failed(problem))?),
                (None, None) => return Err(self.failed("the answer has neither \"value\" nor \"err\"")),
            }
        } else {
            (json, None)
        };
        let value = read_as_written(value).map_err(|problem| self.failed(&format!("the value {problem}")))?;
        Ok(Reading { value, age })
    }

    fn failed(&self, problem: &str) -> SourceError {
        SourceError::failed(format!("{}: {problem}", self.config.program))
    }
}

impl Source for CommandSource {
    async fn observe(&self, query: &str, time_left: Duration) -> Result<Reading, SourceError> {
        let limit = self.config.timeout.min(time_left);
        let ttl_ms = u64::try_from(limit.as_millis()).unwrap_or(u64::MAX);
        let mut task = serde_json::to_vec(&Task { query, ttl_ms }).map_err(|error| self.failed(&error.to_string()))?;
        task.push(b'\n');
        match tokio::time::timeout(limit, self.run(&task)).await {
            Ok(answer) => answer,
            Err(_) => Err(self.failed(&format!("no answer within {ttl_ms} ms"))),
        }
    }
}

/// A program that is killed when it is dropped, unless its end has been seen.
struct Running(Child);

impl Drop for Running {
    /// Kills the program's process group, which includes what a script has started. Until the program's end has been
    /// seen, its process id cannot be reused.
    #[cfg(unix)]
    fn drop(&mut self) {
        let pid = self.0.id().and_then(|id| i32::try_from(id).ok()).and_then(rustix::process::Pid::from_raw);
        if let Some(pid) = pid {
            let _ = rustix::process::kill_process_group(pid, rustix::process::Signal::KILL);
        }
    }

    #[cfg(not(unix))]
    fn drop(&mut self) {
        let _ = self.0.start_kill();
    }
}

/// Reads to the end; `None` if that is more than `limit` bytes.
async fn read_at_most(pipe: impl AsyncRead + Unpin, limit: usize) -> io::Result<Option<Vec<u8>>> {
    let mut bytes = Vec::new();
    let limit_and_one = u64::try_from(limit).unwrap_or(u64::MAX).saturating_add(1);
    pipe.take(limit_and_one).read_to_end(&mut bytes).await?;
    Ok((bytes.len() <= limit).then_some(bytes))
}

/// Reads to the end, so that the writer never waits, and keeps the first `limit` bytes.
async fn read_start(mut pipe: impl AsyncRead + Unpin, limit: usize) -> Vec<u8> {
    let (mut start, mut buffer) = (Vec::new(), [0; 1024]);
    while let Ok(read @ 1..) = pipe.read(&mut buffer).await {
        start.extend_from_slice(&buffer[..read.min(limit - start.len())]);
    }
    start
}

/// Describes how a program failed: its status, and the first line of its standard error.
fn ending(status: ExitStatus, complaint: &[u8]) -> String {
    let complaint = String::from_utf8_lossy(complaint);
    match complaint.lines().map(str::trim).find(|line| !line.is_empty()) {
        Some(line) => format!("ended with {status}: {line}"),
        None => format!("ended with {status}"),
    }
}
