//! The stage with a network: the same scenario is the same run, and a cluster without faults answers everything.

use std::sync::{Arc, Mutex};

use quorate_core::coordinator::Input;
use quorate_core::worker;
use quorate_sim::event::{Age, Body, Event, Reply, What, WorkerResult};
use quorate_sim::host::Host;
use quorate_sim::scenario::{
    Bus, Cluster, Coordinator, Edges, Fault, FaultKind, Forgery, Mischief, Policy, Request, Scenario, Stored, Worker,
};
use quorate_sim::trace::Line;
use quorate_sim::{Depth, Report, run};

fn cluster(coordinators: u8, workers: u8) -> Cluster {
    let Scenario { mut cluster, .. } = Scenario::quiet();
    let worker = cluster.workers[0].clone();
    let worker = |number| {
        let clock_ms = 1_000 * u64::from(number);
        Worker { number, name: number, observe_ms: (5, 60), max_queued: 64, clock_ms, ..worker.clone() }
    };
    cluster.workers = (1..=workers).map(worker).collect();
    let coordinator = |number| Coordinator { number, clock_ms: u64::from(number), jump: None };
    cluster.coordinators = (1..=coordinators).map(coordinator).collect();
    cluster.clients = vec![1, 2];
    cluster.network.latency_us = (500, 4_000);
    cluster.bus = Bus { keepalive_ms: 600, reconnect_ms: (50, 300), ..cluster.bus };
    (cluster.settings.max_timeout_ms, cluster.settings.presence_ms) = (2_000, 1_500);
    cluster
}

fn scenario(requests: u64) -> Scenario {
    let request = |place: u64| Request {
        at_ms: 1_000 + 40 * place,
        client: 1 + (place % 2) as u8,
        coordinator: 1 + (place / 2 % 2) as u8,
        query: (place % 5) as u8,
        id: place.is_multiple_of(3).then_some(place as u32),
        policy: Policy { timeout_ms: Some(1_000), ..Policy::default() },
        gives_up_ms: None,
        retries: 2,
    };
    Scenario {
        seed: 42,
        cluster: cluster(2, 3),
        requests: (0..requests).map(request).collect(),
        faults: Vec::new(),
        edges: Edges::default(),
        stored: Stored::default(),
        heal_ms: 1_000 + 40 * requests,
    }
}

/// Plays a scenario, and collects what `keep` returns for each event.
fn kept<T: Send + 'static>(
    scenario: &Scenario,
    keep: impl Fn(&Event<'_>) -> Option<T> + Send + 'static,
) -> (Report, Vec<T>) {
    let all = Arc::new(Mutex::new(Vec::new()));
    let kept = Arc::clone(&all);
    let listener = move |event: &Event<'_>| kept.lock().expect("the lock is not poisoned").extend(keep(event));
    let report = run(scenario, Depth::Network, Some(Box::new(listener)));
    let all = std::mem::take(&mut *all.lock().expect("the lock is not poisoned"));
    (report, all)
}

/// Plays a scenario. Returns the report, and a trace line for each event.
fn played(scenario: &Scenario) -> (Report, Vec<String>) {
    kept(scenario, |event| Some(Line(event).to_string()))
}

/// When the bus of a host came up (`true`) and went down (`false`), in milliseconds.
fn bus_changes(scenario: &Scenario, of: Host) -> Vec<(u64, bool)> {
    let keep = move |event: &Event<'_>| {
        let up = match event.what {
            What::CoordinatorInput(_, Input::BusUp) | What::WorkerInput(_, worker::Input::BusUp) => true,
            What::CoordinatorInput(_, Input::BusDown) | What::WorkerInput(_, worker::Input::BusDown) => false,
            _ => return None,
        };
        (event.host == of).then_some((event.at / 1_000_000, up))
    };
    kept(scenario, keep).1
}

