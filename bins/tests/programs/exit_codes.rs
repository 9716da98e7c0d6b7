//! Provokes each exit code of the programs, and checks the error, as text and as JSON.

use axum::Router;
use axum::http::StatusCode;
use axum::routing::{get, post};
use reqwest::Url;
use serde_json::Value as Json;

use super::binary::{COORDINATOR, QUORATE, WORKER, run};
use super::server;

/// A server that gives every question the same answer.
async fn answering(status: u16, body: &str) -> Url {
    let body = body.to_owned();
    let answer = move || {
        let body = body.clone();
        async move { (StatusCode::from_u16(status).expect("a status"), body) }
    };
    let router = Router::new()
        .route("/request", post(answer.clone()))
        .route("/workers", get(answer.clone()))
        .route("/queries", get(answer.clone()))
        .route("/policies", get(answer.clone()))
        .route("/feeds", get(answer.clone()))
        .route("/feeds/f", get(answer.clone()))
        .route("/health", get(answer.clone()))
        .route("/ready", get(answer));
    server::serve(router).await
}

#[tokio::test]
async fn every_exit_code_is_as_documented() {
    let good = answering(200, &server::outcome("q", "1")).await;
    let disputed = answering(200, &server::outcome("q", "1").replace("\"complete\"", "\"disputed\"")).await;
    let rejected = answering(409, r#"{"error":"disputed","code":409,"details":"no"}"#).await;
    let conflict = answering(409, r#"{"error":"conflict","code":409,"details":"no"}"#).await;
    let down = answering(503, r#"{"error":"bus_down","code":503,"details":"no"}"#).await;
    let foreign = answering(200, "<html>").await;
    let broken = answering(502, "bad gateway").await;
    let nowhere = server::nowhere().await;
    let strict = ["ask", "q", "--fail-on-dispute"];
    let ask = ["ask", "q"];
    // The command, the server it asks, the exit code, the error in one word.
    let unknown = Url::parse("http://no-such-host.invalid").expect("a URL");
    let healthy = answering(200, r#"{"status":"healthy","port":8080,"nats":false}"#).await;
    let ready = answering(200, r#"{"ready":true,"workers":1,"in_flight":0}"#).await;
    let short =
        r#"{"ready":true,"workers":1,"short":[{"query":"*","served":true,"workers":1,"needed":3,"missing":[]}]}"#;
    let short = answering(200, short).await;
    let few = answering(503, r#"{"error":"too_few_workers","code":503,"details":"no"}"#).await;
    let misspelt = answering(404, r#"{"error":"unknown_query","code":404,"details":"no"}"#).await;
    let offered = answering(200, r#"{"queries":[{"query":"*","workers":1}]}"#).await;
    let enforced = answering(200, r#"{"policies":[{"query":"*","strategy":"median"}],"weights":{}}"#).await;
    let report = |stale| {
        format!(
            r#"{{"age_ms":1,"stale":{stale},"feed":"f","round":1,"value":1.5,"status":"complete","reason":"first"}}"#
        )
    };
    let (fresh, stale) = (answering(200, &report(false)).await, answering(200, &report(true)).await);
    let kept = answering(200, r#"{"feeds":[{"name":"f","stale":false}]}"#).await;
    let get = ["feed", "get", "f"];
    let strictly = ["feed", "get", "f", "--fail-on-stale"];
    let cases: [(&[&str], &Url, i32, Option<&str>); 45] = [
        (&get, &fresh, 0, None),
        (&strictly, &fresh, 0, None),
        (&get, &stale, 0, None),
        (&strictly, &stale, 6, None),
        (&strictly, &down, 3, Some("bus_down")),
        (&["feed", "ls"], &kept, 0, None),
        (&["feed", "ls"], &nowhere, 4, Some("unreachable")),
        (&["feed", "history", "f"], &down, 3, Some("bus_down")),
        (&["feed", "get", "a/b"], &fresh, 2, Some("usage")),
        (&ask, &good, 0, None),
        (&strict, &good, 0, None),
        (&ask, &disputed, 0, None),
        (&strict, &disputed, 5, None),
        (&strict, &rejected, 5, Some("disputed")),
        (&ask, &rejected, 3, Some("disputed")),
        (&strict, &conflict, 3, Some("conflict")),
        (&ask, &down, 3, Some("bus_down")),
        (&ask, &misspelt, 3, Some("unknown_query")),
        (&["workers"], &down, 3, Some("bus_down")),
        (&["queries"], &offered, 0, None),
        (&["queries"], &down, 3, Some("bus_down")),
        (&["queries"], &nowhere, 4, Some("unreachable")),
        (&["policies"], &enforced, 0, None),
        (&["policies", "q"], &down, 3, Some("bus_down")),
        (&["health"], &healthy, 0, None),
        (&["health", "--ready"], &ready, 0, None),
        (&["health", "--ready"], &short, 0, None),
        (&["health", "--ready"], &few, 3, Some("too_few_workers")),
        (&["health", "--ready"], &healthy, 4, Some("foreign")),
        (&["health", "--ready"], &down, 3, Some("bus_down")),
        (&["health"], &foreign, 4, Some("foreign")),
        (&["health"], &nowhere, 4, Some("unreachable")),
        (&["health", "--ready"], &nowhere, 4, Some("unreachable")),
        (&["demo"], &foreign, 4, Some("foreign")),
        (&ask, &foreign, 4, Some("foreign")),
        (&ask, &broken, 4, Some("foreign")),
        (&ask, &nowhere, 4, Some("unreachable")),
        (&["workers"], &nowhere, 4, Some("unreachable")),
        (&["load", "--requests", "2"], &nowhere, 4, Some("unreachable")),
        (&ask, &unknown, 4, Some("unreachable")),
        (&["load", "--requests", "2"], &unknown, 4, Some("unreachable")),
        (&["load", "--requests", "2"], &good, 0, None),
        (&["load", "--requests", "2"], &down, 1, Some("nothing_succeeded")),
        (&["ask", "q", "--quorum", "none"], &good, 2, Some("usage")),
        (&["asq", "q"], &good, 2, Some("usage")),
    ];
    for (command, url, code, word) in cases {
        let flags = [command, &["--url", url.as_str()]].concat();
        let (ended, shown, error) = run(QUORATE, &flags).await;
        assert_eq!(ended, code, "{flags:?}: {shown}{error}");
        assert_eq!(error.is_empty(), word.is_none(), "{flags:?}: {error}");

        let (ended, shown, error) = run(QUORATE, &[&flags[..], &["--json"]].concat()).await;
        assert_eq!((ended, error.as_str()), (code, ""), "{flags:?} as JSON");
        let [line] = shown.lines().collect::<Vec<_>>()[..] else { panic!("{flags:?} is one line, not: {shown}") };
        let object: Json = serde_json::from_str(line).unwrap_or_else(|error| panic!("{error} in {line}"));
        assert_eq!(object["error"].as_str(), word, "{flags:?}: {line}");
        assert_eq!(object["details"].is_string(), word.is_some(), "{flags:?}: {line}");
    }
}

#[tokio::test]
async fn an_error_of_this_machine_is_1() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("file");
    std::fs::write(&file, "").expect("it can be written");
    let file = file.to_str().expect("text");
    for (program, flags) in [
        (QUORATE, &["man", "--dir", file][..]),
        (QUORATE, &["man", "no-such-page"]),
        (QUORATE, &["dev", "--listen", "203.0.113.1:80"]),
    ] {
        let (code, shown, error) = run(program, flags).await;
        assert_eq!((code, shown.as_str()), (1, ""), "{flags:?}: {error}");
        assert!(error.starts_with("error: "), "{flags:?}: {error}");
    }
    let (code, line, error) = run(QUORATE, &["dev", "--listen", "203.0.113.1:80", "--json"]).await;
    let line: Json = serde_json::from_str(&line).unwrap_or_else(|error| panic!("{error} in {line}"));
    assert_eq!((code, &line["error"], error.as_str()), (1, &Json::from("failed"), ""));
}

#[tokio::test]
async fn settings_that_no_restart_repairs_are_2() {
    for (program, flags) in [
        (QUORATE, &["dev", "--listen", "127.0.0.1:0", "--log", "=?!"][..]),
        (COORDINATOR, &["--listen", "127.0.0.1:0", "--nats", "nonsense://"]),
        (WORKER, &["--nats", "nonsense://"]),
    ] {
        let (code, shown, error) = run(program, flags).await;
        assert_eq!((code, shown.as_str()), (2, ""), "{flags:?}: {error}");
        assert!(error.starts_with("error: "), "{flags:?}: {error}");
    }
    let (code, line, error) = run(QUORATE, &["dev", "--listen", "127.0.0.1:0", "--log", "=?!", "--json"]).await;
    let line: Json = serde_json::from_str(&line).unwrap_or_else(|error| panic!("{error} in {line}"));
    assert_eq!((code, &line["error"], error.as_str()), (2, &Json::from("usage"), ""));
}

#[tokio::test]
async fn wrong_usage_is_2_in_every_program() {
    for program in [QUORATE, COORDINATOR, WORKER] {
        let (code, shown, error) = run(program, &["--no-such-flag"]).await;
        assert_eq!((code, shown.as_str()), (2, ""));
        assert!(error.starts_with("error: unexpected argument '--no-such-flag'"), "{error}");
    }
}
