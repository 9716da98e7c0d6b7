//! Workers in another language, as short as they can be: one that announces itself, and one that takes packs as well.

use std::collections::BTreeSet;
use std::time::Duration;

use futures_util::StreamExt as _;
use futures_util::future::join_all;
use quorate_test_support::workspace;
use rustix::process::Signal;
use serde_json::json;
use tokio::time::timeout;

use crate::packages::Package;
use crate::support::{Cluster, PATIENCE, Program, elapsed, parsed, until};

const WORKER: &str = "examples/worker.py";
const WITH_PACKS: &str = "examples/worker_packs.py";

/// The package that `examples/worker.py` needs.
pub(crate) const NATS_PY: Package =
    Package { name: "nats-py", version: "2.16.0", dependencies: true, purpose: "to run examples/worker.py" };

fn start(cluster: &Cluster, script: &str, id: &str) -> Program {
    let script = workspace(script).display().to_string();
    let packages = NATS_PY.folder().display().to_string();
    Program::start_in("python3", &[&script, id, &cluster.nats.url()], &[("PYTHONPATH", &packages)])
}

async fn is_waited_for_from_its_start_until_it_says_that_it_leaves(script: &str) {
    // Long enough to tell a request that waits for unknown workers from one that knows its workers.
    let stall = Duration::from_secs(20);
    let cluster = Cluster::start(0, &["--stall-ms", "20000", "--timeout-ms", "25000"], &[]).await;
    let python = start(&cluster, script, "python-1");
    cluster.api.wait_for(1, "live").await;
    cluster.api.knows("python-1", true).await;
    for (query, value) in [("BTC/USD", "42000.5"), ("ETH/USD", "2500.1")] {
        let answer = cluster.api.answer(query).await;
        assert_eq!(answer["final_value"].to_string(), value, "{answer}");
        assert_eq!((&answer["status"], &answer["expected"]), (&json!("complete"), &json!(1)), "{answer}");
        assert!(elapsed(&answer) < stall, "the worker is known: {answer}");
    }
    let (status, failed) = cluster.api.ask(json!({"query": "no such thing"})).await;
    assert_eq!((status, &failed["worker_responses"][0]["err"]), (422, &json!("KeyError('no such thing')")), "{failed}");

    python.signal(Signal::TERM);
    let ended = python.ended().await;
    assert_eq!((ended.code, ended.stderr.as_str()), (Some(0), ""), "{ended:?}");
    cluster.api.wait_for(1, "left").await;
}

async fn repeats_its_answer_when_a_task_is_redispatched(script: &str) {
    // The other worker is silent, so the task is redispatched after a fifth of the timeout.
    let cluster = Cluster::start(1, &["--redispatch-share", "0.2", "--timeout-ms", "1000"], &[]).await;
    let _python = start(&cluster, script, "python-1");
    cluster.api.wait_for(2, "live").await;
    cluster.workers[0].signal(Signal::STOP);
    let answer = cluster.api.answer("BTC/USD").await;
    assert_eq!(answer["missing"], json!(["w1"]), "{answer}");
    until("the second answer", async || cluster.api.counter("results_duplicate").await == 1).await;
    assert_eq!(cluster.api.counter("results_equivocal").await, 0);
    cluster.workers[0].signal(Signal::CONT);
}

#[tokio::test]
async fn the_example_in_python_is_waited_for_from_its_start_until_it_says_that_it_leaves() {
    is_waited_for_from_its_start_until_it_says_that_it_leaves(WORKER).await;
}

#[tokio::test]
async fn the_example_with_packs_is_waited_for_from_its_start_until_it_says_that_it_leaves() {
    is_waited_for_from_its_start_until_it_says_that_it_leaves(WITH_PACKS).await;
}

#[tokio::test]
async fn the_example_in_python_repeats_its_answer_when_a_task_is_redispatched() {
    repeats_its_answer_when_a_task_is_redispatched(WORKER).await;
}

