//! What needs no NATS: the demo and the development server.

use std::fs;

use quorate_test_support::documents::blocks;
use quorate_test_support::workspace;
use rustix::process::Signal;
use serde_json::json;

use crate::commands::shape;
use crate::support::{Api, Program, QUICK, QUORATE, parsed, run, until};
use crate::tools::{DEMO, check_demo};

const WORKERS: [&str; 3] = ["worker-1", "worker-2", "worker-3"];

#[tokio::test]
async fn the_demo_shows_five_answers_and_ends() {
    let ended = run(QUORATE, &["demo"]).await;
    assert_eq!(ended.code, Some(0), "{ended:?}");
    check_demo(&ended.stdout, WORKERS);
    assert_eq!(ended.stderr, "");
}

#[tokio::test]
async fn the_readme_shows_the_first_answers_of_a_demo() {
    /// A demo whose first answer is partial, and whose second is complete.
    const SEED: &str = "7";
    let readme = fs::read_to_string(workspace("README.md")).expect("it can be read");
    let blocks = blocks(&readme);
    let command = blocks.iter().position(|block| block.text == "cargo run --release -- demo\n").expect("the command");
    let dev = Program::start(QUORATE, &["dev", "--listen", "127.0.0.1:0", "--seed", SEED]);
    dev.prints("\nSOL/USD = ").await;
    let printed = dev.stdout();
    let before = ["Serving on ", "Waiting until "];
    let printed = printed.lines().skip_while(|line| before.iter().any(|start| line.starts_with(start))).map(shape);
    let shown: Vec<_> = blocks[command + 1].text.lines().map(shape).collect();
    assert_eq!(printed.take(shown.len()).collect::<Vec<_>>(), shown);
    assert!(shown.iter().filter(|line| line.contains("(average, ")).count() == 2, "{shown:?}");
}

#[tokio::test]
async fn as_json_the_demo_is_a_line_for_each_answer() {
    let ended = run(QUORATE, &["demo", "--json"]).await;
    assert_eq!((ended.code, ended.stderr.as_str()), (Some(0), ""), "{ended:?}");
    let answers: Vec<_> = ended.stdout.lines().map(parsed).filter(|line| line["error"].is_null()).collect();
    let queries: Vec<_> = answers.iter().map(|answer| answer["query"].as_str().expect("a text")).collect();
    assert_eq!(queries, DEMO);
    for answer in answers {
        assert_eq!(answer["workers"].as_array().map(Vec::len), Some(3), "{answer}");
        // The simulated values differ by a few percent at most, which is no dispute.
        assert!(answer["agreement"].as_f64().is_some_and(|agreement| agreement > 0.0), "{answer}");
        assert!(answer["status"] != "complete" || answer["agreement"] == 1, "{answer}");
    }
}

#[tokio::test]
async fn the_development_server_says_where_it_is_shows_the_demo_and_stays_up_until_it_is_stopped() {
    let mut dev = Program::start(QUORATE, &[&["dev", "--listen", "127.0.0.1:0"], &QUICK[..]].concat());
    let port = dev.prints("Serving on http://localhost:").await;
    let port = port.strip_suffix(" until Ctrl-C.").expect("the sentence ends").to_owned();
    assert!(dev.stdout().starts_with("Serving on "), "{}", dev.stdout());
    dev.logs("programs on this machine reach it, without authentication routes=").await;
    // An answer, and its row in the table at the end.
    let rows = |shown: &str| shown.lines().filter(|line| line.trim_start().starts_with("MATIC/USD")).count();
    until("the demo", async || rows(&dev.stdout()) == 2).await;
    check_demo(&dev.stdout(), WORKERS);

    let api = Api::at(&format!("http://127.0.0.1:{port}"));
    let answer = api.answer("BTC/USD").await;
    assert_eq!((&answer["status"], &answer["expected"]), (&json!("complete"), &json!(3)), "{answer}");
    assert_eq!(api.get("/ready").await.0, 200);
    assert!(dev.runs());
    dev.signal(Signal::TERM);
    let ended = dev.ended().await;
    assert_eq!(ended.code, Some(0), "{ended:?}");
    assert!(!ended.stderr.contains('\u{1b}'), "{}", ended.stderr);
}
