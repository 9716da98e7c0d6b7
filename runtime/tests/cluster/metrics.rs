//! What `GET /metrics` shows after known traffic, to the last digit, on both buses.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use quorate_core::coordinator::Config;
use quorate_core::id::WorkerId;
use quorate_runtime::bus::nats::{NatsBus, NatsConfig};
use quorate_runtime::bus::{Bus, Message, Subscription};
use quorate_test_support::{Exposition, NatsServer};
use serde_json::{Value as Json, json};

use crate::support::{PATIENCE, Setup, TestCoordinator, delayed, failing, number, on_both_buses, until, worker};

on_both_buses! {
    every_request_is_shown_once_by_how_it_came_and_how_it_ended,
    every_result_is_shown_by_what_became_of_it,
    a_redispatch_and_what_it_rescued_are_shown,
    what_is_refused_is_shown_with_the_reason,
    the_rate_limiter_shows_what_it_decided,
}

/// Samples that change with time or are checked separately.
const ELSEWHERE: [&str; 9] = [
    "quorate_http_connections",
    "quorate_request_duration_seconds_bucket",
    "quorate_request_duration_seconds_sum",
    "quorate_http_responses_total",
    "quorate_build_info",
    "process_start_time_seconds",
    "quorate_default_timeout_seconds",
    "quorate_policy_workers",
    "quorate_policy_workers_needed",
];

/// All other samples that are not zero.
fn shown(metrics: &Exposition) -> BTreeMap<String, f64> {
    let counted = metrics.samples().filter(|sample| !ELSEWHERE.contains(&sample.name.as_str()));
    counted.filter(|sample| sample.value != 0.0).map(|sample| (sample.to_string(), sample.value)).collect()
}

/// Checks that these numbers are shown, and that everything else is zero.
fn check<const N: usize>(metrics: &Exposition, expected: [(&str, f64); N]) {
    let expected: BTreeMap<_, _> = expected.into_iter().map(|(sample, value)| (sample.to_owned(), value)).collect();
    assert_eq!(shown(metrics), expected);
}

/// A coordinator whose workers stay known for the length of a test.
async fn start(bus: impl Bus, machine: Config) -> TestCoordinator {
    let machine = Config { presence: Duration::from_mins(1), ..machine };
    TestCoordinator::start_with(bus, Setup { machine, ..Setup::default() }).await
}

fn asked_once() -> Config {
    Config { redispatch_permille: 0, ..Config::default() }
}

async fn wait_for_in_flight(coordinator: &TestCoordinator, expected: u64) {
    until("requests in flight", async || coordinator.get("/workers").await.1["in_flight"] == expected).await;
}

