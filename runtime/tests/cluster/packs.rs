//! Tasks that come together travel in packs, if all live workers take packs.

use std::fs;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use quorate_core::id::WorkerId;
use quorate_core::value::Value;
use quorate_runtime::bus::nats::{NatsBus, NatsConfig};
use quorate_runtime::bus::{Bus, Subscription as _};
use quorate_runtime::clock::Clock;
use quorate_runtime::driver::{WorkerDriver, WorkerIdentity, WorkerSettings};
use quorate_runtime::source::Source;
use quorate_test_support::NatsServer;
use serde_json::{Value as Json, json};

use crate::support::{PATIENCE, Scripted, TestCoordinator, on_both_buses, responses, until, worker};

on_both_buses! {
    tasks_that_come_together_are_packed_and_each_gets_its_own_answer,
    a_worker_that_takes_no_packs_is_asked_alone_and_the_others_with_it,
    a_worker_may_answer_a_pack_without_the_numbers_of_its_tasks,
}

/// A source whose value tells which query it was asked.
fn echo() -> impl Source {
    Scripted { delay: Duration::ZERO, answer: |query: &str| Ok(Value::number(&query[1..]).expect("a number")) }
}

/// The number of tasks that have come alone, and of those that have come in packs, as any subscriber sees them.
struct Seen {
    alone: Arc<AtomicUsize>,
    packed: Arc<AtomicUsize>,
}

impl Seen {
    async fn watch<B: Bus>(bus: B) -> Self {
        until("the watcher to be connected", async || bus.status().borrow().connected).await;
        let mut tasks = bus.subscribe("oracle.tasks", None).await.expect("a subscription");
        let mut packs = bus.subscribe("oracle.tasks.packed", None).await.expect("a subscription");
        bus.flush().await;
        let seen = Self { alone: Arc::default(), packed: Arc::default() };
        let (alone, packed) = (Arc::clone(&seen.alone), Arc::clone(&seen.packed));
        tokio::spawn(async move {
            loop {
                tokio::select! {
                    Some(_) = tasks.recv() => drop(alone.fetch_add(1, Ordering::Relaxed)),
                    Some(pack) = packs.recv() => {
                        let pack: Json = serde_json::from_slice(&pack.payload).expect("a pack is JSON");
                        packed.fetch_add(pack["tasks"].as_array().expect("tasks").len(), Ordering::Relaxed);
                    }
                    else => return drop(bus),
                }
            }
        });
        seen
    }

    fn alone(&self) -> usize {
        self.alone.load(Ordering::Relaxed)
    }

    fn packed(&self) -> usize {
        self.packed.load(Ordering::Relaxed)
    }
}

/// Asks many questions at once, and checks that each gets its own answer from all workers.
async fn ask_many(coordinator: &Arc<TestCoordinator>, workers: usize) {
    let asked: Vec<_> = (0..100)
        .map(|number| {
            let coordinator = Arc::clone(coordinator);
            tokio::spawn(async move { (number, coordinator.answer(&format!("q{number}")).await) })
        })
        .collect();
    for asked in asked {
        let (number, body) = asked.await.expect("it is answered");
        assert_eq!((&body["final_value"], &body["status"]), (&json!(number), &json!("complete")), "{body}");
        assert_eq!(responses(&body).len(), workers, "{body}");
    }
}

async fn tasks_that_come_together_are_packed_and_each_gets_its_own_answer<B: Bus>(connect: impl Fn() -> B) {
    let _workers = [
        worker(connect(), "a", echo()).await,
        worker(connect(), "b", echo()).await,
        worker(connect(), "c", echo()).await,
    ];
    let seen = Seen::watch(connect()).await;
    let coordinator = Arc::new(TestCoordinator::with_workers(connect(), 3).await);
    for _ in 0..5 {
        ask_many(&coordinator, 3).await;
    }
    until("all tasks to be seen", async || seen.alone() + seen.packed() == 500).await;
    assert!(seen.packed() > 250, "{} were packed", seen.packed());
    assert_eq!(coordinator.counter("results_accepted").await, 1500);
    for counter in ["results_duplicate", "results_misdirected", "results_unknown", "redispatched"] {
        assert_eq!(coordinator.counter(counter).await, 0, "{counter}");
    }
}

async fn a_worker_that_takes_no_packs_is_asked_alone_and_the_others_with_it<B: Bus>(connect: impl Fn() -> B) {
    let _new = worker(connect(), "new", echo()).await;
    let identity = WorkerIdentity::new(WorkerId::new("old").expect("an id")).expect("random numbers");
    let machine = quorate_core::worker::Config { announce_every: Duration::from_millis(100), ..Default::default() };
    let settings = WorkerSettings { packs: false, machine, ..WorkerSettings::of(identity) };
    let old = WorkerDriver::new(connect(), Clock::new(), settings, echo()).await.expect("it subscribes");
    let old = tokio::spawn(old.run(std::future::pending()));
    let seen = Seen::watch(connect()).await;
    let coordinator = Arc::new(TestCoordinator::with_workers(connect(), 2).await);
    ask_many(&coordinator, 2).await;
    until("all tasks to be seen", async || seen.alone() == 100).await;
    assert_eq!(seen.packed(), 0);
    old.abort();
    coordinator.wait_for_live(1).await;
    ask_many(&coordinator, 1).await;
    until("all tasks to be seen", async || seen.alone() + seen.packed() == 200).await;
    assert!(seen.packed() > 0, "the others take packs");
}

