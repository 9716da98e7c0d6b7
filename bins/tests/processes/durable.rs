//! Requests that are left with coordinators which are killed, on a real JetStream.

use std::collections::BTreeSet;
use std::time::Duration;

use quorate_test_support::NatsServer;
use rustix::process::Signal;
use serde_json::{Value as Json, json};
use tokio::time::{Instant, interval, sleep};

use crate::support::{Api, COORDINATOR, PATIENCE, Program, QUORATE, WORKER, api_of, client, parsed, run, until};

/// The coordinators that serve at a time.
const COORDINATORS: usize = 3;
/// A request may take this long, so that another coordinator takes it over after 12 s.
const TIMEOUT_MS: u64 = 2000;
/// How long the other coordinators may take for what the killed ones have left, on a busy machine.
const HEALED_WITHIN: Duration = Duration::from_mins(2);

/// A NATS server with JetStream, and coordinators that share its store.
struct Deployment {
    nats: NatsServer,
    coordinators: Vec<(Program, Api)>,
    /// How many coordinators have been killed.
    killed: usize,
    _workers: Vec<Program>,
    _folder: tempfile::TempDir,
}

impl Deployment {
    async fn start() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let nats = NatsServer::start_with(&["-js", "-sd", &folder.path().display().to_string()]);
        // Some requests are in flight whenever a coordinator is killed.
        let slow = ["--delay-min-ms", "100", "--delay-max-ms", "600", "--failure-rate", "0"];
        let worker = |id| Program::start(WORKER, &[&["--nats", &nats.url(), "--id", id][..], &slow].concat());
        let workers = vec![worker("w1"), worker("w2")];
        let mut coordinators = Vec::new();
        for _ in 0..COORDINATORS {
            coordinators.push(coordinator(&nats).await);
        }
        for (_, api) in &coordinators {
            api.wait_for(2, "live").await;
        }
        Self { nats, coordinators, killed: 0, _workers: workers, _folder: folder }
    }

    /// Kills the coordinator that has served longest, and starts another one.
    async fn kill_one(&mut self) {
        let (oldest, _) = self.coordinators.remove(0);
        oldest.signal(Signal::KILL);
        assert_eq!(oldest.ended().await.signal, Some(Signal::KILL.as_raw()));
        self.killed += 1;
        self.coordinators.push(coordinator(&self.nats).await);
    }
}

async fn coordinator(nats: &NatsServer) -> (Program, Api) {
    let url = nats.url();
    let flags = ["--nats", &url, "--listen", "127.0.0.1:0", "--rate-limit", "0", "--read-rate-limit", "0"];
    let program = Program::start(COORDINATOR, &[&flags[..], &["--store", "jetstream"]].concat());
    let api = api_of(&program).await;
    (program, api)
}

/// Leaves a request, at whichever coordinator accepts it. It is submitted again under its id if nobody knows whether it
/// was accepted.
async fn submit(clients: &reqwest::Client, apis: &[Api], id: &str) -> bool {
    for api in apis {
        let request = clients.post(format!("{}/requests", api.url)).header("content-type", "application/json");
        let body = json!({"query": "BTC/USD", "timeout_ms": TIMEOUT_MS}).to_string();
        let sent = request.header("idempotency-key", id).body(body).timeout(PATIENCE).send().await;
        if sent.is_ok_and(|response| response.status() == 202) {
            return true;
        }
    }
    false
}

/// Every outcome that is stored, by the ids of the requests.
async fn stored(api: &Api) -> Vec<String> {
    let mut ids = Vec::new();
    let mut cursor = String::new();
    loop {
        let (status, page) = api.get(&format!("/outcomes?limit=1000{cursor}")).await;
        assert_eq!(status, 200, "{page}");
        let outcomes = page["outcomes"].as_array().expect("a page").iter();
        ids.extend(outcomes.map(|outcome| outcome["id"].as_str().expect("an id").to_owned()));
        let Json::String(next) = &page["next"] else { return ids };
        cursor = format!("&cursor={next}");
    }
}