/// A scenario with many kinds of faults.
fn turmoil() -> Scenario {
    let mut scenario = scenario(60);
    scenario.cluster.adversary = true;
    scenario.cluster.settings.rate_limit = Some((20, 20));
    scenario.cluster.workers[2].fail_permille = 100;
    for (place, request) in scenario.requests.iter_mut().enumerate() {
        request.gives_up_ms = (place % 7 == 0).then_some(30);
    }
    let (c1, c2, w1, w2, w3) =
        (Host::Coordinator(1), Host::Coordinator(2), Host::Worker(1), Host::Worker(2), Host::Worker(3));
    let kinds = [
        FaultKind::Partition(c1, Host::Broker),
        FaultKind::PartitionOneWay(w1, Host::Broker),
        FaultKind::Hold(w2, Host::Broker),
        FaultKind::Slow(Host::Client(1), c1, 40),
        FaultKind::Loss(c2, Host::Broker, 30),
        FaultKind::Loss(Host::Client(2), c2, 100),
        FaultKind::Crash(w1),
        FaultKind::Crash(c2),
        FaultKind::Crash(Host::Broker),
        FaultKind::Stop(w3),
        FaultKind::Stop(c1),
        FaultKind::Freeze(w2),
        FaultKind::ReconnectStorm(3),
        FaultKind::SlowSource(w1, 100),
        FaultKind::FailSource(w2, 500),
        FaultKind::Lie(vec![w1, w2], 50),
        FaultKind::Mischief(w3, Mischief::Duplicate, 500),
        FaultKind::Mischief(w3, Mischief::Equivocate, 500),
        FaultKind::Mischief(w3, Mischief::Delay(70), 500),
        FaultKind::Mischief(w2, Mischief::Corrupt, 500),
        FaultKind::Mischief(w2, Mischief::Oversize, 500),
        FaultKind::PresenceLost(w1),
        FaultKind::Forge(Forgery::Answer(1), 3),
        FaultKind::Forge(Forgery::Garbage, 3),
        FaultKind::Forge(Forgery::Task, 3),
        FaultKind::Forge(Forgery::Left(2), 3),
        FaultKind::Crash(Host::Worker(99)),
    ];
    let fault = |(place, kind)| Fault { at_ms: 500 + 100 * place as u64, for_ms: 350, kind };
    scenario.faults = kinds.into_iter().enumerate().map(fault).collect();
    scenario
}

#[test]
fn the_same_scenario_is_the_same_run() {
    let scenario = turmoil();
    let (first, lines) = played(&scenario);
    // A further task in the process changes the ids of tokio's tasks, which must not change the run.
    let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
    drop(runtime.spawn(async {}));
    let (second, again) = played(&scenario);
    for (line, (a, b)) in lines.iter().zip(&again).enumerate() {
        assert_eq!(a, b, "line {line}");
    }
    assert_eq!((first.hash, first.events), (second.hash, second.events));
    assert_eq!(lines.len(), again.len());
    assert!(!lines.iter().any(|line| line.contains("Panicked")), "{:?}", lines.last());
}

#[test]
fn every_fault_begins_and_ends_and_every_process_is_restarted() {
    let scenario = turmoil();
    let (_, lines) = played(&scenario);
    let count = |text: &str| lines.iter().filter(|line| line.contains(text)).count();
    // The last fault is on a host that does not exist.
    assert_eq!(count("FaultBegan"), scenario.faults.len() - 1);
    assert_eq!(count("FaultEnded"), scenario.faults.len() - 1);
    assert_eq!(count("Crashed"), 3);
    // Nine hosts, three crashes, two stops.
    assert_eq!(count("Started"), 9 + 3 + 2);
    // Two by the schedule, and the two coordinators and three workers at the end.
    assert_eq!((count("Stopping"), count("Stopped")), (2 + 5, 2 + 5));
    let healed = lines.iter().position(|line| line.contains("Healed")).expect("it heals");
    let probes: Vec<&String> = lines[healed..].iter().filter(|line| line.contains("place: None")).collect();
    assert_eq!(probes.len(), 2, "{probes:#?}");
    assert!(lines.last().expect("lines").contains("Ended"));
}

