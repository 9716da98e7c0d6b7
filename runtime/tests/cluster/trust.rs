//! How far an answer can be trusted, on both buses: policies by query, disputes, ages, weights, and the workers' fates.

use std::time::{Duration, SystemTime};

use quorate_core::coordinator::{Config, Policies};

use quorate_core::value::Value;
use quorate_runtime::bus::{Bus, Subscription as _};
use quorate_runtime::policies;
use quorate_runtime::source::{Reading, Source};
use serde_json::{Value as Json, json};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;
use tokio::task::JoinHandle;

use crate::support::{
    Scripted, Setup, TestCoordinator, delayed, failing, number, on_both_buses, responses, until, worker,
};

on_both_buses! {
    a_query_is_asked_by_its_policy_and_a_request_overrides_it,
    a_dispute_is_answered_or_rejected_with_the_evidence,
    stale_values_are_left_out,
    an_age_that_cannot_be_read_is_a_failure_of_its_worker,
    a_worker_that_is_not_awaited_is_late_and_a_silent_one_is_missing,
    weights_decide_and_are_shown,
}

/// Starts a coordinator with a policy file.
async fn with_policies(bus: impl Bus, workers: usize, file: &str) -> TestCoordinator {
    let machine = Config { presence: Duration::from_secs(10), ..Config::default() };
    let Policies { policies, weights } = policies::parse("p.toml", file, &machine).expect("a good file");
    let machine = Config { policies, weights, ..machine };
    let coordinator = TestCoordinator::start_with(bus, Setup { machine, ..Setup::default() }).await;
    coordinator.wait_for_live(workers).await;
    coordinator
}

/// A source whose value is this old.
fn aged(text: &'static str, age: Duration) -> impl Source {
    let reading = move || Reading { value: Value::number(text).expect("a number"), age: Some(age) };
    Scripted { delay: Duration::ZERO, answer: move |_: &str| Ok(reading()) }
}

/// A program on the bus that is known as `id`, and answers every task with these fields.
async fn program(bus: impl Bus, id: &'static str, fields: impl Fn() -> Json + Send + 'static) -> JoinHandle<()> {
    let mut tasks = bus.subscribe("oracle.tasks", None).await.expect("a subscription");
    let live = json!({"worker_id": id, "state": "live"}).to_string();
    let announce = || bus.publish("oracle.workers", None, live.clone().into());
    until("the program to be connected", async || announce().is_ok()).await;
    tokio::spawn(async move {
        while let Some(message) = tasks.recv().await {
            let task: Json = serde_json::from_slice(&message.payload).expect("a task is JSON");
            let mut result = fields();
            result["worker_id"] = id.into();
            result["request_id"] = task["id"].clone();
            let subject = message.reply.as_deref().expect("tasks have a reply subject");
            bus.publish(subject, None, result.to_string().into()).expect("connected");
        }
    })
}

/// An RFC 3339 time this long ago.
fn ago(time: Duration) -> String {
    OffsetDateTime::from(SystemTime::now() - time).format(&Rfc3339).expect("a time that RFC 3339 can write")
}

async fn a_query_is_asked_by_its_policy_and_a_request_overrides_it<B: Bus>(connect: impl Fn() -> B) {
    let _workers = [
        worker(connect(), "a", number("1")).await,
        worker(connect(), "b", number("2")).await,
        worker(connect(), "c", number("9")).await,
    ];
    let file = r#"
        [[policy]]
        query = "BTC/USD"
        strategy = "max"
        max_deviation = "none"
        [[policy]]
        query = "*/USD"
        strategy = "median"
        min_responses = 4
        [[policy]]
        query = "*/EUR"
        max_deviation = "none"
    "#;
    let coordinator = with_policies(connect(), 3, file).await;
    let body = coordinator.answer("BTC/USD").await;
    assert_eq!((&body["final_value"], &body["strategy"]), (&json!(9), &json!("max")), "{body}");
    let body = coordinator.answer("BTC/EUR").await;
    assert_eq!((&body["final_value"], &body["strategy"]), (&json!(4), &json!("average")), "{body}");
    let (status, body) = coordinator.ask(json!({"query": "ETH/USD"})).await;
    assert_eq!((status, &body["error"]), (422, &json!("insufficient_responses")), "{body}");
    let (status, body) = coordinator.ask(json!({"query": "ETH/USD", "min_responses": 3})).await;
    assert_eq!((status, &body["final_value"], &body["strategy"]), (200, &json!(2), &json!("median")), "{body}");
    let (status, body) = coordinator.ask(json!({"query": "BTC/USD", "strategy": "min"})).await;
    assert_eq!((status, &body["final_value"], &body["strategy"]), (200, &json!(1), &json!("min")), "{body}");
}

