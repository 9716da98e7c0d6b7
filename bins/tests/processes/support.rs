//! Processes for one test: started, read, signalled, and killed at its end.

use std::fs;
use std::os::unix::process::ExitStatusExt as _;
use std::process::Stdio;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use quorate_test_support::NatsServer;
use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value as Json, json};
use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt as _, AsyncRead, BufReader};
use tokio::process::{Child, Command};
use tokio::task::JoinHandle;
use tokio::time::{sleep, timeout};

pub(crate) const COORDINATOR: &str = env!("CARGO_BIN_EXE_coordinator");
pub(crate) const WORKER: &str = env!("CARGO_BIN_EXE_worker");
pub(crate) const QUORATE: &str = env!("CARGO_BIN_EXE_quorate");

/// How long a test waits for something that must happen.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);

/// A simulated source that is fast and never fails.
pub(crate) const QUICK: [&str; 6] = ["--delay-min-ms", "1", "--delay-max-ms", "5", "--failure-rate", "0"];

/// A running process. Killed when dropped.
pub(crate) struct Program {
    name: String,
    child: Child,
    stdout: Stream,
    stderr: Stream,
}

/// The output of a process so far, line by line.
struct Stream {
    text: Arc<Mutex<String>>,
    reader: JoinHandle<()>,
}

/// How a process ended.
#[derive(Debug)]
pub(crate) struct Ended {
    /// Its exit code; `None` if a signal ended it.
    pub(crate) code: Option<i32>,
    pub(crate) signal: Option<i32>,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Program {
    /// Starts a process with nothing of this process's environment but the search path.
    pub(crate) fn start(program: &str, arguments: &[&str]) -> Self {
        Self::start_in(program, arguments, &[])
    }

    /// Like [`start`](Self::start), with variables in its environment.
    pub(crate) fn start_in(program: &str, arguments: &[&str], variables: &[(&str, &str)]) -> Self {
        let mut command = Command::new(program);
        command.args(arguments).env_clear().envs(std::env::var_os("PATH").map(|path| ("PATH", path)));
        command.envs(variables.iter().copied());
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).kill_on_drop(true);
        let mut child = command.spawn().unwrap_or_else(|error| panic!("{program} cannot be started: {error}"));
        let stdout = Stream::read(child.stdout.take().expect("it is piped"));
        let stderr = Stream::read(child.stderr.take().expect("it is piped"));
        Self { name: format!("{program} {arguments:?}"), child, stdout, stderr }
    }

    pub(crate) fn signal(&self, signal: Signal) {
        let id = self.id().try_into().expect("an id is positive");
        kill_process(Pid::from_raw(id).expect("an id is not zero"), signal).expect("it can be signalled");
    }

    pub(crate) fn id(&self) -> u32 {
        self.child.id().expect("it has not ended")
    }

    /// Waits until it has written `text` to standard error, and returns the rest of that line.
    pub(crate) async fn logs(&self, text: &str) -> String {
        self.writes(&self.stderr, text).await
    }

    /// Waits until it has written `text` to standard output, and returns the rest of that line.
    pub(crate) async fn prints(&self, text: &str) -> String {
        self.writes(&self.stdout, text).await
    }

    /// What it has written to standard output.
    pub(crate) fn stdout(&self) -> String {
        self.stdout.so_far()
    }

    /// What it has written to standard error.
    pub(crate) fn stderr(&self) -> String {
        self.stderr.so_far()
    }

    async fn writes(&self, stream: &Stream, text: &str) -> String {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let written = stream.so_far();
            if let Some(at) = written.find(text) {
                return written[at + text.len()..].lines().next().unwrap_or_default().to_owned();
            }
            assert!(
                Instant::now() < deadline && !stream.reader.is_finished(),
                "{} did not write {text:?}, but: {}{}",
                self.name,
                self.stdout.so_far(),
                self.stderr.so_far()
            );
            sleep(Duration::from_millis(5)).await;
        }
    }

    /// Whether it still runs.
    pub(crate) fn runs(&mut self) -> bool {
        self.child.try_wait().expect("it can be looked at").is_none()
    }

    /// Waits until it ends by itself.
    pub(crate) async fn ended(self) -> Ended {
        self.ended_within(PATIENCE).await
    }

    /// Like [`ended`](Self::ended), with its own patience.
    pub(crate) async fn ended_within(mut self, patience: Duration) -> Ended {
        let Ok(status) = timeout(patience, self.child.wait()).await else {
            panic!("{} does not end; it wrote: {}{}", self.name, self.stdout.so_far(), self.stderr.so_far());
        };
        let status = status.expect("it can be waited for");
        let (stdout, stderr) = (self.stdout.all().await, self.stderr.all().await);
        Ended { code: status.code(), signal: status.signal(), stdout, stderr }
    }
}

