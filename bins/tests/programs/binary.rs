//! The built programs: help, exit codes, and what goes to which stream.

use std::process::{Command, Output};

use axum::Router;
use axum::http::StatusCode;
use axum::routing::post;

use super::server;

pub(crate) const QUORATE: &str = env!("CARGO_BIN_EXE_quorate");
pub(crate) const COORDINATOR: &str = env!("CARGO_BIN_EXE_coordinator");
pub(crate) const WORKER: &str = env!("CARGO_BIN_EXE_worker");

/// A program without settings from this process's environment.
pub(crate) fn command(program: &str, flags: &[&str]) -> Command {
    let mut command = Command::new(program);
    command.args(flags).env_clear();
    command
}

/// Runs a program to its end.
pub(crate) async fn run(program: &str, flags: &[&str]) -> (i32, String, String) {
    run_in(program, flags, &[]).await
}

/// Like [`run`], with variables in its environment.
pub(crate) async fn run_in(program: &str, flags: &[&str], variables: &[(&str, &str)]) -> (i32, String, String) {
    let mut command = command(program, flags);
    command.envs(variables.iter().copied());
    let ran = tokio::task::spawn_blocking(move || command.output()).await.expect("it does not panic");
    let Output { status, stdout, stderr } = ran.expect("the program was built");
    let text = |bytes| String::from_utf8(bytes).expect("text");
    (status.code().expect("it exits by itself"), text(stdout), text(stderr))
}

/// A text with its white space normalized.
fn words(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[tokio::test]
async fn help_names_the_subcommands_and_the_exit_codes() {
    let (code, help, _) = run(QUORATE, &["--help"]).await;
    assert_eq!(code, 0);
    let subcommands = [
        "demo",
        "dev",
        "ask",
        "follow",
        "feed",
        "workers",
        "health",
        "load",
        "exchange",
        "coordinator",
        "worker",
        "context",
        "completions",
        "man",
    ];
    for text in subcommands.into_iter().chain([quorate_cli::exit::QUORATE.help().as_str()]) {
        let (text, help) = (words(text), words(&help));
        assert!(help.contains(&text), "{text:?} is not in: {help}");
    }
    let (code, _, shown) = run(QUORATE, &[]).await;
    assert_eq!(code, 2);
    assert!(shown.contains("Usage: quorate <COMMAND>"), "{shown}");
    for program in [COORDINATOR, WORKER] {
        let (code, help, _) = run(program, &["--help"]).await;
        assert_eq!(code, 0);
        assert!(help.contains("[env: NATS_URL]") && help.contains("Exit codes: 0"), "{help}");
    }
}

#[tokio::test]
async fn wrong_usage_has_its_own_exit_code() {
    let (code, _, error) = run(QUORATE, &["ask", "BTC/USD", "--timeout-ms", "soon"]).await;
    assert_eq!(code, 2);
    assert!(error.contains("--timeout-ms"), "{error}");
}

#[tokio::test]
async fn if_nothing_listens_the_error_says_what_to_do_in_one_sentence() {
    let url = server::nowhere().await;
    let expected = format!(
        "error: cannot reach {url}: connection refused; is the coordinator running? start one with: quorate dev\n"
    );
    for subcommand in [&["ask", "BTC/USD"][..], &["workers"], &["feed", "watch", "f"], &["demo"]] {
        let flags = [subcommand, &["--url", url.as_str()]].concat();
        assert_eq!(run(QUORATE, &flags).await, (4, String::new(), expected.clone()), "{flags:?}");
    }
}

#[tokio::test]
async fn an_answer_is_plain_text_or_the_coordinators_json() {
    let router = Router::new().route("/request", post(|| async { server::outcome("BTC/USD", "42000.50") }));
    let url = server::serve(router).await;
    let expected = "\
BTC/USD = 42000.50  (average, 2.0 ms)
  worker     value    time  note
  w1      42000.50  1.0 ms
  All workers responded successfully
";
    let flags = ["ask", "BTC/USD", "--url", url.as_str()];
    assert_eq!(run(QUORATE, &flags).await, (0, expected.to_owned(), String::new()));
    let (code, json, _) = run(QUORATE, &["ask", "BTC/USD", "--json", "--url", url.as_str()]).await;
    assert_eq!((code, json), (0, server::outcome("BTC/USD", "42000.50").replace('\n', " ") + "\n"));
}

#[tokio::test]
async fn an_error_of_the_coordinator_has_its_own_exit_code() {
    let body = r#"{"error":"no workers","code":503}"#;
    let refuse = move || async move { (StatusCode::SERVICE_UNAVAILABLE, body) };
    let url = server::serve(Router::new().route("/request", post(refuse))).await;
    let expected = "\
q: the coordinator answered 503 Service Unavailable: no workers
  What to do: check that NATS and the workers are running, or list the workers with: quorate workers
";
    assert_eq!(run(QUORATE, &["ask", "q", "--url", url.as_str()]).await, (3, String::new(), expected.to_owned()));
    let (code, json, error) = run(QUORATE, &["ask", "q", "--json", "--url", url.as_str()]).await;
    assert_eq!((code, json.as_str(), error.as_str()), (3, "{\"error\":\"no workers\",\"code\":503}\n", ""));
}

#[tokio::test]
async fn a_measurement_without_a_success_fails_and_hints_at_the_rate_limit() {
    let refuse = || async { (StatusCode::TOO_MANY_REQUESTS, "{}") };
    let url = server::serve(Router::new().route("/request", post(refuse))).await;
    let (code, report, error) = run(QUORATE, &["load", "--requests", "5", "--url", url.as_str()]).await;
    assert_eq!(code, 1);
    assert!(report.contains("errors: 429") && report.contains("--rate-limit 0"), "{report}");
    assert!(error.starts_with("error: no request succeeded"), "{error}");
}

#[tokio::test]
async fn a_log_filter_that_is_not_understood_is_refused() {
    let (code, _, error) = run(WORKER, &["--log", "loudest=?!"]).await;
    assert_eq!(code, 2);
    assert!(error.starts_with("error: cannot understand the log filter \"loudest=?!\""), "{error}");
}
