//! Flags without effect are refused. Variables without effect are not.

use axum::Router;
use axum::routing::post;
use clap::Parser as _;
use clap::error::ErrorKind;
use quorate_cli::args::{CoordinatorArgs, QuorateArgs, WorkerArgs};
use serde_json::Value as Json;

use super::binary::{COORDINATOR, QUORATE, WORKER, run, run_in};
use super::server;

fn parse(line: &[&str]) -> Result<(), clap::Error> {
    match line[0] {
        "coordinator" => CoordinatorArgs::try_parse_from(line).map(drop),
        "worker" => WorkerArgs::try_parse_from(line).map(drop),
        _ => QuorateArgs::try_parse_from(line).map(drop),
    }
}

#[test]
fn a_flag_without_effect_is_refused_with_the_reason() {
    let simulated = "has no effect on a --source other than simulated";
    let file = "--config=sources.toml";
    for (line, reason) in [
        (&["quorate", "ask", "q", "--interval=2s"][..], "--interval has no effect without --watch"),
        (&["quorate", "ask", "q", "--count=3"], "--count has no effect without --watch"),
        (&["quorate", "ask", "q", "--watch", "--id=r"], "--id cannot be used with --watch"),
        (
            &["quorate", "ask", "q", "--strategy=median", "--precision=3"],
            "--precision has no effect on a --strategy other than majority",
        ),
        (
            &["quorate", "ask", "q", "--strategy=median", "--trim-share=0.1"],
            "--trim-share has no effect on a --strategy other than trimmed_mean",
        ),
        (&["quorate", "ask", "q", "--exact", "--json"], "--exact has no effect with --json"),
        (&["quorate", "demo", "--exact", "--json"], "--exact has no effect with --json"),
        (&["quorate", "follow", "--exact", "--json"], "--exact has no effect with --json"),
        (&["quorate", "follow", "--subject-prefix=a"], "--subject-prefix has no effect without --nats"),
        (&["quorate", "follow", "--nats-creds=f"], "--nats-creds has no effect without --nats"),
        (&["quorate", "follow", "--nats=nats://h", "--url=http://h"], "--nats cannot be used with --url"),
        (&["quorate", "feed", "get", "f", "--exact", "--json"], "--exact has no effect with --json"),
        (&["quorate", "dev", "--feeds=f", "--store-replicas=3"], "--store-replicas has no effect without --nats"),
        (&["coordinator", "--keep-outcomes"], "--keep-outcomes has no effect without --store or --feeds"),
        (&["quorate", "workers", "--interval=2s"], "--interval has no effect without --watch"),
        (&["quorate", "load", "--requests=7", "--duration=1s"], "--requests cannot be used with --duration"),
        (&["quorate", "man", "worker", "--dir=pages"], "--dir cannot be used with PAGE"),
        (&["quorate", "dev", "--workers=0", "--variance=0.1"], "--variance has no effect with --workers 0"),
        (&["quorate", "dev", "--otlp-sample=0.1"], "--otlp-sample has no effect without --otlp"),
        (&["coordinator", "--otlp-sample=0.1"], "--otlp-sample has no effect without --otlp"),
        (&["worker", "--id=w", "--port=9000"], "--port has no effect with --id"),
        (&["worker", file], "--config has no effect without --source http or --source command"),
        (&["worker", file, "--source=http", "--delay-min-ms=5"], &format!("--delay-min-ms {simulated}")),
        (&["worker", file, "--source=http", "--delay-max-ms=5"], &format!("--delay-max-ms {simulated}")),
        (&["worker", file, "--source=command", "--failure-rate=0"], &format!("--failure-rate {simulated}")),
        (&["worker", file, "--source=command", "--variance=0"], &format!("--variance {simulated}")),
        (&["worker", file, "--source=command", "--seed=1"], &format!("--seed {simulated}")),
    ] {
        let error = parse(line).expect_err(&format!("{line:?}"));
        assert_eq!(error.kind(), ErrorKind::ArgumentConflict, "{line:?}");
        let said = error.to_string();
        assert!(said.starts_with(&format!("error: {reason}\n")), "{line:?}: {said}");
    }
}

#[test]
fn a_flag_with_an_effect_is_accepted() {
    for line in [
        &["quorate", "ask", "q", "--watch", "--interval=2s", "--count=3"][..],
        &["quorate", "ask", "q", "--precision=3", "--trim-share=0.1"],
        &["quorate", "ask", "q", "--strategy=majority", "--precision=3"],
        &["quorate", "load", "--duration=1s"],
        &["quorate", "man", "--dir=pages"],
        &["quorate", "dev", "--workers=0", "--seed=1"],
        &["coordinator", "--otlp=http://localhost:4318", "--otlp-sample=0.1"],
        // A limit that 0 turns off may keep its other settings.
        &["coordinator", "--rate-limit=0", "--rate-burst=5"],
        &["worker", "--seed=1", "--delay-max-ms=5"],
        &["worker", "--port=9000"],
    ] {
        parse(line).unwrap_or_else(|error| panic!("{line:?}: {error}"));
    }
}

