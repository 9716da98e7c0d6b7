//! `quorate follow`: outcomes as they come, over HTTP and over NATS.

use quorate_test_support::NatsServer;
use rustix::process::Signal;
use serde_json::json;

use crate::support::{COORDINATOR, Cluster, Program, QUICK, QUORATE, api_of, parsed, run, until};

/// The lines of a text as JSON.
fn objects(text: &str) -> Vec<serde_json::Value> {
    text.lines().map(parsed).collect()
}

#[tokio::test]
async fn outcomes_are_lines_and_the_count_ends_them() {
    let cluster = Cluster::start(1, &[], &QUICK).await;
    let over_http = ["--url", &cluster.api.url];
    let nats = cluster.nats.url();
    let over_nats = ["--nats", &nats];
    for source in [&over_http, &over_nats] {
        let followed = Program::start(QUORATE, &[&["follow", "BTC/*", "--count", "2"], &source[..]].concat());
        let everything = Program::start(QUORATE, &[&["follow", "--json", "--count", "3"], &source[..]].concat());
        followed.logs("following ").await;
        everything.logs("following ").await;
        let answer = cluster.api.answer("BTC/USD").await;
        cluster.api.answer("ETH/USD").await;
        let (status, error) = cluster.api.ask(json!({"query": "BTC/EUR", "min_responses": 2, "timeout_ms": 500})).await;
        assert_eq!(status, 422, "{error}");

        let ended = followed.ended().await;
        assert_eq!(ended.code, Some(0), "{ended:?}");
        let [first, second] = ended.stdout.lines().collect::<Vec<_>>()[..] else { panic!("two lines: {ended:?}") };
        let columns = |line: &str| -> Vec<String> {
            line.split("  ").map(str::trim).filter(|column| !column.is_empty()).map(str::to_owned).collect()
        };
        let (first, second) = (columns(first), columns(second));
        let value = answer["final_value"].to_string();
        assert_eq!(first[1..], ["BTC/USD", value.as_str(), "complete", "All workers responded successfully"]);
        assert_eq!(second[1..4], ["BTC/EUR", "-", "insufficient_responses"]);
        assert_eq!(second[4], error["details"].as_str().expect("it has details"));
        assert!(first[0].len() == 20 && first[0].ends_with('Z'), "{first:?}");

        let ended = everything.ended().await;
        let told = objects(&ended.stdout);
        assert_eq!((ended.code, told.len()), (Some(0), 3), "{ended:?}");
        assert_eq!((&told[0], &told[2]), (&answer, &error), "the coordinator's own objects");
    }
}

#[tokio::test]
async fn a_signal_ends_it_and_a_server_that_is_not_there_is_an_error() {
    let cluster = Cluster::start(0, &[], &[]).await;
    for source in [["--url", &cluster.api.url], ["--nats", &cluster.nats.url()]] {
        let follow = Program::start(QUORATE, &[&["follow"], &source[..]].concat());
        follow.logs("following ").await;
        follow.signal(Signal::INT);
        let ended = follow.ended().await;
        assert_eq!((ended.code, ended.stdout.as_str()), (Some(0), ""), "{ended:?}");
    }
    let nowhere = "http://127.0.0.1:9";
    let ended = run(QUORATE, &["follow", "--url", nowhere]).await;
    assert_eq!((ended.code, ended.stdout.as_str()), (Some(4), ""), "{ended:?}");
    assert!(ended.stderr.starts_with("error: cannot reach http://127.0.0.1:9/: "), "{ended:?}");
    let ended = run(QUORATE, &["follow", "--nats", "nats://127.0.0.1:9"]).await;
    assert_eq!((ended.code, ended.stdout.as_str()), (Some(1), ""), "{ended:?}");
    assert!(ended.stderr.contains("check --nats"), "{ended:?}");
}

#[tokio::test]
async fn credentials_that_nats_refuses_are_named_at_once() {
    let nats = NatsServer::start_with(&["--user", "follower", "--pass", "secret"]);
    let ended = run(QUORATE, &["follow", "--nats", &nats.url()]).await;
    assert_eq!((ended.code, ended.stdout.as_str()), (Some(2), ""), "{ended:?}");
    assert!(ended.stderr.starts_with("error: NATS refuses the credentials: "), "{ended:?}");

    let address = nats.url().replace("nats://", "nats://follower:secret@");
    let follow = Program::start(QUORATE, &["follow", "--nats", &address]);
    follow.logs("following oracle.outcomes.> on NATS").await;
    assert!(!follow.stderr().contains("secret"), "{}", follow.stderr());
}

#[tokio::test]
async fn it_goes_on_after_a_restart_of_the_coordinator_and_says_so() {
    let mut cluster = Cluster::start(1, &[], &[&QUICK[..], &["--announce-ms", "200"]].concat()).await;
    let follow = Program::start(QUORATE, &["follow", "--json", "--url", &cluster.api.url, "--count", "2"]);
    follow.logs("following ").await;
    let before = cluster.api.answer("BTC/USD").await;
    follow.prints("BTC/USD").await;
    let address = cluster.api.url.trim_start_matches("http://").to_owned();
    cluster.coordinator.signal(Signal::TERM);
    follow.logs("; connecting again").await;
    follow.logs("connection refused; is the coordinator running?").await;
    let flags = ["--nats", &cluster.nats.url(), "--listen", &address, "--rate-limit", "0"];
    cluster.coordinator = Program::start(COORDINATOR, &flags);
    let api = api_of(&cluster.coordinator).await;
    api.wait_for(1, "live").await;
    let after = api.answer("ETH/USD").await;
    let ended = follow.ended().await;
    assert_eq!(ended.code, Some(0), "{ended:?}");
    assert_eq!(objects(&ended.stdout), [before, json!({"missed": null}), after]);
    assert!(ended.stderr.ends_with(&format!("following http://{address}/ again\n")), "{ended:?}");
}

#[tokio::test]
async fn over_nats_it_goes_on_after_a_restart_of_the_server_and_says_so() {
    let mut cluster = Cluster::start(1, &[], &[&QUICK[..], &["--announce-ms", "200"]].concat()).await;
    let follow = Program::start(QUORATE, &["follow", "--nats", &cluster.nats.url(), "--json", "--count", "2"]);
    follow.logs("following oracle.outcomes.> on NATS").await;
    let before = cluster.api.answer("BTC/USD").await;
    follow.prints("BTC/USD").await;
    cluster.nats.kill();
    follow.logs("the connection to NATS is lost; connecting again").await;
    cluster.nats.restart();
    follow.logs("following oracle.outcomes.> on NATS again").await;
    let api = &cluster.api;
    until("the coordinator to be connected", async || api.get("/health").await.1["nats"] == true).await;
    api.wait_for(1, "live").await;
    let after = api.answer("ETH/USD").await;
    let ended = follow.ended().await;
    assert_eq!(ended.code, Some(0), "{ended:?}");
    assert_eq!(objects(&ended.stdout), [before, json!({"missed": null}), after]);
}
