//! Arbitrary inputs at arbitrary times, the absurd ones included: whatever happens, the promises hold.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use proptest::prelude::*;
use proptest::test_runner::TestRunner;
use quorate_core::Coordinator;
use quorate_core::aggregate::Strategy as Aggregation;
use quorate_core::coordinator::{
    Config, Input, Output, Presence, PresenceState, Score, Submit, Task, Undelivered, UndeliveredCause, WorkerResult,
};
use quorate_core::id::{RequestId, TaskId, Ticket, WorkerId};
use quorate_core::outcome::{Cause, Outcome};
use quorate_core::policy::Overrides;
use quorate_core::query::Query;
use quorate_core::time::Timestamp;
use quorate_core::value::Value;
use rust_decimal::Decimal;

/// One step; what it refers to is chosen among what there is by then.
#[derive(Clone, Debug)]
enum Step {
    Submit { id: Option<u8>, query: u8, overrides: Overrides },
    Cancel { ticket: u8 },
    Result { worker: u8, task: u8, subject: Subject, observed: Result<Value, ()> },
    Unknown { worker: u8 },
    Undelivered { task: u8, cause: UndeliveredCause },
    Presence { worker: u8, state: PresenceState, replicated: bool },
    BusUp,
    BusDown,
    Drain,
    Idle,
}

#[derive(Clone, Copy, Debug)]
enum Subject {
    Own,
    Shared,
    Other,
}

/// How the clock moves before a step.
#[derive(Clone, Copy, Debug)]
enum Clock {
    /// By so much, and the machine is woken whenever it asks for it.
    Wait(Duration),
    /// Back by so much, for this step only.
    Back(Duration),
    /// The origin, for this step only.
    Zero,
}

fn overrides() -> impl Strategy<Value = Overrides> {
    let deviation = prop::option::weighted(0.6, (0_i64..6).prop_map(|tenths| Decimal::new(tenths, 1)));
    let strategy = prop::option::of(prop::sample::select(Aggregation::ALL.to_vec()));
    let quorum = prop::option::weighted(0.2, 1_u32..4);
    let timeout = prop::option::of((0_u64..30).prop_map(|it| Duration::from_millis(it * 50)));
    (strategy, deviation, prop::option::weighted(0.2, 0_u32..4), quorum, timeout).prop_map(
        |(strategy, max_deviation, min_responses, quorum, timeout)| Overrides {
            strategy,
            precision: None,
            max_deviation,
            min_responses,
            quorum,
            timeout,
        },
    )
}

fn observed() -> impl Strategy<Value = Result<Value, ()>> {
    prop_oneof![
        6 => (0_i64..5).prop_map(|number| Ok(Value::Number(number.into()))),
        1 => prop::sample::select(vec![Decimal::MAX, Decimal::MIN, Decimal::new(1, 28)]).prop_map(|n| Ok(n.into())),
        1 => Just(Ok(Value::text("red").expect("a text"))),
        2 => Just(Err(())),
    ]
}

fn step() -> impl Strategy<Value = Step> {
    use PresenceState::{Draining, Left, Live};
    use UndeliveredCause::{Disconnected, NoResponders, QueueFull};
    let subject = prop_oneof![6 => Just(Subject::Own), 2 => Just(Subject::Shared), 1 => Just(Subject::Other)];
    prop_oneof![
        8 => (prop::option::of(0_u8..4), 0_u8..2, overrides())
            .prop_map(|(id, query, overrides)| Step::Submit { id, query, overrides }),
        2 => any::<u8>().prop_map(|ticket| Step::Cancel { ticket }),
        20 => (0_u8..6, any::<u8>(), subject, observed())
            .prop_map(|(worker, task, subject, observed)| Step::Result { worker, task, subject, observed }),
        1 => (0_u8..6).prop_map(|worker| Step::Unknown { worker }),
        2 => (any::<u8>(), prop::sample::select(vec![NoResponders, Disconnected, QueueFull]))
            .prop_map(|(task, cause)| Step::Undelivered { task, cause }),
        6 => (0_u8..6, prop::sample::select(vec![Live, Live, Live, Draining, Left]), any::<bool>())
            .prop_map(|(worker, state, replicated)| Step::Presence { worker, state, replicated }),
        4 => Just(Step::BusUp),
        1 => Just(Step::BusDown),
        1 => prop_oneof![19 => Just(Step::Idle), 1 => Just(Step::Drain)],
        3 => Just(Step::Idle),
    ]
}

fn clock() -> impl Strategy<Value = Clock> {
    prop_oneof![
        16 => Just(Clock::Wait(Duration::ZERO)),
        6 => (0_u64..200).prop_map(|millis| Clock::Wait(Duration::from_millis(millis))),
        2 => (0_u64..20).prop_map(|hundreds| Clock::Wait(Duration::from_millis(hundreds * 100))),
        1 => (0_u64..10_000).prop_map(|millis| Clock::Wait(Duration::from_millis(millis))),
        1 => any::<u32>().prop_map(|nanos| Clock::Back(Duration::from_nanos(nanos.into()))),
        1 => Just(Clock::Zero),
    ]
}