async fn a_dispute_is_answered_or_rejected_with_the_evidence<B: Bus>(connect: impl Fn() -> B) {
    let _workers = [
        worker(connect(), "a", number("100")).await,
        worker(connect(), "b", number("100.5")).await,
        worker(connect(), "c", number("250")).await,
        worker(connect(), "d", failing("no route")).await,
    ];
    let file = "[[policy]]\nquery = \"*\"\nstrategy = \"median\"\nmax_deviation = \"none\"\nmin_agreement = 0.75\non_dispute = \"reject\"\n";
    let coordinator = with_policies(connect(), 4, file).await;
    let (status, body) = coordinator.ask(json!({"query": "BTC/USD", "id": "one"})).await;
    assert_eq!((status, &body["error"], &body["code"]), (409, &json!("disputed"), &json!(409)), "{body}");
    assert!(body["details"].as_str().is_some_and(|details| details.contains("2 of 3 used")), "{body}");
    assert_eq!(body["agreement"], json!(0.666_667));
    assert_eq!((&body["expected"], &body["succeeded"], &body["failed"]), (&json!(4), &json!(3), &json!(1)), "{body}");
    let values: Vec<&Json> = responses(&body).iter().map(|response| &response["value"]).collect();
    assert_eq!(values, [&json!(100), &json!(100.5), &json!(250), &Json::Null]);
    let fates: Vec<&Json> = body["workers"].as_array().expect("a list").iter().map(|worker| &worker["fate"]).collect();
    assert_eq!(fates, ["used", "used", "used", "failed"]);
    assert_eq!(body.get("final_value"), None);
    // A retry receives the same outcome, without asking the workers.
    assert_eq!(coordinator.ask(json!({"query": "BTC/USD", "id": "one"})).await, (409, body));
    assert_eq!(coordinator.counter("failed_disputed").await, 1);
    assert_eq!(coordinator.counter("requests_replayed").await, 1);

    let (status, body) = coordinator.ask(json!({"query": "BTC/USD", "on_dispute": "answer"})).await;
    assert_eq!((status, &body["status"], &body["final_value"]), (200, &json!("disputed"), &json!(100.5)), "{body}");
    assert_eq!(body["agreement"], json!(0.666_667));
    let (status, body) = coordinator.ask(json!({"query": "BTC/USD", "tolerance": "1.5"})).await;
    assert_eq!((status, &body["status"], &body["agreement"]), (200, &json!("partial"), &json!(1)), "{body}");
    assert_eq!(coordinator.counter("failed_disputed").await, 1);
}

async fn stale_values_are_left_out<B: Bus>(connect: impl Fn() -> B) {
    let hour = Duration::from_hours(1);
    let _workers = [
        worker(connect(), "a", number("1")).await,
        worker(connect(), "b", aged("1.03", Duration::from_millis(1500))).await,
        worker(connect(), "c", aged("1000", hour)).await,
    ];
    let machine = Config { presence: Duration::from_secs(10), ..Config::default() };
    let coordinator = TestCoordinator::start_with(connect(), Setup { machine, ..Setup::default() }).await;
    coordinator.wait_for_live(3).await;
    let _programs = [
        program(connect(), "p", move || json!({"value": 2000, "observed_at": ago(hour)})).await,
        // Its clock is ahead.
        program(connect(), "q", move || {
            let ahead = OffsetDateTime::from(SystemTime::now() + hour).format(&Rfc3339).expect("a time");
            json!({"value": 1.06, "observed_at": ahead})
        })
        .await,
    ];
    coordinator.wait_for_live(5).await;
    let (status, body) = coordinator.ask(json!({"query": "BTC/USD", "max_age_ms": 60_000})).await;
    assert_eq!((status, &body["final_value"], &body["status"]), (200, &json!(1.03), &json!("partial")), "{body}");
    let stale = ["c", "p"].map(|id| json!({"worker_id": id, "reason": "stale"}));
    assert_eq!(body["excluded"], json!(stale));
    let workers = body["workers"].as_array().expect("a list");
    assert_eq!(workers[0], json!({"worker_id": "a", "fate": "used"}));
    let age = |n: usize| workers[n]["age_ms"].as_u64().unwrap_or_else(|| panic!("no age in {}", workers[n]));
    assert_eq!((&workers[1]["fate"], &workers[2]["fate"]), (&json!("used"), &json!("excluded")));
    assert!((1_500..30_000).contains(&age(1)) && (3_600_000..3_630_000).contains(&age(2)), "{body}");
    assert!((3_600_000..3_630_000).contains(&age(3)), "{body}");
    assert_eq!(workers[4], json!({"worker_id": "q", "fate": "used", "age_ms": 0}));
    assert_eq!(responses(&body)[2]["age_ms"], workers[2]["age_ms"]);

    let (_, body) = coordinator.ask(json!({"query": "BTC/USD", "max_deviation": "none"})).await;
    assert_eq!(
        (&body["excluded"], &body["final_value"]),
        (&json!([]), &json!(600.618)),
        "values of any age are used: {body}"
    );
}

