//! A worker in another language, which does only the least that a worker must do.

use std::time::Duration;

use quorate_test_support::workspace;
use serde_json::{Value as Json, json};

use crate::packages::Package;
use crate::support::{Cluster, Program, elapsed, until};

/// The package that `examples/worker.py` needs.
pub(crate) const NATS_PY: Package =
    Package { name: "nats-py", version: "2.16.0", dependencies: true, purpose: "to run examples/worker.py" };

#[tokio::test]
async fn the_example_in_python_is_waited_for_from_its_second_answer_on() {
    let stall = Duration::from_millis(700);
    let cluster = Cluster::start(0, &["--stall-ms", "700"], &[]).await;
    let script = workspace("examples/worker.py").display().to_string();
    let (url, packages) = (cluster.nats.url(), NATS_PY.folder().display().to_string());
    let _python = Program::start_in("python3", &[&script, "python-1", &url], &[("PYTHONPATH", &packages)]);

    let mut first = Json::Null;
    until("the worker to subscribe", async || {
        let (status, body) = cluster.api.ask(json!({"query": "BTC/USD"})).await;
        assert!(matches!(status, 200 | 503), "{body}");
        first = body;
        status == 200
    })
    .await;
    assert_eq!((&first["final_value"], &first["expected"]), (&json!(42000.5), &json!(1)), "{first}");
    assert!(elapsed(&first) >= stall, "no worker was known: {first}");

    let second = cluster.api.answer("ETH/USD").await;
    assert_eq!(second["final_value"].to_string(), "2500.1", "{second}");
    assert_eq!((&second["status"], &second["expected"]), (&json!("complete"), &json!(1)), "{second}");
    assert!(elapsed(&second) < stall, "the worker is known: {second}");

    cluster.api.knows("python-1", false).await;
    let (status, failed) = cluster.api.ask(json!({"query": "no such thing"})).await;
    assert_eq!((status, &failed["worker_responses"][0]["err"]), (422, &json!("KeyError('no such thing')")), "{failed}");
}
