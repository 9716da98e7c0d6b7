//! A worker in Rust that is not ours: the example of the library, as built by cargo.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use rustix::process::Signal;
use serde_json::json;

use crate::support::{Cluster, Program};

/// The example as a program. `cargo test` builds it together with the tests, except when it is told to build a single
/// one. So the program must be as new as its sources.
fn example() -> PathBuf {
    let how = "cargo test -p quorate, or cargo build --example worker, builds it";
    let this = std::env::current_exe().expect("a test is a file");
    let profile = this.ancestors().nth(2).expect("tests lie in target/PROFILE/deps");
    let program = profile.join("examples/worker");
    let built = modified(&program).unwrap_or_else(|| panic!("there is no {}: {how}", program.display()));
    // Cargo records the sources of a program: `program: source source ...`, with spaces in names escaped.
    let parts = fs::read_to_string(program.with_extension("d")).expect("cargo tells its sources");
    let (_, sources) = parts.trim().split_once(": ").expect("they follow the program");
    for source in sources.replace("\\ ", "\0").split(' ').map(|source| source.replace('\0', " ")) {
        let changed = modified(Path::new(&source)).unwrap_or_else(|| panic!("{source} is gone: {how}"));
        assert!(changed <= built, "{source} is newer than {}: {how}", program.display());
    }
    program
}

fn modified(path: &Path) -> Option<SystemTime> {
    path.metadata().and_then(|metadata| metadata.modified()).ok()
}

#[tokio::test]
async fn the_example_in_rust_answers_and_leaves_when_it_is_interrupted() {
    let cluster = Cluster::start(0, &[], &[]).await;
    let worker =
        Program::start_in(&example().display().to_string(), &["my-worker"], &[("NATS_URL", &cluster.nats.url())]);
    cluster.api.wait_for(1, "live").await;
    cluster.api.knows("my-worker", true).await;
    for (query, value) in [("BTC/USD", "42000.5"), ("ETH/USD", "2500.1")] {
        let answer = cluster.api.answer(query).await;
        assert_eq!(answer["final_value"].to_string(), value, "{answer}");
        assert_eq!((&answer["status"], &answer["expected"]), (&json!("complete"), &json!(1)), "{answer}");
    }
    let (status, failed) = cluster.api.ask(json!({"query": "no such thing"})).await;
    assert_eq!(
        (status, &failed["worker_responses"][0]["err"]),
        (422, &json!("no source for query \"no such thing\"")),
        "{failed}"
    );

    worker.signal(Signal::INT);
    let ended = worker.ended().await;
    assert_eq!((ended.code, ended.stderr.as_str()), (Some(0), ""), "{ended:?}");
    cluster.api.wait_for(1, "left").await;
}
