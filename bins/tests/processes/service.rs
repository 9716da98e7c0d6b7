//! Workers as a NATS service: sends the requests of `nats micro ls`, `info` and `stats`, and checks the answers against
//! the schemas.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{SystemTime, UNIX_EPOCH};

use async_nats::Client;
use futures_util::StreamExt as _;
use quorate_test_support::Schema;
use serde_json::{Value as Json, json};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;
use tokio::time::timeout;

use crate::schemas::check;
use crate::support::{Cluster, PATIENCE, Program, QUICK, WORKER, parsed};

const SERVICE: &str = "quorate-worker";

/// Asks a service, and returns the first `count` answers, each of which fits the schema of its kind.
async fn ask(client: &Client, verb: &str, to: &str, count: usize) -> Vec<Json> {
    let inbox = client.new_inbox();
    let replies = client.subscribe(inbox.clone()).await.expect("a subscription");
    client.publish_with_reply(format!("$SRV.{verb}{to}"), inbox, "".into()).await.expect("it is sent");
    let answers = timeout(PATIENCE, replies.take(count).collect::<Vec<_>>()).await;
    let answers = answers.unwrap_or_else(|_| panic!("fewer than {count} answer {verb}{to}"));
    let answers = answers.iter().map(|message| parsed(std::str::from_utf8(&message.payload).expect("a text")));
    answers.inspect(|answer| check(&format!("service_{}", verb.to_lowercase()), answer)).collect()
}

/// The answers by worker.
fn by_worker(answers: &[Json]) -> BTreeMap<&str, &Json> {
    answers.iter().map(|answer| (answer["metadata"]["worker_id"].as_str().expect("a name"), answer)).collect()
}

#[tokio::test]
async fn the_tools_of_nats_list_workers_and_show_what_they_have_done() {
    let before = SystemTime::now();
    let cluster = Cluster::start(2, &[], &QUICK).await;
    let url = cluster.nats.url();
    let further = |flags: &[&str]| Program::start(WORKER, &[&["--nats", &url], flags].concat());
    let failing = ["--id", "failing", "--delay-min-ms", "1", "--delay-max-ms", "5", "--failure-rate", "1"];
    let _failing = further(&[&failing[..], &["--queries", "BTC/*,ETH/USD"]].concat());
    let _replica = further(&[&["--id", "replica", "--replicas"], &QUICK[..]].concat());
    cluster.api.wait_for(4, "live").await;
    for _ in 0..3 {
        let answer = cluster.api.answer("BTC/USD").await;
        assert_eq!((&answer["expected"], &answer["succeeded"]), (&json!(4), &json!(3)), "{answer}");
    }
    let client = async_nats::connect(&url).await.expect("a connection");

    // `nats micro ping`, of all services and of one.
    let pings = ask(&client, "PING", "", 4).await;
    assert!(by_worker(&pings).into_keys().eq(["failing", "replica", "w1", "w2"]), "{pings:?}");
    let ids: BTreeSet<_> = pings.iter().map(|ping| ping["id"].as_str().expect("an id")).collect();
    assert_eq!(ids.len(), 4, "each process has one of its own: {pings:?}");
    for (worker, ping) in by_worker(&pings) {
        let queries = if worker == "failing" { json!(r#"["BTC/*","ETH/USD"]"#) } else { json!(null) };
        assert_eq!(ping["metadata"]["queries"], queries, "{ping}");
    }
    let named = ask(&client, "PING", &format!(".{SERVICE}"), 4).await;
    assert_eq!(by_worker(&named), by_worker(&pings));

    // `nats micro ls`, of all services and of one.
    for to in ["", ".quorate-worker"] {
        let infos = ask(&client, "INFO", to, 4).await;
        for (worker, info) in by_worker(&infos) {
            assert_eq!(info["id"], by_worker(&pings)[worker]["id"], "{info}");
            assert_eq!(info["version"], env!("CARGO_PKG_VERSION"), "{info}");
            let [endpoint] = &info["endpoints"].as_array().expect("a list")[..] else { panic!("not one: {info}") };
            let group = if worker == "replica" { "quorate-worker-7265706c696361" } else { "" };
            let shown = ["name", "subject", "queue_group"].map(|field| endpoint[field].as_str().expect("a text"));
            assert_eq!(shown, ["tasks", "oracle.tasks", group], "{info}");
        }
    }

    // `nats micro stats`, of all services and of one.
    for to in ["", ".quorate-worker"] {
        for (worker, stats) in by_worker(&ask(&client, "STATS", to, 4).await) {
            let [endpoint] = &stats["endpoints"].as_array().expect("a list")[..] else { panic!("not one: {stats}") };
            let errors = if worker == "failing" { 3 } else { 0 };
            assert_eq!((&endpoint["num_requests"], &endpoint["num_errors"]), (&json!(3), &json!(errors)), "{stats}");
            assert_eq!(endpoint["last_error"] == "", errors == 0, "{stats}");
            let nanos = |field: &str| endpoint[field].as_u64().expect("nanoseconds");
            assert!(nanos("processing_time") >= 3_000_000, "three tasks of at least a millisecond: {stats}");
            assert_eq!(nanos("average_processing_time"), nanos("processing_time") / 3, "{stats}");
            let started = OffsetDateTime::parse(stats["started"].as_str().expect("a text"), &Rfc3339).expect("a time");
            let seconds =
                |time: SystemTime| time.duration_since(UNIX_EPOCH).expect("after 1970").as_secs().cast_signed();
            let while_this_ran = seconds(before)..=seconds(SystemTime::now());
            assert!(while_this_ran.contains(&started.unix_timestamp()), "{stats}");
        }
    }

    // `nats micro info` asks all instances of a service, takes one, and asks that for its statistics.
    for (worker, ping) in by_worker(&pings) {
        let id = ping["id"].as_str().expect("an id");
        for verb in ["PING", "INFO", "STATS"] {
            let answers = ask(&client, verb, &format!(".{SERVICE}.{id}"), 1).await;
            assert_eq!((&answers[0]["id"], &answers[0]["metadata"]["worker_id"]), (&json!(id), &json!(worker)));
        }
    }
}

#[test]
fn the_schemas_demand_what_the_tools_of_nats_show() {
    let ping = json!({
        "type": "io.nats.micro.v1.info_response", "name": SERVICE, "id": "i", "version": "0.1.0",
        "metadata": {"worker_id": "w", "replicated": "false", "state": "live"},
    });
    let without = Schema::of("service_info").expect("there is one").check(&ping);
    assert!(without.is_err_and(|why| why.contains("required")));
}