impl Stream {
    fn read(stream: impl AsyncRead + Unpin + Send + 'static) -> Self {
        let text = Arc::new(Mutex::new(String::new()));
        let written = Arc::clone(&text);
        let reader = tokio::spawn(async move {
            let mut lines = BufReader::new(stream).lines();
            while let Some(line) = lines.next_line().await.expect("programs write text") {
                let mut written = written.lock().unwrap_or_else(PoisonError::into_inner);
                written.push_str(&line);
                written.push('\n');
            }
        });
        Self { text, reader }
    }

    fn so_far(&self) -> String {
        self.text.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    async fn all(self) -> String {
        timeout(PATIENCE, self.reader).await.expect("the stream ends with its process").expect("it was read");
        let text = self.text.lock().unwrap_or_else(PoisonError::into_inner);
        text.clone()
    }
}

/// Runs a program to its end.
pub(crate) async fn run(program: &str, arguments: &[&str]) -> Ended {
    Program::start(program, arguments).ended().await
}

/// Runs a program that must succeed, and returns its output.
pub(crate) async fn done(program: &str, arguments: &[&str]) -> String {
    let ended = run(program, arguments).await;
    assert_eq!(ended.code, Some(0), "{arguments:?}: {ended:?}");
    ended.stdout
}

/// Parses the output of a program as JSON.
pub(crate) fn parsed(text: &str) -> Json {
    serde_json::from_str(text).unwrap_or_else(|error| panic!("{error} in {text:?}"))
}

/// How long a request took.
pub(crate) fn elapsed(answer: &Json) -> Duration {
    Duration::from_nanos(answer["elapsed"].as_u64().unwrap_or_else(|| panic!("no elapsed: {answer}")))
}

/// The HTTP API of a coordinator.
#[derive(Clone)]
pub(crate) struct Api {
    pub(crate) url: String,
    client: reqwest::Client,
}

impl Api {
    pub(crate) fn at(url: &str) -> Self {
        Self { url: url.trim_end_matches('/').to_owned(), client: client() }
    }

    pub(crate) async fn get(&self, path: &str) -> (u16, Json) {
        answer(self.client.get(format!("{}{path}", self.url))).await
    }

    /// Asks with this body, and returns the status and the JSON of the answer.
    pub(crate) async fn ask(&self, body: Json) -> (u16, Json) {
        self.post("application/json", body.to_string()).await
    }

    /// Like [`ask`](Self::ask), within a trace.
    pub(crate) async fn ask_within(&self, traceparent: &str, body: Json) -> (u16, Json) {
        let request = self.client.post(format!("{}/request", self.url)).header("content-type", "application/json");
        answer(request.header("traceparent", traceparent).body(body.to_string())).await
    }

    /// Asks a query that must be answered.
    pub(crate) async fn answer(&self, query: &str) -> Json {
        let (status, body) = self.ask(json!({ "query": query })).await;
        assert_eq!(status, 200, "{body}");
        body
    }

    /// Posts any body.
    pub(crate) async fn post(&self, content_type: &str, body: impl Into<reqwest::Body>) -> (u16, Json) {
        let request = self.client.post(format!("{}/request", self.url)).header("content-type", content_type);
        answer(request.body(body)).await
    }

    /// The metrics, as Prometheus scrapes them.
    pub(crate) async fn metrics(&self) -> String {
        let response =
            self.client.get(format!("{}/metrics", self.url)).timeout(PATIENCE).send().await.expect("an answer");
        assert_eq!(response.status(), 200);
        assert_eq!(response.headers()["content-type"], "text/plain; version=0.0.4; charset=utf-8");
        response.text().await.expect("a body")
    }

    pub(crate) async fn counter(&self, name: &str) -> u64 {
        self.get("/workers").await.1["counters"][name].as_u64().unwrap_or_else(|| panic!("no counter {name}"))
    }

