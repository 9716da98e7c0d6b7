//! What 100,000 requests in flight cost: memory per request, nothing left when they have ended, and no more time per
//! result than a few requests cost.

use std::alloc::System;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use quorate_core::Coordinator;
use quorate_core::coordinator::{Config, Input, Output, Presence, PresenceState, Submit, Task, WorkerResult};
use quorate_core::id::{Ticket, WorkerId};
use quorate_core::policy::Overrides;
use quorate_core::query::Query;
use quorate_core::time::Timestamp;
use quorate_core::trace::Trace;
use quorate_core::value::Value;
use stats_alloc::{INSTRUMENTED_SYSTEM, StatsAlloc};

#[global_allocator]
static ALLOCATOR: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

/// The allocator counts for the whole process: one test at a time.
static ALONE: Mutex<()> = Mutex::new(());

const REQUESTS: usize = 100_000;
const NOW: Timestamp = Timestamp::ZERO;

fn alone() -> MutexGuard<'static, ()> {
    ALONE.lock().unwrap_or_else(PoisonError::into_inner)
}

fn bytes_in_use() -> usize {
    let stats = ALLOCATOR.stats();
    stats.bytes_allocated - stats.bytes_deallocated
}

fn worker(index: usize) -> WorkerId {
    WorkerId::new(&format!("worker-{index}")).expect("a worker id")
}

/// A connected coordinator with this many live workers and room for `REQUESTS`.
fn coordinator(workers: usize) -> Coordinator {
    let config = Config {
        max_in_flight: REQUESTS,
        max_remembered: REQUESTS,
        presence: Duration::from_hours(1),
        ..Config::default()
    };
    let mut coordinator = Coordinator::new(config, 7);
    coordinator.handle_input(NOW, &Input::BusUp);
    assert_eq!(coordinator.poll_output(), Some(Output::CallWorkers));
    for worker in (0..workers).map(worker) {
        let presence = Presence::new(worker, "".into(), PresenceState::Live);
        coordinator.handle_input(NOW, &Input::Presence(presence));
    }
    coordinator
}

fn submit(coordinator: &mut Coordinator, ticket: usize) -> Task {
    // Each request owns its query, as it does when read from a socket.
    let query = Query::new("BTC/USD").expect("a query");
    let (ticket, overrides, trace) = (Ticket(ticket as u64), Overrides::default(), Some(Trace([7; 25])));
    let submit = Submit { ticket, id: None, query, overrides, trace };
    coordinator.handle_input(NOW, &Input::Submit(submit));
    match coordinator.poll_output() {
        Some(Output::Publish(task)) => task,
        other => panic!("no task but {other:?}"),
    }
}

fn result(task: &Task, worker: usize) -> Input {
    let observed = Ok(Value::number("42000.12").expect("a number"));
    let result = WorkerResult::new(self::worker(worker), task.request.clone(), observed);
    Input::Result(WorkerResult { task: Some(task.id), ..result })
}

#[test]
fn a_request_in_flight_takes_less_than_a_kibibyte_and_leaves_nothing() {
    let _alone = alone();
    let mut coordinator = coordinator(3);
    let idle = bytes_in_use();
    for ticket in 0..REQUESTS {
        let task = submit(&mut coordinator, ticket);
        coordinator.handle_input(NOW, &result(&task, 0));
        coordinator.handle_input(NOW, &result(&task, 2));
    }
    assert_eq!(coordinator.in_flight(), REQUESTS);
    assert_eq!(coordinator.counters().results_accepted, 2 * REQUESTS as u64);
    let per_request = (bytes_in_use() - idle) / REQUESTS;
    println!("{per_request} bytes per request in flight");
    assert!(per_request < 1024, "{per_request} bytes per request in flight");

    let mut answers = 0;
    while let Some(wake) = coordinator.poll_timeout().filter(|wake| *wake < Timestamp::from_millis(3_600_000)) {
        coordinator.handle_timeout(wake);
        while let Some(output) = coordinator.poll_output() {
            answers += usize::from(matches!(output, Output::Answer { .. }));
        }
    }
    assert_eq!((answers, coordinator.in_flight(), coordinator.remembered()), (REQUESTS, 0, 0));
    // What stays is capacity for the next such burst, never anything per ended request.
    drop(coordinator);
    // The harness may start another test's thread meanwhile, which takes some kilobytes.
    let lost = bytes_in_use().saturating_sub(idle);
    assert!(lost < REQUESTS, "{lost} bytes are lost, one per request or more");
}