fn config() -> impl Strategy<Value = Config> {
    let small = (1_usize..6, 1_usize..4, 0_usize..6, 2_u32..8);
    let waits = (0_u64..3000, 0_u64..500, 0_u32..1200, 0_u64..5000);
    let admitted = prop::option::weighted(0.2, prop::collection::btree_set(0_u8..6, 2..6));
    (small, waits, admitted, prop::option::weighted(0.3, 0_u32..=1_000_000)).prop_map(
        |(small, waits, admitted, cordon)| {
            let mut config = Config {
                max_in_flight: small.0,
                max_waiting: small.1,
                max_remembered: small.2,
                presence: Duration::from_millis(waits.0),
                stall: Duration::from_millis(waits.1),
                redispatch_permille: waits.2,
                remember: Duration::from_millis(waits.3),
                admitted: admitted.map(|names| names.into_iter().map(worker).collect()),
                cordon_below: cordon.map(Score::from_millionths),
                ..Config::default()
            };
            config.limits.max_workers = small.3;
            config.policy.timeout = Duration::from_secs(1);
            config
        },
    )
}

fn worker(index: u8) -> WorkerId {
    WorkerId::new(&format!("w{index}")).expect("a worker id")
}

/// What was asked under one task: its request, its deadline, and every result fed for it in time.
struct Asked {
    request: RequestId,
    query: Query,
    since: Timestamp,
    deadline: Timestamp,
    fed: Vec<WorkerResult>,
}

/// The machine, and a record of what went in and came out. The checks look at nothing else.
struct Run {
    coordinator: Coordinator,
    config: Config,
    now: Timestamp,
    inputs: Vec<(Timestamp, Option<Input>)>,
    outputs: Vec<Output>,
    tasks: Vec<Task>,
    asked: BTreeMap<TaskId, Asked>,
    waiting: BTreeSet<Ticket>,
    ended: BTreeSet<Ticket>,
    results: u64,
    announcements: u64,
    drained: u64,
}

impl Run {
    fn new(config: Config, seed: u64) -> Self {
        Self {
            coordinator: Coordinator::new(config.clone(), seed),
            config,
            now: Timestamp::ZERO,
            inputs: Vec::new(),
            outputs: Vec::new(),
            tasks: Vec::new(),
            asked: BTreeMap::new(),
            waiting: BTreeSet::new(),
            ended: BTreeSet::new(),
            results: 0,
            announcements: 0,
            drained: 0,
        }
    }

    fn wake(&mut self, at: Timestamp) {
        self.inputs.push((at, None));
        self.coordinator.handle_timeout(at);
        self.now = self.now.max(at);
        self.drain_outputs(None);
        assert!(self.coordinator.poll_timeout().is_none_or(|next| next > self.now), "it wants to be woken in the past");
    }

    fn advance(&mut self, until: Timestamp) {
        while let Some(wake) = self.coordinator.poll_timeout().filter(|wake| *wake <= until) {
            self.wake(wake.max(self.now));
        }
        self.wake(until);
    }

    fn feed(&mut self, at: Timestamp, input: &Input) {
        self.inputs.push((at, Some(input.clone())));
        self.coordinator.handle_input(at, input.clone());
        self.now = self.now.max(at);
        self.drain_outputs(Some(input));
        assert!(self.coordinator.in_flight() <= self.config.max_in_flight);
        assert!(self.coordinator.remembered() <= self.config.max_remembered);
        assert!(self.coordinator.workers().count() <= self.config.limits.max_workers as usize);
    }

    fn drain_outputs(&mut self, input: Option<&Input>) {
        while let Some(output) = self.coordinator.poll_output() {
            self.outputs.push(output.clone());
            match output {
                Output::Publish(task) => self.published(task, input),
                Output::Answer { ticket, reply } => {
                    assert!(self.waiting.remove(&ticket), "{ticket:?} does not wait for an answer");
                    self.ended.insert(ticket);
                    if let Ok(outcome) = reply {
                        let replayed = matches!(input, Some(Input::Submit(submit)) if submit.ticket == ticket);
                        self.answered(&outcome, replayed);
                    }
                }
                Output::Drained => {
                    assert_eq!(self.coordinator.in_flight(), 0);
                    self.drained += 1;
                    assert_eq!(self.drained, 1, "drained twice");
                }
            }
        }
    }