async fn an_age_that_cannot_be_read_is_a_failure_of_its_worker<B: Bus>(connect: impl Fn() -> B) {
    let _worker = worker(connect(), "a", number("1")).await;
    let machine = Config { presence: Duration::from_secs(10), ..Config::default() };
    let coordinator = TestCoordinator::start_with(connect(), Setup { machine, ..Setup::default() }).await;
    coordinator.wait_for_live(1).await;
    let _programs = [
        program(connect(), "p", || json!({"value": 1, "age_ms": "new"})).await,
        program(connect(), "q", || json!({"value": 1, "observed_at": "yesterday"})).await,
    ];
    coordinator.wait_for_live(3).await;
    let body = coordinator.answer("BTC/USD").await;
    assert_eq!((&body["succeeded"], &body["failed"]), (&json!(1), &json!(2)), "{body}");
    for (n, says) in [(1, "age_ms must be"), (2, "observed_at must be")] {
        assert!(responses(&body)[n]["err"].as_str().is_some_and(|err| err.starts_with(says)), "{body}");
        assert_eq!(body["workers"][n]["fate"], "failed");
    }
}

async fn a_worker_that_is_not_awaited_is_late_and_a_silent_one_is_missing<B: Bus>(connect: impl Fn() -> B) {
    let _workers = [
        worker(connect(), "a", number("1")).await,
        worker(connect(), "b", delayed("2", Duration::from_mins(1))).await,
        worker(connect(), "c", number("3")).await,
    ];
    let coordinator = TestCoordinator::with_workers(connect(), 3).await;
    for (field, value, fate) in [("quorum", 2, "late"), ("timeout_ms", 400, "missing")] {
        let mut request = json!({"query": "BTC/USD"});
        request[field] = value.into();
        let (status, body) = coordinator.ask(request).await;
        assert_eq!((status, &body["missing"]), (200, &json!(["b"])), "{body}");
        let expected = [("a", "used"), ("b", fate), ("c", "used")];
        let expected = expected.map(|(id, fate)| json!({"worker_id": id, "fate": fate}));
        assert_eq!(body["workers"], json!(expected), "{field}");
    }
}

async fn weights_decide_and_are_shown<B: Bus>(connect: impl Fn() -> B) {
    let _workers = [
        worker(connect(), "a", number("1")).await,
        worker(connect(), "b", number("2")).await,
        worker(connect(), "c", number("9")).await,
    ];
    let file = "[[policy]]\nquery = \"weighed\"\nstrategy = \"weighted_median\"\nmax_deviation = \"none\"\n[weights]\nc = 2.5\nb = \"0.25\"\n";
    let coordinator = with_policies(connect(), 3, file).await;
    let body = coordinator.answer("weighed").await;
    assert_eq!((&body["final_value"], &body["strategy"]), (&json!(9), &json!("weighted_median")), "{body}");
    let weights: Vec<&Json> =
        body["workers"].as_array().expect("a list").iter().map(|worker| &worker["weight"]).collect();
    assert_eq!(weights, [&json!(1), &json!(0.25), &json!(2.5)]);
    let (_, body) = coordinator.ask(json!({"query": "counted", "max_deviation": "none"})).await;
    assert_eq!((&body["final_value"], body["workers"][2].get("weight")), (&json!(4), None), "{body}");
}
