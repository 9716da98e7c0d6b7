//! The operator's tool against a coordinator and three workers.

use rustix::process::Signal;
use serde_json::json;

use crate::support::{Cluster, Program, QUICK, QUORATE, WORKER, done, parsed, run, until};

/// The questions of the demo.
pub(crate) const DEMO: [&str; 5] = ["BTC/USD", "ETH/USD", "SOL/USD", "MATIC/USD", "BTC/USD"];

/// Checks that `shown` has five answers in order, each with a line for each worker.
pub(crate) fn check_demo(shown: &str, workers: [&str; 3]) {
    let answers: Vec<_> = shown
        .lines()
        .enumerate()
        .filter_map(|(at, line)| {
            DEMO.iter().find(|query| line.starts_with(&format!("{query} = "))).map(|query| (at, *query))
        })
        .collect();
    assert_eq!(answers.iter().map(|(_, query)| *query).collect::<Vec<_>>(), DEMO, "{shown}");
    for (at, query) in answers {
        for worker in workers {
            let mut breakdown = shown.lines().skip(at + 1).take(5);
            assert!(breakdown.any(|line| line.starts_with(&format!("  {worker} "))), "{worker} for {query}: {shown}");
        }
    }
    assert!(!shown.contains('\u{1b}'), "an escape sequence for what is no terminal: {shown:?}");
}

#[tokio::test]
async fn every_tool_works_against_three_workers() {
    let cluster = Cluster::start(3, &[], &QUICK).await;
    let url = ["--url", &cluster.api.url];

    let answer = parsed(&done(QUORATE, &[&["ask", "BTC/USD", "--json"], &url[..]].concat()).await);
    assert_eq!((&answer["status"], &answer["expected"]), (&json!("complete"), &json!(3)), "{answer}");
    assert_eq!(answer["worker_responses"].as_array().map(Vec::len), Some(3), "{answer}");
    let shown = done(QUORATE, &[&["ask", "BTC/USD"], &url[..]].concat()).await;
    assert!(shown.starts_with("BTC/USD = ") && shown.contains("All workers responded successfully"), "{shown}");

    let strict = ["ask", "BTC/USD", "--tolerance", "0", "--min-agreement", "0.9", "--on-dispute", "reject"];
    let ended = run(QUORATE, &[&strict[..], &url[..]].concat()).await;
    assert_eq!((ended.code, ended.stdout.as_str()), (Some(3), ""), "{ended:?}");
    let said = "BTC/USD: the coordinator answered 409 Conflict: the workers do not agree: ";
    assert!(ended.stderr.starts_with(said) && ended.stderr.contains("\n  w3 "), "{ended:?}");
    assert!(ended.stderr.contains("--on-dispute answer"), "{ended:?}");

    let workers = parsed(&done(QUORATE, &[&["workers", "--json"], &url[..]].concat()).await);
    let names: Vec<_> =
        workers["workers"].as_array().expect("a list").iter().map(|worker| &worker["worker_id"]).collect();
    assert_eq!(names, ["w1", "w2", "w3"]);
    assert!(workers["workers"].as_array().expect("a list").iter().all(|worker| worker["state"] == "live"), "{workers}");
    until("the table to show the three questions", async || {
        let shown = done(QUORATE, &[&["workers"], &url[..]].concat()).await;
        shown.contains("  w3 ") && shown.contains("  3  requests accepted")
    })
    .await;

    let load = [&["load", "--requests", "200", "--json"], &url[..]].concat();
    let report = parsed(&done(QUORATE, &load).await);
    assert_eq!((&report["requests"], &report["ok"], &report["errors"]), (&json!(200), &json!(200), &json!({})));
    assert!(report["latency_us"]["p50"].as_u64().is_some_and(|p50| p50 >= 1_000), "{report}");

    check_demo(&done(QUORATE, &[&["demo"], &url[..]].concat()).await, ["w1", "w2", "w3"]);
}