#[tokio::test]
async fn the_example_with_packs_repeats_its_answer_when_a_task_is_redispatched() {
    repeats_its_answer_when_a_task_is_redispatched(WITH_PACKS).await;
}

#[tokio::test]
async fn the_example_with_packs_is_sent_packs_and_answers_all_of_their_tasks() {
    // A busy machine makes a worker late, which is no reason to go on without it.
    let cluster = Cluster::start(0, &["--timeout-ms", "20000", "--suspect-after-ms", "20000"], &[]).await;
    let ids = ["python-1", "python-2"];
    let _workers = ids.map(|id| start(&cluster, WITH_PACKS, id));
    cluster.api.wait_for(2, "live").await;
    let client = async_nats::connect(cluster.nats.url()).await.expect("a connection");
    let mut packs = client.subscribe("oracle.tasks.packed").await.expect("a subscription");
    client.flush().await.expect("it is subscribed");
    let outcomes = join_all((0..100).map(|_| cluster.api.answer("BTC/USD"))).await;
    for outcome in outcomes {
        assert_eq!((&outcome["status"], &outcome["missing"]), (&json!("complete"), &json!([])), "{outcome}");
        let responses = outcome["worker_responses"].as_array().expect("a list").iter();
        let answered: Vec<_> = responses.map(|own| (own["worker_id"].clone(), own["value"].to_string())).collect();
        assert_eq!(answered, ids.map(|id| (json!(id), "42000.5".to_owned())));
    }
    let pack = timeout(PATIENCE, packs.next()).await.expect("packs were sent").expect("it is connected");
    let pack = parsed(std::str::from_utf8(&pack.payload).expect("a text"));
    assert!(pack["tasks"].as_array().is_some_and(|tasks| tasks.len() > 1), "{pack}");
    for wrong in ["messages_malformed", "results_unknown", "results_misdirected", "results_duplicate"] {
        assert_eq!(cluster.api.counter(wrong).await, 0, "{wrong}");
    }
}

#[tokio::test]
async fn the_example_with_packs_splits_its_results_and_loses_only_what_is_no_task() {
    let cluster = Cluster::start(0, &[], &[]).await;
    let _python = start(&cluster, WITH_PACKS, "python-1");
    cluster.api.wait_for(1, "live").await;
    let client = async_nats::connect(cluster.nats.url()).await.expect("a connection");
    let mut answers = client.subscribe("answers").await.expect("a subscription");
    let traceparent = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
    let task = |number: usize| json!({"id": format!("r{number}"), "query": "BTC/USD", "task": number.to_string()});
    let mut tasks: Vec<_> = (0..1000).map(task).collect();
    tasks[7]["traceparent"] = json!(traceparent);
    tasks.extend([json!(7), json!({"id": "r"}), json!({"id": [], "query": "BTC/USD"})]);
    let pack = json!({"tasks": tasks, "reply": "answers"}).to_string();
    client.publish("oracle.tasks.packed", pack.into()).await.expect("it is sent");
    let (mut messages, mut answered) = (0, BTreeSet::new());
    while answered.len() < 1000 {
        let answer = timeout(PATIENCE, answers.next()).await.expect("it answers in time").expect("it is connected");
        assert!(answer.payload.len() <= 64 << 10, "{}", answer.payload.len());
        messages += 1;
        let pack = parsed(std::str::from_utf8(&answer.payload).expect("a text"));
        for result in pack["results"].as_array().expect("a list") {
            let number = result["task"].as_str().expect("a text").to_owned();
            assert_eq!((&result["request_id"], &result["value"]), (&json!(format!("r{number}")), &json!(42000.5)));
            assert_eq!(result.get("traceparent"), (number == "7").then_some(&json!(traceparent)), "{result}");
            assert!(answered.insert(number), "{result}");
        }
    }
    assert!(messages > 1, "{messages}");
}