async fn every_request_is_shown_once_by_how_it_came_and_how_it_ended<B: Bus>(connect: impl Fn() -> B) {
    let good = worker(connect(), "a", number("10")).await;
    let fails = worker(connect(), "b", failing("no route")).await;
    let coordinator = start(connect(), asked_once()).await;
    coordinator.wait_for_live(2).await;
    let status = async |body: Json| coordinator.ask(body).await.0;
    assert_eq!(status(json!({"query": "q", "id": "one"})).await, 200);
    assert_eq!(status(json!({"query": "q", "id": "one"})).await, 200, "replayed");
    assert_eq!(status(json!({"query": "r", "id": "one"})).await, 409, "a conflict");
    assert_eq!(status(json!({"query": "q", "timeout_ms": 0})).await, 400, "a policy that is not valid");
    assert_eq!(status(json!({"query": "q", "min_responses": 2})).await, 422);
    // An invalid request, which the machine does not see.
    assert_eq!(status(json!({"query": "q", "strategy": "mode"})).await, 400);
    fails.stop().await;

    let _silent = worker(connect(), "c", delayed("1", Duration::from_hours(1))).await;
    coordinator.wait_for_live(2).await;
    assert_eq!(status(json!({"query": "q", "quorum": 1})).await, 200);
    good.stop().await;
    coordinator.wait_for_live(1).await;

    // Two callers share one request.
    let first = coordinator.ask(json!({"query": "q", "id": "two", "timeout_ms": 900}));
    let second = async {
        wait_for_in_flight(&coordinator, 1).await;
        coordinator.ask(json!({"query": "q", "id": "two"})).await
    };
    let (first, second) = tokio::join!(first, second);
    assert_eq!((first.0, second.0), (504, 504));
    tokio::select! {
        _ = coordinator.ask(json!({"query": "q", "timeout_ms": 60_000})) => panic!("nobody answers"),
        () = wait_for_in_flight(&coordinator, 1) => {}
    }
    wait_for_in_flight(&coordinator, 0).await;
    tokio::select! {
        _ = coordinator.ask(json!({"query": "q", "timeout_ms": 60_000})) => panic!("nobody answers"),
        () = async {
            wait_for_in_flight(&coordinator, 1).await;
            let metrics = coordinator.metrics().await;
            check(&metrics, [
                ("quorate_requests_submitted_total{admission=\"accepted\"}", 6.0),
                ("quorate_requests_submitted_total{admission=\"joined\"}", 1.0),
                ("quorate_requests_submitted_total{admission=\"replayed\"}", 1.0),
                ("quorate_requests_submitted_total{admission=\"refused_conflict\"}", 1.0),
                ("quorate_requests_submitted_total{admission=\"refused_policy\"}", 1.0),
                ("quorate_requests_ended_total{outcome=\"partial\"}", 2.0),
                ("quorate_requests_ended_total{outcome=\"failed_insufficient_responses\"}", 1.0),
                ("quorate_requests_ended_total{outcome=\"failed_deadline_exceeded\"}", 1.0),
                ("quorate_requests_ended_total{outcome=\"cancelled\"}", 1.0),
                ("quorate_requests_in_flight", 1.0),
                ("quorate_callers_waiting", 1.0),
                ("quorate_requests_quorum_early_total", 1.0),
                ("quorate_request_duration_seconds_count{result=\"answered\"}", 2.0),
                ("quorate_request_duration_seconds_count{result=\"failed\"}", 2.0),
                ("quorate_dispatches_total{attempt=\"first\"}", 6.0),
                ("quorate_results_total{fate=\"accepted\"}", 5.0),
                ("quorate_observations_total{fate=\"used\"}", 3.0),
                ("quorate_observations_total{fate=\"failed\"}", 2.0),
                ("quorate_silent_workers_total{fate=\"late\"}", 1.0),
                ("quorate_silent_workers_total{fate=\"missing\"}", 1.0),
                ("quorate_workers{state=\"live\"}", 1.0),
                ("quorate_workers{state=\"left\"}", 2.0),
                ("quorate_bus_connected", 1.0),
            ]);
            // The request that waited for its deadline of 900 ms is not in the bucket of 0.5 s; both are in the last.
            let bucket = |le: &str| metrics.value(&format!(
                "quorate_request_duration_seconds_bucket{{le=\"{le}\",result=\"failed\"}}"
            ));
            assert_eq!((bucket("0.5").map(|count| count < 2.0), bucket("60")), (Some(true), Some(2.0)));
            let sum = metrics.value("quorate_request_duration_seconds_sum{result=\"failed\"}");
            assert!(sum.is_some_and(|sum| (0.9..PATIENCE.as_secs_f64()).contains(&sum)), "{sum:?}");
        } => {}
    }
}

/// A program on the bus that is driven by hand: it is known by several names, and answers as any of them.
struct Puppets<B: Bus> {
    bus: B,
    tasks: B::Subscription,
}

impl<B: Bus> Puppets<B> {
    /// Makes the names known to a coordinator.
    async fn announce(bus: B, names: &[&str], coordinator: &TestCoordinator) -> Self {
        let tasks = bus.subscribe("oracle.tasks", None).await.expect("a subscription");
        until("the program to be known", async || {
            for name in names {
                let live = json!({"worker_id": name, "state": "live"}).to_string();
                // This fails until it is connected.
                let _ = bus.publish("oracle.workers", None, live.into());
            }
            let (_, known) = coordinator.get("/workers").await;
            known["workers"].as_array().is_some_and(|workers| workers.len() == names.len())
        })
        .await;
        Self { bus, tasks }
    }

    /// The next task: its reply subject and its id.
    async fn task(&mut self) -> (String, String) {
        let message: Message =
            tokio::time::timeout(PATIENCE, self.tasks.recv()).await.expect("a task in time").expect("the bus is open");
        let task: Json = serde_json::from_slice(&message.payload).expect("a task is JSON");
        (message.reply.expect("tasks have a reply subject"), task["id"].as_str().expect("an id").to_owned())
    }

    fn answer(&self, subject: &str, worker: &str, request: &str, value: &Json) {
        let result = json!({"worker_id": worker, "request_id": request, "value": value, "response_time": 1});
        self.publish(subject, &result.to_string());
    }

    fn publish(&self, subject: &str, body: &str) {
        self.bus.publish(subject, None, body.to_owned().into()).expect("connected");
    }
}