async fn a_worker_may_answer_a_pack_without_the_numbers_of_its_tasks<B: Bus>(connect: impl Fn() -> B) {
    let bus = connect();
    until("the program to be connected", async || bus.status().borrow().connected).await;
    let mut tasks = bus.subscribe("oracle.tasks", None).await.expect("a subscription");
    let mut packs = bus.subscribe("oracle.tasks.packed", None).await.expect("a subscription");
    bus.flush().await;
    let result = |task: &Json| {
        let query = task["query"].as_str().expect("a query");
        let value = query[1..].parse::<u32>().expect("a number");
        json!({"worker_id": "foreign", "request_id": task["id"], "value": value})
    };
    let program = tokio::spawn(async move {
        let mut announce = tokio::time::interval(Duration::from_millis(100));
        loop {
            tokio::select! {
                _ = announce.tick() => {
                    let live = json!({"worker_id": "foreign", "state": "live", "packs": true});
                    bus.publish("oracle.workers", None, live.to_string().into()).expect("connected");
                }
                Some(task) = tasks.recv() => {
                    let reply = task.reply.expect("a reply subject");
                    let result = result(&serde_json::from_slice(&task.payload).expect("a task is JSON"));
                    bus.publish(&reply, None, result.to_string().into()).expect("connected");
                }
                Some(pack) = packs.recv() => {
                    let pack: Json = serde_json::from_slice(&pack.payload).expect("a pack is JSON");
                    let mut results: Vec<_> = pack["tasks"].as_array().expect("tasks").iter().map(result).collect();
                    // The coordinator reads what it can.
                    results.extend([json!(7), json!({"worker_id": "foreign"})]);
                    let results = json!({ "results": results });
                    let reply = pack["reply"].as_str().expect("a reply subject");
                    bus.publish(reply, None, results.to_string().into()).expect("connected");
                }
            }
        }
    });
    let seen = Seen::watch(connect()).await;
    let coordinator = Arc::new(TestCoordinator::with_workers(connect(), 1).await);
    ask_many(&coordinator, 1).await;
    until("all tasks to be seen", async || seen.alone() + seen.packed() == 100).await;
    assert!(seen.packed() > 0);
    assert_eq!(coordinator.counter("results_misdirected").await, 0);
    assert!(coordinator.counter("messages_malformed").await >= 2, "the bad elements are counted");
    program.abort();
}

/// A server that lets workers and coordinators use only these subjects of tasks.
fn server(folder: &tempfile::TempDir, coordinator: &str, worker: &str) -> NatsServer {
    let users = format!(
        "authorization {{ users = [
          {{ user: coordinator, password: p, permissions: {{ publish: [{coordinator}, \"oracle.outcomes.>\", \"$SRV.>\",
             \"_INBOX.>\"], subscribe: [\"oracle.results\", \"oracle.workers\", \"_INBOX.>\"] }} }}
          {{ user: worker, password: p, permissions: {{ publish: [\"oracle.results\", \"oracle.workers\", \"_INBOX.>\"],
             subscribe: [{worker}, \"$SRV.>\", \"_INBOX.quorate.echo.>\"] }} }}
          {{ user: watcher, password: p }} ] }}"
    );
    let file = folder.path().join("nats.conf");
    fs::write(&file, users).expect("it can be written");
    NatsServer::start_with(&["--config", &file.display().to_string()])
}

#[tokio::test(flavor = "multi_thread")]
async fn with_the_permissions_of_before_all_tasks_go_out_alone() {
    for (coordinator, worker) in [
        ("\"oracle.tasks\"", "\"oracle.tasks.>\", \"oracle.tasks\""),
        ("\"oracle.tasks.>\", \"oracle.tasks\"", "\"oracle.tasks\""),
    ] {
        let folder = tempfile::tempdir().expect("a folder");
        let server = server(&folder, coordinator, worker);
        let connect = |user: &str| {
            let url = server.url().replace("://", &format!("://{user}:p@"));
            NatsBus::connect(NatsConfig::new(url)).expect("a good address")
        };
        let _worker = crate::support::worker(connect("worker"), "a", echo()).await;
        let seen = Seen::watch(connect("watcher")).await;
        let coordinator = Arc::new(TestCoordinator::with_workers(connect("coordinator"), 1).await);
        // Until the server has said what it forbids, a pack may be lost, which the redispatch repairs.
        let settled = tokio::time::Instant::now() + PATIENCE;
        loop {
            let before = (seen.alone(), seen.packed());
            let asked: Vec<_> = (0..20)
                .map(|_| {
                    let coordinator = Arc::clone(&coordinator);
                    tokio::spawn(async move { coordinator.ask(json!({"query": "q7", "timeout_ms": 1000})).await })
                })
                .collect();
            let mut answered = 0;
            for asked in asked {
                answered += usize::from(asked.await.expect("a response").0 == 200);
            }
            until("the tasks to be seen", async || seen.alone() + seen.packed() >= before.0 + before.1 + 20).await;
            if answered == 20 && seen.packed() == before.1 {
                break;
            }
            assert!(tokio::time::Instant::now() < settled, "{answered} were answered, {} were packed", seen.packed());
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_takes_only_short_messages_gets_short_packs() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("nats.conf");
    fs::write(&file, "max_payload: 2048").expect("it can be written");
    let server = NatsServer::start_with(&["--config", &file.display().to_string()]);
    let connect = || NatsBus::connect(NatsConfig::new(server.url())).expect("a good address");
    let _worker = worker(connect(), "a", echo()).await;
    let seen = Seen::watch(connect()).await;
    let coordinator = Arc::new(TestCoordinator::with_workers(connect(), 1).await);
    for _ in 0..3 {
        ask_many(&coordinator, 1).await;
    }
    until("all tasks to be seen", async || seen.alone() + seen.packed() == 300).await;
    assert!(seen.packed() > 100, "{} were packed", seen.packed());
    assert_eq!(coordinator.counter("redispatched").await, 0);
}
