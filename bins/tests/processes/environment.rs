//! The environment instead of flags.

use std::net::TcpListener;

use quorate_test_support::NatsServer;
use serde_json::json;

use crate::support::{Api, COORDINATOR, Program, QUORATE, WORKER, parsed};

/// A port on which nothing listens.
fn unused_port() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    listener.local_addr().expect("it is bound").port()
}

#[tokio::test]
async fn the_environment_sets_what_flags_do_not() {
    let nats = NatsServer::start();
    let url = nats.url();
    // The first server does not exist.
    let urls = format!("nats://127.0.0.1:{},{url}", unused_port());
    let coordinator = Program::start_in(
        COORDINATOR,
        &[],
        &[
            ("NATS_URL", urls.as_str()),
            ("QUORATE_LISTEN", "127.0.0.1:0"),
            ("QUORATE_LOG_FORMAT", "json"),
            ("QUORATE_STRATEGY", "median"),
            ("QUORATE_MAX_TIMEOUT_MS", "7s"),
            ("QUORATE_RATE_LIMIT", "0"),
        ],
    );
    let address = coordinator.logs("\"message\":\"the coordinator listens\",\"address\":\"").await;
    let api = Api::at(&format!("http://{}", address.split('"').next().unwrap_or_default()));
    let quick = [("QUORATE_DELAY_MIN_MS", "1"), ("QUORATE_DELAY_MAX_MS", "2ms"), ("QUORATE_FAILURE_RATE", "0")];
    let worker = |flags: &[&str], variables: &[(&str, &str)]| {
        Program::start_in(WORKER, flags, &[&quick[..], variables].concat())
    };
    let _named = worker(&[], &[("NATS_URL", &urls), ("QUORATE_ID", "named"), ("QUORATE_REPLICAS", "true")]);
    // A flag takes precedence over its variable.
    let _flagged =
        worker(&["--nats", &url, "--port", "9000"], &[("NATS_URL", "nonsense://"), ("QUORATE_PORT", "9001")]);
    api.wait_for(2, "live").await;

    let (_, known) = api.get("/workers").await;
    let of =
        |field: &str| known["workers"].as_array().expect("a list").iter().map(|worker| worker[field].clone()).collect();
    assert_eq!(json!(["named", "worker-9000"]), json!(Vec::from_iter::<Vec<_>>(of("worker_id"))));
    assert_eq!(json!([true, false]), json!(Vec::from_iter::<Vec<_>>(of("replicated"))));
    assert_eq!(api.answer("q").await["strategy"], "median");
    let (status, refusal) = api.ask(json!({"query": "q", "timeout_ms": 7001})).await;
    assert_eq!((status, &refusal["details"]), (400, &json!("timeout_ms must be between 1 and 7000")));

    let ask = Program::start_in(
        QUORATE,
        &["ask"],
        &[("QUORATE_URL", api.url.as_str()), ("QUORATE_QUERY", "SOL/USD"), ("QUORATE_JSON", "1")],
    );
    let ended = ask.ended().await;
    assert_eq!((ended.code, &parsed(&ended.stdout)["query"]), (Some(0), &json!("SOL/USD")));

    let tool = |flags: &[&str]| {
        let watch = [("QUORATE_WATCH", "1"), ("QUORATE_INTERVAL", "10ms"), ("QUORATE_COUNT", "3")];
        let variables = [&[("QUORATE_URL", api.url.as_str()), ("QUORATE_JSON", "1")], &watch[..]].concat();
        Program::start_in(QUORATE, flags, &variables)
    };
    for (flags, field, lines) in [
        (&["workers"][..], "workers", 3),
        (&["ask", "q"], "final_value", 3),
        (&["load", "--requests", "3"], "latency_us", 1),
        (&["demo"], "final_value", 5),
    ] {
        let ended = tool(flags).ended().await;
        let objects: Vec<_> = ended.stdout.lines().map(parsed).collect();
        assert_eq!((ended.code, objects.len()), (Some(0), lines), "{flags:?}: {ended:?}");
        assert!(objects.iter().all(|object| !object[field].is_null()), "{flags:?}: {ended:?}");
    }
}
