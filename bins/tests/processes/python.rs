//! A worker in another language, which knows the least that a worker must.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use quorate_testing::workspace;
use serde_json::{Value as Json, json};

use crate::support::{Cluster, Program, until};

/// What `examples/worker.py` needs.
const PACKAGE: &str = "nats-py==2.16.0";

/// A folder with nats-py, got from PyPI into `target/` if it is not there.
pub(crate) fn nats_py() -> PathBuf {
    let folder = workspace("target/python");
    if folder.join("nats_py-2.16.0.dist-info").is_dir() {
        return folder;
    }
    let new = workspace(&format!("target/python.new-{}", std::process::id()));
    let install = |further: &[&str]| {
        let mut pip = Command::new("python3");
        pip.args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--target"]);
        match pip.arg(&new).args(further).arg(PACKAGE).output() {
            Ok(output) if output.status.success() => Ok(()),
            Ok(output) => Err(String::from_utf8_lossy(&output.stderr).into_owned()),
            Err(error) => Err(format!("python3 cannot be started: {error}\n")),
        }
    };
    // With --target, pip leaves the system's packages alone; an old pip refuses nevertheless where they are managed by
    // the distribution, unless told so.
    if let Err(why) = install(&[]).or_else(|why| install(&["--break-system-packages"]).map_err(|_| why)) {
        panic!(
            "{why}this test runs examples/worker.py, and could not get {PACKAGE} for it. It needs python3 with pip \
             (Debian: apt-get install python3 python3-pip) and PyPI. Or get it yourself: python3 -m pip install --target \
             target/python {PACKAGE}"
        );
    }
    put_in_place(&new, &folder);
    folder
}

/// A folder is there as a whole or not at all, even if several tests get it at once.
fn put_in_place(new: &Path, folder: &Path) {
    let _ = fs::remove_dir_all(folder);
    if fs::rename(new, folder).is_err() {
        assert!(folder.is_dir(), "{} cannot be moved to {}", new.display(), folder.display());
        let _ = fs::remove_dir_all(new);
    }
}

fn elapsed(answer: &Json) -> Duration {
    Duration::from_nanos(answer["elapsed"].as_u64().unwrap_or_else(|| panic!("no elapsed: {answer}")))
}

#[tokio::test]
async fn the_example_in_python_is_waited_for_from_its_second_answer_on() {
    let stall = Duration::from_millis(700);
    let cluster = Cluster::start(0, &["--stall-ms", "700"], &[]).await;
    let script = workspace("examples/worker.py").display().to_string();
    let (url, packages) = (cluster.nats.url(), nats_py().display().to_string());
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
    assert!(elapsed(&first) >= stall, "nobody was known: {first}");

    let second = cluster.api.answer("ETH/USD").await;
    assert_eq!(second["final_value"].to_string(), "2500.1", "{second}");
    assert_eq!((&second["status"], &second["expected"]), (&json!("complete"), &json!(1)), "{second}");
    assert!(elapsed(&second) < stall, "the worker is known: {second}");

    let (_, known) = cluster.api.get("/workers").await;
    assert_eq!(
        (&known["workers"][0]["worker_id"], &known["workers"][0]["announced"]),
        (&json!("python-1"), &json!(false))
    );
    let (status, failed) = cluster.api.ask(json!({"query": "no such thing"})).await;
    assert_eq!((status, &failed["worker_responses"][0]["err"]), (422, &json!("KeyError('no such thing')")), "{failed}");
}