/// Leaves `count` requests, `per_second` of them, while a coordinator is killed every second.
async fn each_of_these_has_one_outcome(count: usize, per_second: u32) {
    let mut deployment = Deployment::start().await;
    let ids: BTreeSet<String> = (0..count).map(|n| format!("request-{n}")).collect();
    let (mut pace, mut kill_at) = (interval(Duration::from_secs(1) / per_second), Instant::now());
    let clients = client();
    for id in &ids {
        pace.tick().await;
        if Instant::now() >= kill_at {
            kill_at += Duration::from_secs(1);
            deployment.kill_one().await;
        }
        let deadline = Instant::now() + PATIENCE;
        let apis: Vec<_> = deployment.coordinators.iter().map(|(_, api)| api.clone()).collect();
        while !submit(&clients, &apis, id).await {
            assert!(Instant::now() < deadline, "nobody accepts {id}");
        }
    }
    let deadline = Instant::now() + HEALED_WITHIN;
    let api = &deployment.coordinators[0].1;
    for id in &ids {
        loop {
            let (status, outcome) = api.get(&format!("/requests/{id}?wait_ms=10000")).await;
            if status == 200 {
                assert_eq!((&outcome["request_id"], &outcome["query"]), (&json!(id), &json!("BTC/USD")), "{outcome}");
                break;
            }
            assert!(Instant::now() < deadline, "{id} has no outcome: {status} {outcome}");
            if status != 202 {
                sleep(Duration::from_millis(100)).await;
            }
        }
    }
    for (_, api) in &deployment.coordinators {
        let stored = stored(api).await;
        assert_eq!(stored.len(), count, "each is stored once");
        assert_eq!(stored.into_iter().collect::<BTreeSet<_>>(), ids);
    }
    assert!(deployment.killed > 2, "{} coordinators were killed", deployment.killed);
}

#[tokio::test]
async fn every_request_that_is_left_has_one_outcome_although_coordinators_are_killed() {
    each_of_these_has_one_outcome(100, 25).await;
}

#[tokio::test]
#[ignore = "it takes a minute, with nothing beside it: make chaos"]
async fn a_thousand_requests_have_a_thousand_outcomes_although_a_coordinator_is_killed_every_second() {
    each_of_these_has_one_outcome(1000, 25).await;
}

#[tokio::test]
async fn a_question_is_left_and_its_outcome_found_on_the_command_line() {
    let deployment = Deployment::start().await;
    let url = |n: usize| deployment.coordinators[n].1.url.clone();
    let quorate = async |at: usize, command: &[&str]| run(QUORATE, &[command, &["--url", &url(at)]].concat()).await;
    let left = quorate(0, &["submit", "BTC/USD", "--strategy", "median", "--id", "order 1"]).await;
    assert_eq!(left.code, Some(0), "{left:?}");
    assert!(left.stdout.starts_with("order 1 is open; its outcome will be: quorate result 'order 1'"), "{left:?}");
    let found = quorate(1, &["result", "order 1", "--wait"]).await;
    assert_eq!(found.code, Some(0), "{found:?}");
    assert!(found.stdout.starts_with("BTC/USD = ") && found.stdout.contains("median"), "{found:?}");
    let again = quorate(2, &["submit", "BTC/USD", "--id", "order 1", "--json"]).await;
    assert_eq!(parsed(&again.stdout), json!({"id": "order 1", "state": "done"}));
    let other = quorate(2, &["submit", "ETH/USD", "--id", "order 1"]).await;
    assert_eq!(other.code, Some(3), "{other:?}");
    let unknown = quorate(0, &["result", "order 2", "--json"]).await;
    assert_eq!((unknown.code, &parsed(&unknown.stdout)["error"]), (Some(3), &json!("not_found")), "{unknown:?}");
}

#[tokio::test]
async fn a_coordinator_serves_before_its_store_can_be_opened() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut nats = NatsServer::start_with(&["-js", "-sd", &folder.path().display().to_string()]);
    nats.kill();
    let (_program, api) = coordinator(&nats).await;
    let (status, health) = api.get("/health").await;
    assert_eq!((status, &health["nats"]), (200, &json!(false)), "{health}");
    let (status, refusal) = api.get("/requests/a").await;
    assert_eq!((status, &refusal["error"]), (503, &json!("store_unavailable")), "{refusal}");
    nats.restart();
    until("the store to open", async || submit(&client(), std::slice::from_ref(&api), "a").await).await;
}