#[tokio::test]
async fn without_workers_or_nats_every_tool_says_what_to_do() {
    let mut cluster = Cluster::start(0, &[], &[]).await;
    let api = cluster.api.clone();
    let url = ["--url", &api.url];
    until("a connection", async || api.get("/health").await.1["nats"] == true).await;
    let ended = run(QUORATE, &[&["ask", "q"], &url[..]].concat()).await;
    assert_eq!((ended.code, ended.stdout.as_str()), (Some(3), ""));
    let expected = "\
q: the coordinator answered 503 Service Unavailable: no worker is listening for tasks: start a worker, or check that it \
reaches the same bus
  What to do: start a worker with the same --nats as the coordinator
";
    assert_eq!(ended.stderr, expected);
    let shown = done(QUORATE, &[&["workers"], &url[..]].concat()).await;
    assert!(shown.starts_with("No worker is known. Start one with: worker\n"), "{shown}");
    let ended = run(QUORATE, &[&["load", "--requests", "5"], &url[..]].concat()).await;
    assert_eq!(ended.code, Some(1), "{ended:?}");
    assert!(ended.stdout.contains("  errors: 503 ") && ended.stderr.starts_with("error: no request succeeded; "));

    cluster.nats.kill();
    until("the outage to be noticed", async || api.get("/health").await.1["nats"] == false).await;
    let ended = run(QUORATE, &[&["ask", "q"], &url[..]].concat()).await;
    let expected = "\
q: the coordinator answered 503 Service Unavailable: the bus is disconnected: ask again
  What to do: check that the NATS server runs at the coordinator's --nats; the coordinator's log has the reason
";
    assert_eq!((ended.code, ended.stderr.as_str()), (Some(3), expected));
}

#[tokio::test]
async fn health_tells_alive_ready_and_gone_apart() {
    let mut cluster = Cluster::start(0, &[], &[]).await;
    let api = cluster.api.clone();
    let health = async |flags: &[&str]| {
        let ended = run(QUORATE, &[&["health", "--url", &api.url], flags].concat()).await;
        (ended.code.expect("it exits by itself"), ended.stdout, ended.stderr)
    };
    until("a connection", async || api.get("/health").await.1["nats"] == true).await;
    assert_eq!(health(&[]).await, (0, "healthy; connected to NATS\n".to_owned(), String::new()));
    let (code, shown, error) = health(&["--ready"]).await;
    assert_eq!((code, shown.as_str()), (3, ""));
    assert!(error.contains("503 Service Unavailable: no worker is known yet; start a worker"), "{error}");

    let nats = cluster.nats.url();
    cluster.workers.push(Program::start(WORKER, &["--nats", &nats, "--id", "w1"]));
    api.wait_for(1, "live").await;
    let ready = "ready; live workers: 1, requests in flight: 0\n".to_owned();
    assert_eq!(health(&["--ready"]).await, (0, ready, String::new()));
    let (_, shown, _) = health(&["--ready", "--json"]).await;
    assert_eq!(parsed(&shown), json!({"ready": true, "workers": 1, "in_flight": 0, "short": []}));

    cluster.nats.kill();
    until("the outage to be noticed", async || api.get("/health").await.1["nats"] == false).await;
    assert_eq!(health(&[]).await, (0, "healthy; not connected to NATS\n".to_owned(), String::new()));
    let (code, shown, _) = health(&["--ready", "--json"]).await;
    assert_eq!((code, &parsed(&shown)["error"]), (3, &json!("bus_down")));

    cluster.coordinator.signal(Signal::KILL);
    assert_eq!(cluster.coordinator.ended().await.signal, Some(Signal::KILL.as_raw()));
    let (code, shown, error) = health(&[]).await;
    assert_eq!((code, shown.as_str()), (4, ""));
    assert!(error.starts_with("error: cannot reach http://127.0.0.1:"), "{error}");
}