/// With many workers and long texts, the limit in bytes is reached before the limit in outcomes.
#[test]
fn what_is_remembered_takes_no_more_memory_than_it_may_weigh() {
    const WORKERS: usize = 1000;
    let _alone = alone();
    let mut coordinator = coordinator(WORKERS);
    let idle = bytes_in_use();
    for ticket in 0..40 {
        let task = submit(&mut coordinator, ticket);
        for worker in 0..WORKERS {
            let text = Value::text(&"x".repeat(4096)).expect("a text");
            let Input::Result(long) = result(&task, worker) else { unreachable!("it is a result") };
            coordinator.handle_input(NOW, &Input::Result(WorkerResult { observed: Ok(text), ..long }));
        }
        while coordinator.poll_output().is_some() {}
    }
    let kept = bytes_in_use() - idle;
    println!("{} outcomes are remembered in {kept} bytes", coordinator.remembered());
    let most = Config::default().max_remembered_bytes;
    assert!(coordinator.remembered() > 0 && kept < most + most / 4, "{kept} bytes, where {most} may be kept");
}

#[test]
fn a_result_costs_about_the_same_however_many_requests_are_in_flight() {
    const ROUNDS: usize = 8;
    const RESULTS: usize = 100;
    let _alone = alone();
    let cost = |in_flight: usize| {
        let mut coordinator = coordinator(ROUNDS + 1);
        let tasks: Vec<Task> = (0..in_flight).map(|ticket| submit(&mut coordinator, ticket)).collect();
        let rounds = (0..ROUNDS).map(|round| {
            // Each round gives other requests their first result, spread over all of them if there are enough.
            let step = (in_flight / RESULTS).max(1);
            let worker = if in_flight > RESULTS { 0 } else { round };
            let offset = if in_flight > RESULTS { round } else { 0 };
            let inputs: Vec<Input> = (0..RESULTS).map(|index| result(&tasks[index * step + offset], worker)).collect();
            let begin = Instant::now();
            for input in inputs {
                coordinator.handle_input(NOW, &input);
            }
            begin.elapsed()
        });
        let best = rounds.min().expect("a round");
        assert_eq!(coordinator.counters().results_accepted, (ROUNDS * RESULTS) as u64);
        best
    };
    let (few, many) = (cost(RESULTS), cost(REQUESTS));
    println!("{RESULTS} results: {few:?} with {RESULTS} in flight, {many:?} with {REQUESTS}");
    // Larger tables miss more caches, and more of them beside busy neighbours; a cost that grew with their size would
    // grow a thousandfold.
    assert!(many < few * 100 + Duration::from_millis(1), "{few:?} with {RESULTS} in flight, {many:?} with {REQUESTS}");
}

#[test]
fn a_worker_that_comes_and_goes_costs_the_same_however_many_requests_are_in_flight() {
    const PAIRS: usize = 1000;
    let _alone = alone();
    let cost = |in_flight: usize| {
        let mut coordinator = coordinator(3);
        for ticket in 0..in_flight {
            submit(&mut coordinator, ticket);
        }
        let says = |state| {
            let presence = Presence::new(worker(7777), "".into(), state);
            Input::Presence(presence)
        };
        let begin = Instant::now();
        for _ in 0..PAIRS {
            coordinator.handle_input(NOW, &says(PresenceState::Live));
            coordinator.handle_input(NOW, &says(PresenceState::Left));
        }
        begin.elapsed() / PAIRS as u32
    };
    let (few, many) = (cost(1), cost(10_000));
    println!("a pair of live and left: {few:?} with 1 in flight, {many:?} with 10000");
    assert!(many < few * 10 + Duration::from_micros(20), "{few:?} with 1 in flight, {many:?} with 10000");
}
