//! One request from its submission to its answer, while many others are in flight.
#![allow(missing_docs)]

use std::time::Duration;

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use quorate_core::Coordinator;
use quorate_core::aggregate::{Millionths, Strategy};
use quorate_core::coordinator::{Config, Input, Output, Presence, PresenceState, Submit, Task, WorkerResult};
use quorate_core::id::{Ticket, WorkerId};
use quorate_core::policy::{Limits, OnDispute, Overrides};
use quorate_core::query::Query;
use quorate_core::time::Timestamp;
use quorate_core::value::Value;
use rust_decimal::Decimal;

const WORKERS: [usize; 3] = [3, 7, 31];
const IN_FLIGHT: [usize; 3] = [1, 1_000, 100_000];

/// A coordinator at work. Time advances by a microsecond with every request, as it does under load.
struct Bench {
    coordinator: Coordinator,
    workers: Vec<WorkerId>,
    query: Query,
    now: Timestamp,
    tickets: u64,
}

impl Bench {
    fn new(workers: usize) -> Self {
        let config = Config {
            max_in_flight: 200_000,
            max_in_flight_bytes: usize::MAX,
            presence: Duration::from_hours(10_000),
            limits: Limits { max_timeout: Duration::from_hours(20_000), ..Limits::default() },
            ..Config::default()
        };
        let workers: Vec<WorkerId> =
            (0..workers).map(|index| WorkerId::new(&format!("worker-{index:02}")).expect("an id")).collect();
        let mut coordinator = Coordinator::new(config, 7);
        coordinator.handle_input(Timestamp::ZERO, &Input::BusUp);
        assert_eq!(coordinator.poll_output(), Some(Output::CallWorkers));
        for worker in workers.iter().cloned() {
            let presence = Presence::new(worker, "".into(), PresenceState::Live);
            coordinator.handle_input(Timestamp::ZERO, &Input::Presence(presence));
        }
        let query = Query::new("BTC/USD").expect("a query");
        Self { coordinator, workers, query, now: Timestamp::ZERO, tickets: 0 }
    }

    fn submit(&mut self, timeout: Option<Duration>) -> Task {
        self.tickets += 1;
        let overrides = Overrides { timeout, ..Overrides::default() };
        let submit =
            Submit { ticket: Ticket(self.tickets), id: None, query: self.query.clone(), overrides, trace: None };
        self.coordinator.handle_input(self.now, &Input::Submit(submit));
        let Some(Output::Publish(task)) = self.coordinator.poll_output() else { panic!("the request is asked") };
        task
    }

    /// One request, answered by all workers, which never agree well enough for its quorum of half of them.
    fn disputed(&mut self, odd: &Value, even: &Value) {
        self.now = self.now.after(Duration::from_micros(1));
        let overrides = Overrides {
            strategy: Some(Strategy::Median),
            quorum: u32::try_from(self.workers.len() / 2).ok(),
            min_agreement: Some(Millionths::ONE),
            on_dispute: Some(OnDispute::Reject),
            ..Overrides::default()
        };
        self.tickets += 1;
        let (ticket, query) = (Ticket(self.tickets), self.query.clone());
        let submit = Submit { ticket, id: None, query, overrides, trace: None };
        self.coordinator.handle_input(self.now, &Input::Submit(submit));
        let Some(Output::Publish(task)) = self.coordinator.poll_output() else { panic!("the request is asked") };
        for (place, worker) in self.workers.iter().enumerate() {
            let observed = Ok(if place % 2 == 0 { even } else { odd }.clone());
            let result = WorkerResult::new(worker.clone(), task.request.clone(), observed);
            let result = WorkerResult { task: Some(task.id), ..result };
            self.coordinator.handle_input(self.now, &Input::Result(result));
        }
        while self.coordinator.poll_output().is_some() {}
    }

    /// One request, answered by all workers.
    fn request(&mut self) {
        self.now = self.now.after(Duration::from_micros(1));
        let task = self.submit(None);
        for (price, worker) in (4_200_000..).zip(&self.workers) {
            let observed = Ok(Value::Number(Decimal::new(price, 2)));
            let result = WorkerResult::new(worker.clone(), task.request.clone(), observed);
            let result = WorkerResult { task: Some(task.id), ..result };
            self.coordinator.handle_input(self.now, &Input::Result(result));
        }
        assert!(matches!(self.coordinator.poll_output(), Some(Output::Ended(_))), "it ends");
        let Some(Output::Answer { reply, .. }) = self.coordinator.poll_output() else { panic!("it is answered") };
        assert!(reply.is_ok_and(|outcome| outcome.verdict.is_ok()));
    }
}

fn submit_to_answer(c: &mut Criterion) {
    let mut group = c.benchmark_group("submit to answer");
    group.throughput(Throughput::Elements(1));
    for workers in WORKERS {
        for in_flight in IN_FLIGHT {
            let mut bench = Bench::new(workers);
            // The measured request is in flight, too.
            for _ in 1..in_flight {
                bench.submit(Some(Duration::from_hours(10_000)));
            }
            let id = BenchmarkId::new(format!("{workers} workers"), format!("{in_flight} in flight"));
            group.bench_function(id, |bencher| bencher.iter(|| bench.request()));
        }
    }
}

/// The cost of judging in vain: a quorum gives no answer before all workers have answered.
fn disputed_quorum(c: &mut Criterion) {
    let mut group = c.benchmark_group("disputed quorum of 1000 workers");
    let spelled = |text: &str| Value::text(&format!("{text}.{}", "0".repeat(4000))).expect("short enough");
    let number = |text: &str| Value::number(text).expect("a number");
    for (name, odd, even) in [("numbers", number("1"), number("2")), ("texts of 4 kB", spelled("1"), spelled("2"))] {
        let mut bench = Bench::new(1000);
        group.bench_function(name, |bencher| bencher.iter(|| bench.disputed(&odd, &even)));
    }
}

criterion_group! {
    name = benches;
    config = Criterion::default().measurement_time(Duration::from_secs(2)).warm_up_time(Duration::from_secs(1));
    targets = submit_to_answer, disputed_quorum
}
criterion_main!(benches);
