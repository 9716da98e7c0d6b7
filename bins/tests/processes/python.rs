//! A worker in another language, as short as one can be that announces itself.

use std::time::Duration;

use quorate_test_support::workspace;
use rustix::process::Signal;
use serde_json::json;

use crate::packages::Package;
use crate::support::{Cluster, Program, elapsed, until};

/// The package that `examples/worker.py` needs.
pub(crate) const NATS_PY: Package =
    Package { name: "nats-py", version: "2.16.0", dependencies: true, purpose: "to run examples/worker.py" };

fn start(cluster: &Cluster, id: &str) -> Program {
    let script = workspace("examples/worker.py").display().to_string();
    let packages = NATS_PY.folder().display().to_string();
    Program::start_in("python3", &[&script, id, &cluster.nats.url()], &[("PYTHONPATH", &packages)])
}

#[tokio::test]
async fn the_example_in_python_is_waited_for_from_its_start_until_it_says_that_it_leaves() {
    // Long enough to tell a request that waits for unknown workers from one that knows its workers.
    let stall = Duration::from_secs(20);
    let cluster = Cluster::start(0, &["--stall-ms", "20000", "--timeout-ms", "25000"], &[]).await;
    let python = start(&cluster, "python-1");
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

#[tokio::test]
async fn the_example_in_python_repeats_its_answer_when_a_task_is_redispatched() {
    // The other worker is silent, so the task is redispatched after a fifth of the timeout.
    let cluster = Cluster::start(1, &["--redispatch-share", "0.2", "--timeout-ms", "1000"], &[]).await;
    let _python = start(&cluster, "python-1");
    cluster.api.wait_for(2, "live").await;
    cluster.workers[0].signal(Signal::STOP);
    let answer = cluster.api.answer("BTC/USD").await;
    assert_eq!(answer["missing"], json!(["w1"]), "{answer}");
    until("the second answer", async || cluster.api.counter("results_duplicate").await == 1).await;
    assert_eq!(cluster.api.counter("results_equivocal").await, 0);
    cluster.workers[0].signal(Signal::CONT);
}
