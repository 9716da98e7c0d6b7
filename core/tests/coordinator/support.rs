//! A coordinator, a clock that only the test moves, and everything that the coordinator has output so far.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use quorate_core::Coordinator;
use quorate_core::aggregate::Rule;
use quorate_core::coordinator::{
    Config, Counters, Event, Expected, Input, Output, Presence, PresenceState, QueryPolicy, Refusal, Score, Submit,
    Task, Undelivered, UndeliveredCause, WorkerRecord, WorkerResult,
};
use quorate_core::id::{RequestId, Ticket, WorkerId};
use quorate_core::outcome::Outcome;
use quorate_core::pattern::Pattern;
use quorate_core::policy::{Overrides, Policy};
use quorate_core::query::Query;
use quorate_core::time::Timestamp;
use quorate_core::trace::Trace;
use quorate_core::value::Value;

/// A policy of some queries, for which nobody in particular should be there.
pub(crate) fn of_queries(pattern: &str, policy: Policy) -> Arc<QueryPolicy> {
    Arc::new(QueryPolicy { pattern: Pattern::new(pattern), policy, expected: Expected::default() })
}

pub(crate) type Reply = Result<Arc<Outcome>, Refusal>;

/// The timeout of requests that set none.
pub(crate) const TIMEOUT_MS: u64 = 1000;

pub(crate) struct Harness {
    pub(crate) coordinator: Coordinator,
    now: Timestamp,
    tickets: u64,
    tasks: VecDeque<Task>,
    answers: BTreeMap<Ticket, (Timestamp, Reply)>,
    ended: Vec<Arc<Outcome>>,
    drained: usize,
    calls: usize,
    events: Vec<Event>,
}

impl Harness {
    /// A coordinator on a connected bus, at time zero.
    pub(crate) fn new() -> Self {
        Self::with(|_| {})
    }

    pub(crate) fn with(change: impl FnOnce(&mut Config)) -> Self {
        let mut harness = Self::disconnected(change);
        harness.input(&Input::BusUp);
        harness
    }

    /// A coordinator without a bus.
    pub(crate) fn disconnected(change: impl FnOnce(&mut Config)) -> Self {
        let mut config = Config::default();
        config.policy.timeout = Duration::from_millis(TIMEOUT_MS);
        // Tests may use any values: none is excluded, and no answer is disputed.
        config.policy.rule = Rule::default();
        change(&mut config);
        Self {
            coordinator: Coordinator::new(config, 7),
            now: Timestamp::ZERO,
            tickets: 0,
            tasks: VecDeque::new(),
            answers: BTreeMap::new(),
            ended: Vec::new(),
            drained: 0,
            calls: 0,
            events: Vec::new(),
        }
    }

    /// Moves the clock to `at`, waking the coordinator at each of its timeouts on the way.
    pub(crate) fn at(&mut self, at: Timestamp) {
        while let Some(wake) = self.coordinator.poll_timeout().filter(|wake| *wake <= at) {
            assert!(wake >= self.now, "a timeout in the past: {wake:?} at {:?}", self.now);
            self.now = wake;
            self.coordinator.handle_timeout(wake);
            self.drain_outputs();
        }
        self.now = at;
        self.coordinator.handle_timeout(at);
        self.drain_outputs();
    }

    /// Moves the clock, and wakes the coordinator only at the end.
    pub(crate) fn wakes_late_ms(&mut self, millis: u64) {
        self.now = Timestamp::from_millis(millis);
        self.coordinator.handle_timeout(self.now);
        self.drain_outputs();
    }

    pub(crate) fn now(&self) -> Timestamp {
        self.now
    }

    /// Takes a task that was published. Returns whether there was one.
    pub(crate) fn has_task(&mut self) -> bool {
        self.tasks.pop_front().is_some()
    }

    pub(crate) fn at_ms(&mut self, millis: u64) {
        self.at(Timestamp::from_millis(millis));
    }

    /// Feeds an input at the present time.
    pub(crate) fn input(&mut self, input: &Input) {
        self.coordinator.handle_input(self.now, input);
        self.drain_outputs();
    }

    fn drain_outputs(&mut self) {
        while let Some(output) = self.coordinator.poll_output() {
            match output {
                Output::Publish(task) => self.tasks.push_back(task),
                Output::Ended(outcome) => self.ended.push(outcome),
                Output::Answer { ticket, reply } => {
                    let before = self.answers.insert(ticket, (self.now, reply));
                    assert!(before.is_none(), "{ticket:?} is answered a second time");
                }
                Output::CallWorkers => self.calls += 1,
                Output::Drained => self.drained += 1,
                Output::Event(event) => self.events.push(event),
            }
        }
    }

    pub(crate) fn presence(&mut self, name: &str, state: PresenceState) {
        self.announces_as(name, "", state);
    }

    /// One of the processes behind a worker's name announces itself.
    pub(crate) fn announces_as(&mut self, name: &str, instance: &str, state: PresenceState) {
        self.input(&Input::Presence(Presence::new(worker(name), instance.into(), state)));
    }

    /// Announces workers as live.
    pub(crate) fn live(&mut self, names: &[&str]) {
        for name in names {
            self.presence(name, PresenceState::Live);
        }
    }

    pub(crate) fn submit_with(&mut self, id: Option<&str>, query: &str, overrides: Overrides) -> Ticket {
        self.submit_marked(id, query, overrides, None)
    }

