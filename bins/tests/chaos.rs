//! The faults of `make chaos`, for less than a minute. A binary of its own, because nothing runs beside it: its bounds are
//! times.

use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use quorate_test_support::{NatsServer, workspace};
use tokio::process::Command;
use tokio::time::timeout;

/// A program in the folder where all of them are.
const COORDINATOR: &str = env!("CARGO_BIN_EXE_coordinator");
/// How long it may take on a busy machine.
const WITHIN: Duration = Duration::from_mins(5);

#[tokio::test]
async fn feeds_and_durable_requests_keep_their_promises_while_processes_are_killed_and_paused() {
    let programs = Path::new(COORDINATOR).parent().expect("a folder");
    let mut chaos = Command::new("python3");
    chaos.arg(workspace("scripts/chaos.py")).args(["--seconds", "30", "--requests", "45", "--programs"]).arg(programs);
    chaos.env("NATS_SERVER", NatsServer::binary()).stdin(Stdio::null()).kill_on_drop(true);
    let ran = timeout(WITHIN, chaos.output()).await.expect("it ends").expect("python3 is installed");
    let (said, errors) = (String::from_utf8_lossy(&ran.stdout), String::from_utf8_lossy(&ran.stderr));
    assert!(ran.status.success(), "{said}{errors}");
    assert!(said.contains("20 feeds") && said.contains("45 requests, 45 outcomes"), "{said}");
    assert!(said.contains("kill ") && said.contains("pause "), "{said}");
}