async fn every_result_is_shown_by_what_became_of_it<B: Bus>(connect: impl Fn() -> B) {
    let admitted = ["p", "q"].map(|id| WorkerId::new(id).expect("an id"));
    let machine = Config { admitted: Some(BTreeSet::from(admitted)), ..asked_once() };
    let coordinator = start(connect(), machine).await;
    let mut puppets = Puppets::announce(connect(), &["p", "q"], &coordinator).await;
    let play = async {
        let (reply, id) = puppets.task().await;
        let (inbox, task) = reply.rsplit_once('.').expect("a reply subject has tokens");
        let another = format!("{inbox}.{}", task.parse::<u64>().expect("the last one is a number") + 1);
        puppets.answer(&reply, "p", &id, &json!(1));
        puppets.answer(&reply, "p", &id, &json!(1));
        puppets.answer(&reply, "p", &id, &json!(2));
        puppets.answer(&another, "q", &id, &json!(3));
        puppets.answer(&reply, "stranger", &id, &json!(4));
        puppets.publish(&reply, "no JSON");
        puppets.answer(&reply, "q", &id, &json!("no number"));
        (puppets, reply, id)
    };
    let ((status, body), (puppets, reply, id)) = tokio::join!(coordinator.ask(json!({"query": "q"})), play);
    assert_eq!((status, &body["final_value"]), (200, &json!(1)), "{body}");
    puppets.answer(&reply, "q", &id, &json!(5));
    puppets.answer("oracle.results", "p", "nobody-asked-this", &json!(6));
    puppets.publish("oracle.workers", "no JSON either");
    let stranger = json!({"worker_id": "stranger", "state": "live"});
    puppets.publish("oracle.workers", &stranger.to_string());
    for (counter, count) in
        [("results_late", 1), ("results_unknown", 1), ("messages_malformed", 2), ("workers_not_admitted", 2)]
    {
        until(counter, async || coordinator.counter(counter).await >= count).await;
    }
    check(
        &coordinator.metrics().await,
        [
            ("quorate_requests_submitted_total{admission=\"accepted\"}", 1.0),
            ("quorate_requests_ended_total{outcome=\"partial\"}", 1.0),
            ("quorate_request_duration_seconds_count{result=\"answered\"}", 1.0),
            ("quorate_dispatches_total{attempt=\"first\"}", 1.0),
            ("quorate_results_total{fate=\"accepted\"}", 2.0),
            ("quorate_results_total{fate=\"duplicate\"}", 1.0),
            ("quorate_results_total{fate=\"equivocal\"}", 1.0),
            ("quorate_results_total{fate=\"misdirected\"}", 1.0),
            ("quorate_results_total{fate=\"late\"}", 1.0),
            ("quorate_results_total{fate=\"unknown\"}", 1.0),
            ("quorate_observations_total{fate=\"used\"}", 1.0),
            ("quorate_observations_total{fate=\"excluded_not_a_number\"}", 1.0),
            ("quorate_messages_malformed_total", 2.0),
            ("quorate_messages_not_admitted_total", 2.0),
            ("quorate_workers{state=\"live\"}", 2.0),
            ("quorate_bus_connected", 1.0),
        ],
    );
}

async fn a_redispatch_and_what_it_rescued_are_shown<B: Bus>(connect: impl Fn() -> B) {
    let machine = Config { redispatch_permille: 10, ..Config::default() };
    let coordinator = start(connect(), machine).await;
    let mut puppets = Puppets::announce(connect(), &["p"], &coordinator).await;
    let play = async {
        let first = puppets.task().await;
        let again = puppets.task().await;
        assert_eq!(first, again);
        puppets.answer(&again.0, "p", &again.1, &json!(1));
    };
    let ((status, _), ()) = tokio::join!(coordinator.ask(json!({"query": "q", "timeout_ms": 15_000})), play);
    assert_eq!(status, 200);
    check(
        &coordinator.metrics().await,
        [
            ("quorate_requests_submitted_total{admission=\"accepted\"}", 1.0),
            ("quorate_requests_ended_total{outcome=\"complete\"}", 1.0),
            ("quorate_request_duration_seconds_count{result=\"answered\"}", 1.0),
            ("quorate_dispatches_total{attempt=\"first\"}", 1.0),
            ("quorate_dispatches_total{attempt=\"second\"}", 1.0),
            ("quorate_results_total{fate=\"accepted\"}", 1.0),
            ("quorate_results_rescued_total", 1.0),
            ("quorate_observations_total{fate=\"used\"}", 1.0),
            ("quorate_workers{state=\"live\"}", 1.0),
            ("quorate_bus_connected", 1.0),
        ],
    );
}