    pub(crate) fn submit_marked(
        &mut self,
        id: Option<&str>,
        query: &str,
        overrides: Overrides,
        trace: Option<Trace>,
    ) -> Ticket {
        let ticket = Ticket(self.tickets);
        self.tickets += 1;
        let query = Query::new(query).expect("a query");
        self.input(&Input::Submit(Submit { ticket, id: id.map(request), query, overrides, trace }));
        ticket
    }

    pub(crate) fn submit(&mut self, id: &str, query: &str) -> Ticket {
        self.submit_with(Some(id), query, Overrides::default())
    }

    /// Submits under a drawn id, and returns the task that is published.
    pub(crate) fn ask_with(&mut self, overrides: Overrides) -> (Ticket, Task) {
        let ticket = self.submit_with(None, "BTC/USD", overrides);
        (ticket, self.task())
    }

    pub(crate) fn ask(&mut self) -> (Ticket, Task) {
        self.ask_with(Overrides::default())
    }

    /// The only task that is published and not yet taken.
    pub(crate) fn task(&mut self) -> Task {
        let task = self.tasks.pop_front().expect("a task is published");
        self.no_task();
        task
    }

    /// Asserts that no task is published that is not yet taken.
    pub(crate) fn no_task(&self) {
        assert!(self.tasks.is_empty(), "published: {:?}", self.tasks);
    }

    pub(crate) fn result(&mut self, task: &Task, name: &str, observed: Result<&str, &str>) {
        self.input(&Input::Result(result(task, name, observed)));
    }

    /// A worker's value arrives.
    pub(crate) fn says(&mut self, task: &Task, name: &str, value: &str) {
        self.result(task, name, Ok(value));
    }

    /// A worker's failure arrives.
    pub(crate) fn fails(&mut self, task: &Task, name: &str) {
        self.result(task, name, Err("no price"));
    }

    /// The worker has no room for the task.
    pub(crate) fn refuses(&mut self, task: &Task, name: &str) {
        let refusal = WorkerResult { overloaded: true, ..result(task, name, Err("no room")) };
        self.input(&Input::Result(refusal));
    }

    pub(crate) fn undelivered(&mut self, task: &Task, cause: UndeliveredCause) {
        self.input(&Input::Undelivered(Undelivered { task: task.id, cause }));
    }

    pub(crate) fn reply(&self, ticket: Ticket) -> Option<&Reply> {
        self.answers.get(&ticket).map(|(_, reply)| reply)
    }

    pub(crate) fn waits(&self, ticket: Ticket) -> bool {
        self.reply(ticket).is_none()
    }

    pub(crate) fn answered_at(&self, ticket: Ticket) -> Timestamp {
        self.answers.get(&ticket).expect("an answer").0
    }

    pub(crate) fn outcome(&self, ticket: Ticket) -> Arc<Outcome> {
        Arc::clone(self.reply(ticket).expect("an answer").as_ref().expect("an outcome and no refusal"))
    }

    /// The answer's value as text.
    pub(crate) fn value(&self, ticket: Ticket) -> String {
        self.outcome(ticket).verdict.as_ref().expect("an answer and no failure").value.to_string()
    }

    pub(crate) fn refusal(&self, ticket: Ticket) -> Refusal {
        *self.reply(ticket).expect("an answer").as_ref().expect_err("a refusal and no outcome")
    }

    pub(crate) fn counters(&self) -> Counters {
        *self.coordinator.counters()
    }

    pub(crate) fn worker(&self, name: &str) -> &WorkerRecord {
        self.coordinator.worker(&worker(name)).unwrap_or_else(|| panic!("{name} is not known"))
    }

    pub(crate) fn score(&self, name: &str) -> Score {
        self.worker(name).reliability.score
    }

    pub(crate) fn knows(&self, name: &str) -> bool {
        self.coordinator.worker(&worker(name)).is_some()
    }

    /// The outcomes that followers were told.
    pub(crate) fn ended(&self) -> &[Arc<Outcome>] {
        &self.ended
    }

    /// How often the workers were pinged.
    pub(crate) fn calls(&self) -> usize {
        self.calls
    }

    /// The events since the last call.
    pub(crate) fn events(&mut self) -> Vec<Event> {
        std::mem::take(&mut self.events)
    }

    pub(crate) fn drained(&self) -> usize {
        self.drained
    }
}

pub(crate) fn worker(name: &str) -> WorkerId {
    WorkerId::new(name).expect("a worker id")
}

pub(crate) fn request(id: &str) -> RequestId {
    RequestId::new(id).expect("a request id")
}

/// A result on the reply subject of `task`. A value that is not a number is sent as a text.
pub(crate) fn result(task: &Task, name: &str, observed: Result<&str, &str>) -> WorkerResult {
    let value = |value| Value::number(value).unwrap_or_else(|_| Value::text(value).expect("a value"));
    let result = WorkerResult::new(worker(name), task.request.clone(), observed.map(value).map_err(Into::into));
    WorkerResult { task: Some(task.id), response_time: Duration::from_millis(1), ..result }
}

/// The workers of an outcome's observations, as one text.
pub(crate) fn observers(outcome: &Outcome) -> String {
    outcome.observations.iter().map(|observation| observation.worker.as_str()).collect::<Vec<_>>().join(" ")
}

/// The workers that did not answer, as one text.
pub(crate) fn missing(outcome: &Outcome) -> String {
    outcome.missing.iter().map(WorkerId::as_str).collect::<Vec<_>>().join(" ")
}