    /// Waits until `expected` workers are in `state`.
    pub(crate) async fn wait_for(&self, expected: usize, state: &str) {
        until(&format!("{expected} {state} workers"), async || {
            let (_, body) = self.get("/workers").await;
            let workers = body["workers"].as_array().into_iter().flatten();
            workers.filter(|worker| worker["state"] == state).count() == expected
        })
        .await;
    }

    /// Checks that the first known worker is `id`, and whether it has announced itself.
    pub(crate) async fn knows(&self, id: &str, announced: bool) {
        let (_, known) = self.get("/workers").await;
        let worker = &known["workers"][0];
        assert_eq!((&worker["worker_id"], &worker["announced"]), (&json!(id), &json!(announced)), "{known}");
    }

    /// Waits until `expected` requests are in flight.
    pub(crate) async fn wait_for_in_flight(&self, expected: u64) {
        until("requests in flight", async || self.get("/workers").await.1["in_flight"] == expected).await;
    }
}

async fn answer(request: reqwest::RequestBuilder) -> (u16, Json) {
    let response = request.timeout(PATIENCE).send().await.expect("an answer");
    assert_eq!(response.headers()["content-type"], "application/json");
    let status = response.status().as_u16();
    (status, parsed(&response.text().await.expect("a body")))
}

/// A client that ignores proxies set in the environment.
pub(crate) fn client() -> reqwest::Client {
    let tls = rustls::ClientConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .with_safe_default_protocol_versions()
        .expect("ring has the default versions")
        .with_root_certificates(rustls::RootCertStore::empty())
        .with_no_client_auth();
    reqwest::Client::builder().no_proxy().tls_backend_preconfigured(tls).build().expect("a client")
}

/// A NATS server, a coordinator and simulated workers called `w1`, `w2` and so on.
pub(crate) struct Cluster {
    pub(crate) coordinator: Program,
    pub(crate) api: Api,
    pub(crate) workers: Vec<Program>,
    pub(crate) nats: NatsServer,
}

impl Cluster {
    /// Starts `count` workers and waits until all of them are live.
    pub(crate) async fn start(count: usize, coordinator: &[&str], worker: &[&str]) -> Self {
        let nats = NatsServer::start();
        let url = nats.url();
        let flags =
            [&["--nats", &url, "--listen", "127.0.0.1:0", "--rate-limit", "0", "--read-rate-limit", "0"], coordinator]
                .concat();
        let coordinator = Program::start(COORDINATOR, &flags);
        let api = api_of(&coordinator).await;
        let workers: Vec<_> = (1..=count)
            .map(|n| Program::start(WORKER, &[&["--nats", &url, "--id", &format!("w{n}")], worker].concat()))
            .collect();
        api.wait_for(count, "live").await;
        Self { coordinator, api, workers, nats }
    }

    /// Starts a further worker with these flags.
    pub(crate) fn worker(&self, id: &str, flags: &[&str]) -> Program {
        let url = self.nats.url();
        Program::start(WORKER, &[&["--nats", &url, "--id", id, "--announce-ms", "300"], flags].concat())
    }

    /// Starts a further worker that answers the queries of a pattern with what a shell command prints. `folder` keeps its
    /// source file.
    pub(crate) fn script(&self, folder: &TempDir, id: &str, query: &str, command: &str) -> Program {
        let file = folder.path().join(format!("{id}.toml"));
        let argv = format!("[\"sh\", \"-c\", \"{command}\"]");
        fs::write(&file, format!("[[source]]\nquery = \"{query}\"\nkind = \"command\"\nargv = {argv}\n"))
            .expect("written");
        self.worker(id, &["--source", "command", "--config", &file.display().to_string()])
    }
}

/// The API of a coordinator on a port of the system's choice, once it listens.
pub(crate) async fn api_of(coordinator: &Program) -> Api {
    let address = coordinator.logs("the coordinator listens address=").await;
    Api::at(&format!("http://{address}"))
}

/// Waits until a condition holds, checking again and again; fails after [`PATIENCE`]. A coordinator allows one address
/// a hundred reads per second.
pub(crate) async fn until(what: &str, mut is_so: impl AsyncFnMut() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !is_so().await {
        assert!(Instant::now() < deadline, "timed out waiting for {what}");
        sleep(Duration::from_millis(20)).await;
    }
}