    fn published(&mut self, task: Task, input: Option<&Input>) {
        let deadline = self.now.after(task.ttl);
        if task.attempt == 1 {
            assert!(matches!(input, Some(Input::Submit(_))));
            let asked = Asked {
                request: task.request.clone(),
                query: task.query.clone(),
                since: self.now,
                deadline,
                fed: Vec::new(),
            };
            assert!(self.asked.insert(task.id, asked).is_none(), "a task id is used again");
            self.tasks.push(task);
        } else {
            assert_eq!(task.attempt, 2);
            assert_eq!(self.asked[&task.id].deadline, deadline, "a second asking has the first one's deadline");
        }
    }

    /// An outcome is on time, and made of nothing but what was fed.
    fn answered(&self, outcome: &Outcome, replayed: bool) {
        let matching = |asked: &&Asked| asked.request == outcome.request && asked.query == outcome.query;
        let asked = self.asked.values().filter(matching);
        let supported = asked.clone().any(|asked| {
            let on_time = replayed
                || (self.now <= asked.deadline
                    && outcome.elapsed == self.now.since(asked.since)
                    && (outcome.cause == Cause::DeadlinePassed) == (self.now == asked.deadline));
            on_time
                && outcome.observations.iter().all(|observation| {
                    let fed = |fed: &WorkerResult| {
                        let what = (&fed.worker, &fed.observed, fed.response_time);
                        what == (&observation.worker, &observation.observed, observation.response_time)
                    };
                    asked.fed.iter().any(fed)
                })
        });
        assert!(supported, "late or invented: {outcome:?}");
        let names: Vec<_> = outcome.observations.iter().map(|observation| &observation.worker).collect();
        assert!(names.is_sorted_by(|a, b| a < b), "one observation per worker, in order");
        assert!(outcome.missing.iter().all(|missing| !names.contains(&missing)));
    }

    fn take(&mut self, clock: Clock, step: Step) {
        let at = match clock {
            Clock::Wait(wait) => {
                self.advance(self.now.after(wait));
                self.now
            }
            Clock::Back(back) => Timestamp::from_nanos(self.now.as_nanos().saturating_sub(back.as_nanos() as u64)),
            Clock::Zero => Timestamp::ZERO,
        };
        // Mostly what is in flight, sometimes what has ended.
        let pick = |index: u8| {
            let recent = if index < 24 { self.tasks.len() } else { self.tasks.len().min(4) };
            self.tasks.iter().rev().take(recent).nth(index as usize % recent.max(1)).cloned()
        };
        let input = match step {
            Step::Idle => return,
            Step::Submit { id, query, overrides } => {
                let ticket = Ticket((self.waiting.len() + self.ended.len()) as u64);
                let id = id.map(|id| RequestId::new(&format!("r{id}")).expect("a request id"));
                let query = Query::new(["BTC/USD", "ETH/USD"][query as usize]).expect("a query");
                let submit = Submit { ticket, id, query, overrides };
                self.waiting.insert(ticket);
                Input::Submit(submit)
            }
            Step::Cancel { ticket } => {
                let tickets = (self.waiting.len() + self.ended.len()).max(1) as u64;
                let ticket = Ticket(u64::from(ticket) % tickets);
                if self.waiting.remove(&ticket) {
                    self.ended.insert(ticket);
                }
                Input::Cancel(ticket)
            }
            Step::Result { worker, task, subject, observed } => {
                let Some(task) = pick(task) else { return };
                let other = TaskId(task.id.0 ^ (1 << 40));
                let on = match subject {
                    Subject::Own => Some(task.id),
                    Subject::Shared => None,
                    Subject::Other => Some(other),
                };
                let result = WorkerResult {
                    worker: self::worker(worker),
                    request: task.request,
                    task: on,
                    observed: observed.map_err(|()| "no price".into()),
                    response_time: Duration::from_nanos(self.results),
                };
                for (id, asked) in &mut self.asked {
                    let fits = asked.request == result.request && result.task.is_none_or(|task| task == *id);
                    if fits && self.now < asked.deadline {
                        asked.fed.push(result.clone());
                    }
                }
                self.results += 1;
                Input::Result(result)
            }
            Step::Unknown { worker } => {
                self.results += 1;
                Input::Result(WorkerResult {
                    worker: self::worker(worker),
                    request: RequestId::new("never asked").expect("a request id"),
                    task: None,
                    observed: Err("x".into()),
                    response_time: Duration::MAX,
                })
            }
            Step::Undelivered { task, cause } => {
                let Some(task) = pick(task) else { return };
                Input::Undelivered(Undelivered { task: task.id, cause })
            }
            Step::Presence { worker, state, replicated } => {
                self.announcements += 1;
                Input::Presence(Presence { worker: self::worker(worker), instance: "".into(), state, replicated })
            }
            Step::BusUp => Input::BusUp,
            Step::BusDown => Input::BusDown,
            Step::Drain => Input::Drain,
        };
        self.feed(at, &input);
    }