#[test]
fn a_cluster_without_faults_answers_everything() {
    let scenario = scenario(50);
    let (_, replies) = kept(&scenario, |event| match event.what {
        What::Replied(number, reply) => Some((number, reply.clone())),
        _ => None,
    });
    // Each coordinator is also probed once.
    assert_eq!(replies.len(), scenario.requests.len() + 2);
    for (number, reply) in &replies {
        let Reply::Http { status: 200, body, .. } = reply else { panic!("{number}: {reply:?}") };
        let body: serde_json::Value = serde_json::from_str(body).expect("JSON");
        assert_eq!((&body["expected"], &body["succeeded"]), (&3.into(), &3.into()), "{number}: {body}");
        assert_eq!(body["status"], "complete");
        assert_eq!(body["worker_responses"].as_array().map(Vec::len), Some(3));
    }
}

#[test]
fn a_fault_that_ends_does_not_heal_what_another_still_breaks() {
    let mut scenario = scenario(60);
    let cut = |at_ms, for_ms| Fault { at_ms, for_ms, kind: FaultKind::Partition(Host::Broker, Host::Coordinator(1)) };
    scenario.faults = vec![cut(500, 2_500), cut(800, 500)];
    let changes = bus_changes(&scenario, Host::Coordinator(1));
    let [(first, true), (down, false), (up, true)] = changes[..] else { panic!("{changes:?}") };
    assert!(first < 100 && (500..1_500).contains(&down) && (3_000..3_500).contains(&up), "{changes:?}");
}

#[test]
fn what_is_held_back_for_a_short_while_arrives() {
    let mut scenario = scenario(30);
    scenario.cluster.workers.truncate(1);
    scenario.faults = vec![Fault { at_ms: 1_200, for_ms: 300, kind: FaultKind::Hold(Host::Worker(1), Host::Broker) }];
    let (_, answered) = kept(&scenario, |event| match event.what {
        What::Replied(_, Reply::Http { status, .. }) => Some(*status),
        _ => None,
    });
    assert!(answered.iter().all(|status| *status == 200), "{answered:?}");
    assert_eq!(bus_changes(&scenario, Host::Worker(1)).len(), 1);
}

#[test]
fn a_client_that_goes_away_is_noticed() {
    let mut scenario = scenario(10);
    scenario.cluster.workers[0].observe_ms = (500, 500);
    for request in &mut scenario.requests {
        request.gives_up_ms = Some(200);
    }
    let (_, told) = kept(&scenario, |event| match event.what {
        What::Vanished(_) => Some("vanished"),
        What::CoordinatorInput(_, Input::Cancel(_)) => Some("cancelled"),
        What::Replied(..) => Some("replied"),
        _ => None,
    });
    let count = |what: &str| told.iter().filter(|told| **told == what).count();
    // The two replies are those to the probes.
    assert_eq!((count("vanished"), count("cancelled"), count("replied")), (10, 10, 2));
}

#[test]
fn received_results_are_decoded_as_the_coordinator_decodes_them() {
    let (_, results) = kept(&turmoil(), |event| match event.what {
        What::Received(message) if matches!(event.host, Host::Coordinator(_)) => match &message.body {
            // The number of a task is an input of its own.
            Body::Result(result) => Some((true, event.host, WorkerResult { packed: None, ..result.clone() })),
            _ => None,
        },
        What::CoordinatorInput(_, Input::Result(result)) => {
            let (overloaded, response_time, age) =
                (result.overloaded, result.response_time, result.age.map(Age::Stated));
            let result = WorkerResult::new(result.worker.clone(), result.request.clone(), result.observed.clone());
            Some((false, event.host, WorkerResult { overloaded, response_time, age, ..result }))
        }
        _ => None,
    });
    let mut received = Vec::new();
    let mut understood = 0;
    for (is_received, host, result) in results {
        if is_received {
            received.push((host, result));
            continue;
        }
        let told = received.iter().position(|told| *told == (host, result.clone()));
        received.remove(told.unwrap_or_else(|| panic!("{host} was not told {result:?}")));
        understood += 1;
    }
    assert!(understood > 100, "{understood}");
}
