//! A running coordinator, to check which routes it has.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::process::{Child, ChildStderr, Command, Stdio};

/// A coordinator for one test. Killed when dropped.
pub(crate) struct Coordinator {
    process: Child,
    /// Kept open, so that the coordinator can continue to write to it.
    _said: BufReader<ChildStderr>,
    address: String,
}

impl Coordinator {
    pub(crate) fn start() -> Self {
        let mut command = Command::new(env!("CARGO_BIN_EXE_quorate"));
        command.args(["dev", "--workers", "0", "--listen", "127.0.0.1:0"]).env_clear();
        let mut process = command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().expect("it was built");
        let mut said = BufReader::new(process.stderr.take().expect("it is piped"));
        let address = said.by_ref().lines().map(|line| line.expect("text")).find_map(|line| {
            let (_, address) = line.split_once("the coordinator listens; stop with Ctrl-C address=")?;
            Some(address.to_owned())
        });
        Self { process, _said: said, address: address.expect("it says where it listens") }
    }

    /// Whether `GET path` is a route, whatever its status.
    pub(crate) fn has(&self, path: &str) -> bool {
        let mut stream = TcpStream::connect(&self.address).expect("it listens");
        write!(stream, "GET {path} HTTP/1.1\r\nhost: test\r\nconnection: close\r\n\r\n").expect("it reads");
        let mut answer = String::new();
        stream.read_to_string(&mut answer).expect("it answers");
        let status = answer.split(' ').nth(1).expect("a status");
        status != "404"
    }
}

impl Drop for Coordinator {
    fn drop(&mut self) {
        // It may have exited by itself.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

#[test]
fn a_path_is_told_from_one_that_is_not_there() {
    let coordinator = Coordinator::start();
    assert!(coordinator.has("/health") && coordinator.has("/ready"));
    assert!(!coordinator.has("/healthz"));
}