async fn what_is_refused_is_shown_with_the_reason<B: Bus>(connect: impl Fn() -> B) {
    let mut coordinator = start(connect(), Config { max_in_flight: 1, ..asked_once() }).await;
    until("a connection", async || coordinator.get("/health").await.1["nats"] == true).await;
    // Nobody is subscribed to tasks.
    assert_eq!(coordinator.ask(json!({"query": "q"})).await.0, 503);
    let mut puppets = Puppets::announce(connect(), &["p"], &coordinator).await;
    let question = coordinator.post(&json!({"query": "q", "timeout_ms": 60_000}));
    let in_flight = tokio::spawn(question.send());
    let (reply, id) = puppets.task().await;
    assert_eq!(coordinator.ask(json!({"query": "r"})).await.1["error"], "overloaded");
    coordinator.begin_stop();
    until("the coordinator to drain", async || coordinator.get("/ready").await.1["error"] == "draining").await;
    assert_eq!(coordinator.ask(json!({"query": "s"})).await.1["error"], "draining");
    check(
        &coordinator.metrics().await,
        [
            ("quorate_requests_submitted_total{admission=\"accepted\"}", 2.0),
            ("quorate_requests_submitted_total{admission=\"refused_overloaded\"}", 1.0),
            ("quorate_requests_submitted_total{admission=\"refused_draining\"}", 1.0),
            ("quorate_requests_ended_total{outcome=\"failed_no_workers\"}", 1.0),
            ("quorate_request_duration_seconds_count{result=\"failed\"}", 1.0),
            ("quorate_requests_in_flight", 1.0),
            ("quorate_callers_waiting", 1.0),
            ("quorate_draining", 1.0),
            ("quorate_dispatches_total{attempt=\"first\"}", 2.0),
            ("quorate_tasks_undelivered_total", 1.0),
            ("quorate_workers{state=\"live\"}", 1.0),
            ("quorate_bus_connected", 1.0),
        ],
    );
    puppets.answer(&reply, "p", &id, &json!(1));
    let answer = in_flight.await.expect("it does not panic").expect("an answer");
    assert_eq!(answer.status(), 200);
    coordinator.stopped().await;
}

async fn the_rate_limiter_shows_what_it_decided<B: Bus>(connect: impl Fn() -> B) {
    let setup = Setup { rate_limit: Some((1, 3)), ..Setup::default() };
    let coordinator = TestCoordinator::start_with(connect(), setup).await;
    let mut statuses = BTreeMap::<u16, f64>::new();
    for _ in 0..8 {
        *statuses.entry(coordinator.ask(json!({"query": "q"})).await.0).or_default() += 1.0;
    }
    assert!(statuses[&429] >= 1.0, "{statuses:?}");
    assert_eq!(coordinator.get("/nothing").await.0, 404);
    assert_eq!(coordinator.get("/request").await.0, 405);
    let metrics = coordinator.metrics().await;
    let checks = |result: &str| metrics.value(&format!("quorate_rate_limiter_checks_total{{result=\"{result}\"}}"));
    assert_eq!((checks("allowed"), checks("refused")), (Some(8.0 - statuses[&429]), Some(statuses[&429])));
    assert_eq!(metrics.value("quorate_rate_limiter_clients"), Some(1.0));
    statuses.insert(405, 1.0);
    let responses: BTreeMap<_, _> = metrics.families()["quorate_http_responses_total"]
        .samples
        .iter()
        .map(|sample| {
            ((sample.labels["route"].as_str(), sample.labels["status"].parse().expect("a number")), sample.value)
        })
        .collect();
    let mut expected: BTreeMap<(&str, u16), f64> =
        statuses.into_iter().map(|(status, count)| (("/request", status), count)).collect();
    expected.insert(("other", 404), 1.0);
    assert_eq!(responses, expected);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_outage_is_shown_while_it_lasts_and_counted_after() {
    let mut server = NatsServer::start();
    let bus = NatsBus::connect(NatsConfig::new(server.url())).expect("a good address");
    let coordinator = start(bus, asked_once()).await;
    let is = async |sample: &str, value: f64| coordinator.metrics().await.value(sample) == Some(value);
    until("a connection", async || is("quorate_bus_connected", 1.0).await).await;
    server.kill();
    until("the outage to be noticed", async || is("quorate_bus_connected", 0.0).await).await;
    assert_eq!(coordinator.ask(json!({"query": "q"})).await.1["error"], "bus_down");
    server.restart();
    until("the next connection", async || is("quorate_bus_connected", 1.0).await).await;
    check(
        &coordinator.metrics().await,
        [
            ("quorate_requests_submitted_total{admission=\"refused_bus_down\"}", 1.0),
            ("quorate_bus_connected", 1.0),
            ("quorate_bus_reconnects_total", 1.0),
        ],
    );
}
