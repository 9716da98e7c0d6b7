//! The servers as subcommands of `quorate`.

use quorate_test_support::NatsServer;
use rustix::process::Signal;

use crate::support::{Program, QUICK, QUORATE, api_of};

#[tokio::test]
async fn a_coordinator_and_a_worker_run_as_subcommands() {
    let nats = NatsServer::start();
    let url = nats.url();
    let coordinator = Program::start(QUORATE, &["coordinator", "--nats", &url, "--listen", "127.0.0.1:0"]);
    let worker = Program::start(QUORATE, &[&["worker", "--nats", &url, "--id", "w1"], &QUICK[..]].concat());
    let api = api_of(&coordinator).await;
    api.wait_for(1, "live").await;
    assert_eq!(api.answer("BTC/USD").await["worker_responses"][0]["worker_id"], "w1");
    for program in [worker, coordinator] {
        program.signal(Signal::TERM);
        let ended = program.ended().await;
        assert_eq!(ended.code, Some(0), "{ended:?}");
    }
}
