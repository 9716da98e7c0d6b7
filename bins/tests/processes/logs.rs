//! Logs whose reader is gone.

use std::process::Stdio;

use quorate_test_support::NatsServer;
use rustix::process::{Pid, Signal, kill_process};
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::process::Command;
use tokio::time::timeout;

use crate::support::{Api, COORDINATOR, PATIENCE, until};

#[tokio::test]
async fn a_coordinator_serves_and_stops_gracefully_when_the_reader_of_its_log_is_gone() {
    let nats = NatsServer::start();
    let mut command = Command::new(COORDINATOR);
    command.args(["--nats", &nats.url(), "--listen", "127.0.0.1:0"]).env_clear().kill_on_drop(true);
    let mut coordinator = command.stderr(Stdio::piped()).spawn().expect("it was built");
    let mut log = BufReader::new(coordinator.stderr.take().expect("it is piped")).lines();
    let address = loop {
        let line = log.next_line().await.expect("text").expect("it says where it listens");
        if let Some((_, address)) = line.split_once("the coordinator listens address=") {
            break address.to_owned();
        }
    };
    drop(log);

    let api = Api::at(&format!("http://{address}"));
    until("a connection", async || api.get("/health").await.1["nats"] == true).await;
    // It also logs that it stops, which nobody reads.
    let id = coordinator.id().and_then(|id| Pid::from_raw(id.try_into().ok()?)).expect("it runs");
    kill_process(id, Signal::TERM).expect("it can be signalled");
    let ended = timeout(PATIENCE, coordinator.wait()).await.expect("it ends").expect("it can be waited for");
    assert_eq!(ended.code(), Some(0));
}