#[tokio::test]
async fn the_refusal_is_a_usage_error_of_each_program() {
    for (program, flags) in [
        (QUORATE, &["workers", "--interval", "2s"][..]),
        (COORDINATOR, &["--otlp-sample", "0.5"]),
        (WORKER, &["--config", "sources.toml"]),
    ] {
        let (code, shown, error) = run(program, flags).await;
        assert_eq!((code, shown.as_str()), (2, ""), "{error}");
        assert!(error.starts_with(&format!("error: {} has no effect without ", flags[flags.len() - 2])), "{error}");
        assert!(error.contains("Usage: "), "{error}");
    }
    let (code, line, error) = run(QUORATE, &["workers", "--json", "--interval", "2s"]).await;
    let object: Json = serde_json::from_str(&line).expect("JSON");
    assert_eq!((code, error.as_str(), &object["error"]), (2, "", &Json::from("usage")));
    assert_eq!(object["details"], "--interval has no effect without --watch");
}

#[tokio::test]
async fn a_variable_without_effect_is_ignored_and_one_that_contradicts_a_flag_gives_way() {
    let answers = server::serve(Router::new().route("/request", post(|| async { server::outcome("q", "1") }))).await;
    let url = answers.as_str();
    let once = [("QUORATE_COUNT", "3"), ("QUORATE_INTERVAL", "1m")];
    let (code, shown, error) = run_in(QUORATE, &["ask", "q", "--url", url, "--json"], &once).await;
    assert_eq!((code, shown.lines().count()), (0, 1), "{error}");

    // JSON has all the digits that the flag asks for.
    let (code, shown, error) = run_in(QUORATE, &["ask", "q", "--url", url, "--exact"], &[("QUORATE_JSON", "1")]).await;
    assert_eq!((code, error.as_str()), (0, ""));
    assert!(shown.starts_with('{'), "{shown}");

    let id = [("QUORATE_ASK_ID", "r")];
    let watch = ["ask", "q", "--url", url, "--json", "--watch", "--count", "2", "--interval", "10ms"];
    let (code, shown, error) = run_in(QUORATE, &watch, &id).await;
    assert_eq!((code, shown.lines().count()), (0, 2), "{error}");
    let watch = [("QUORATE_WATCH", "1")];
    let (code, shown, error) = run_in(QUORATE, &["ask", "q", "--url", url, "--json", "--id", "r"], &watch).await;
    assert_eq!((code, shown.lines().count()), (0, 1), "{error}");

    let load = ["load", "--url", url, "--json", "--connections", "1"];
    let ok = |shown: &str| serde_json::from_str::<Json>(shown).expect("JSON")["ok"].as_u64().expect("a count");
    let hours = [("QUORATE_LOAD_DURATION", "5h")];
    let (code, shown, error) = run_in(QUORATE, &[&load[..], &["--requests", "2"]].concat(), &hours).await;
    assert_eq!((code, ok(&shown)), (0, 2), "{error}");
    let single = [("QUORATE_LOAD_REQUESTS", "1")];
    let (code, shown, error) = run_in(QUORATE, &[&load[..], &["--duration", "300ms"]].concat(), &single).await;
    assert!(code == 0 && ok(&shown) > 1, "{shown}{error}");

    let (code, shown, error) = run_in(QUORATE, &["man", "quorate-ask"], &[("QUORATE_MAN_DIR", "/dev/null/x")]).await;
    assert!(code == 0 && shown.contains("quorate-ask"), "{error}");
}

#[tokio::test]
async fn a_server_logs_which_variables_have_no_effect() {
    let file = [("QUORATE_CONFIG", "sources.toml"), ("QUORATE_PORT", "9000"), ("QUORATE_ID", "w")];
    let (_, _, logged) = run_in(WORKER, &["--nats", "nonsense://"], &file).await;
    let without = "QUORATE_CONFIG has no effect without --source http or --source command; it is ignored";
    assert!(logged.contains(without) && logged.contains("QUORATE_PORT has no effect with --id"), "{logged}");
    let sample = [("QUORATE_OTLP_SAMPLE", "0.5")];
    let (_, _, logged) = run_in(COORDINATOR, &["--listen", "127.0.0.1:0", "--nats", "nonsense://"], &sample).await;
    assert!(logged.contains("QUORATE_OTLP_SAMPLE has no effect without --otlp; it is ignored"), "{logged}");
}