    /// Everything ends by itself.
    fn finish(&mut self) {
        self.advance(self.now.after(Duration::from_hours(1)));
        assert_eq!((self.coordinator.in_flight(), self.coordinator.remembered()), (0, 0));
        assert!(self.waiting.is_empty(), "never answered: {:?}", self.waiting);
        assert_eq!(self.coordinator.poll_timeout(), None);
        assert_eq!(self.coordinator.live_workers(), 0);

        let counters = self.coordinator.counters();
        let dropped = counters.results_late
            + counters.results_duplicate
            + counters.results_equivocal
            + counters.results_unknown
            + counters.results_misdirected;
        let unadmitted = self.results - dropped - counters.results_accepted;
        assert!((unadmitted..=unadmitted + self.announcements).contains(&counters.workers_not_admitted));
        let ended = counters
            .iter()
            .filter(|(name, _)| name.starts_with("answered_") || name.starts_with("failed_") || *name == "cancelled");
        assert_eq!(ended.map(|(_, count)| count).sum::<u64>(), counters.requests_accepted);
        let came = counters.iter().filter(|(name, _)| name.starts_with("refused_") || name.starts_with("requests_"));
        assert_eq!(came.map(|(_, count)| count).sum::<u64>(), self.ended.len() as u64);
        assert_eq!(self.drained, u64::from(self.coordinator.is_draining()));
    }
}

#[test]
fn whatever_happens_the_promises_hold() {
    let mut reached: BTreeMap<&'static str, u64> = BTreeMap::new();
    let reached_cell = RefCell::new(&mut reached);
    let mut runner = TestRunner::new(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(400) });
    let steps = prop::collection::vec((clock(), step()), 0..120);
    let checked = runner.run(&(config(), any::<u64>(), steps), |(config, seed, steps)| {
        let mut run = Run::new(config.clone(), seed);
        run.feed(Timestamp::ZERO, &Input::BusUp);
        for (clock, step) in steps {
            run.take(clock, step);
        }
        run.finish();
        for (name, count) in run.coordinator.counters().iter() {
            *reached_cell.borrow_mut().entry(name).or_default() += count;
        }

        let mut again = Coordinator::new(config, seed);
        let mut outputs = Vec::new();
        for (at, input) in run.inputs {
            match input {
                Some(input) => again.handle_input(at, input),
                None => again.handle_timeout(at),
            }
            outputs.extend(std::iter::from_fn(|| again.poll_output()));
        }
        prop_assert!(outputs == run.outputs, "a recording must replay to the same outputs");
        Ok(())
    });
    checked.unwrap_or_else(|failure| panic!("{failure}"));
    println!("{reached:?}");
    let unreached: Vec<_> = reached.iter().filter(|(_, count)| **count == 0).collect();
    assert!(unreached.is_empty(), "the inputs never led to {unreached:?}");
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(300) })]

    #[test]
    fn no_time_is_too_absurd(
        seed in any::<u64>(), steps in prop::collection::vec((any::<u64>(), step()), 0..60),
    ) {
        let mut run = Run::new(Config::default(), seed);
        run.coordinator.handle_input(Timestamp::ZERO, Input::BusUp);
        let mut tickets = 0;
        let mut answered = BTreeSet::new();
        for (at, step) in steps {
            let at = Timestamp::from_nanos(if at % 5 == 0 { at } else { at % 3_000_000_000 });
            match step {
                Step::Submit { overrides, query, .. } => {
                    let query = Query::new(["BTC/USD", "ETH/USD"][query as usize]).expect("a query");
                    let submit = Submit { ticket: Ticket(tickets), id: None, query, overrides };
                    tickets += 1;
                    run.coordinator.handle_input(at, Input::Submit(submit));
                }
                Step::Presence { worker, state, replicated } => {
                    let worker = self::worker(worker);
                    run.coordinator.handle_input(at, Input::Presence(Presence { worker, instance: "".into(), state, replicated }));
                }
                Step::BusUp => run.coordinator.handle_input(at, Input::BusUp),
                Step::BusDown => run.coordinator.handle_input(at, Input::BusDown),
                _ => run.coordinator.handle_timeout(at),
            }
            while let Some(output) = run.coordinator.poll_output() {
                if let Output::Answer { ticket, .. } = output {
                    prop_assert!(answered.insert(ticket), "{:?} is answered twice", ticket);
                }
            }
        }
        run.coordinator.handle_timeout(Timestamp::MAX);
        while let Some(output) = run.coordinator.poll_output() {
            if let Output::Answer { ticket, .. } = output {
                prop_assert!(answered.insert(ticket), "{:?} is answered twice", ticket);
            }
        }
        prop_assert_eq!(answered.len() as u64, tickets);
        prop_assert_eq!((run.coordinator.in_flight(), run.coordinator.poll_timeout()), (0, None));
    }
}
