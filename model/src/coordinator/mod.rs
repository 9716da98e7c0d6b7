//! What a coordinator must do.

mod end;
mod inputs;
mod memory;
mod record;
mod request;
mod silence;
mod submit;
mod verdict;
mod workers;

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use quorate_core::Coordinator;
use quorate_core::coordinator::{Config, Counters, Event, Input, Output, Task};
use quorate_core::id::{RequestId, TaskId};
use quorate_core::outcome::Cause;
use quorate_core::pattern::Pattern;
use quorate_core::time::{Timestamp, UnixTime};
use quorate_core::value::Value;

use super::Divergence;
use memory::Memory;
use request::Request;
use workers::Workers;

/// What the machine must put out next.
#[derive(Debug)]
enum Expected {
    Exactly(Output),
    /// The first dispatch of a request, and whether its task may be packed. The machine chooses the task id, and the
    /// request id if the caller gave none.
    FirstDispatch(Box<Request>, Option<RequestId>, bool),
}

/// The model of a [`Coordinator`].
#[derive(Debug)]
pub struct CoordinatorModel {
    config: Config,
    now: Timestamp,
    /// When the time of day was last told, and what it was.
    wall: (Timestamp, UnixTime),
    /// When the workers were last called, and when they are to be called again.
    called_at: Option<Timestamp>,
    calls_at: Option<Timestamp>,
    /// When a task last had to go out alone.
    alone_at: Option<Timestamp>,
    bus_up: bool,
    /// When the bus last went down, if ever.
    bus_down_at: Option<Timestamp>,
    /// When the machine last found a request overdue by more than `max_lag`, which shows that it was paused.
    slept_until: Option<Timestamp>,
    draining: bool,
    flight: BTreeMap<RequestId, Request>,
    /// All task ids so far.
    tasks: BTreeSet<TaskId>,
    memory: Memory,
    workers: Workers,
    counters: Counters,
    expected: VecDeque<Expected>,
}

impl CoordinatorModel {
    /// The model of a new coordinator.
    pub fn new(config: Config) -> Self {
        Self {
            now: Timestamp::ZERO,
            wall: (Timestamp::ZERO, UnixTime::EPOCH),
            called_at: None,
            calls_at: None,
            alone_at: None,
            bus_up: false,
            bus_down_at: None,
            slept_until: None,
            draining: false,
            flight: BTreeMap::new(),
            tasks: BTreeSet::new(),
            memory: Memory::new(config.max_remembered, config.max_remembered_bytes, config.remember),
            workers: Workers::new(&config),
            counters: Counters::default(),
            expected: VecDeque::new(),
            config,
        }
    }

    /// The machine receives an input.
    pub fn input(&mut self, now: Timestamp, input: &Input) {
        if let Input::WallClock(shown) = input {
            self.wall = (self.now.max(now), *shown);
        }
        self.pass_time(now);
        match input {
            Input::Submit(submit) => self.submit(submit),
            Input::Cancel(ticket) => self.cancel(*ticket),
            Input::Result(result) => self.result(result),
            Input::Undelivered(undelivered) => self.undelivered(*undelivered),
            Input::Presence(presence) => self.presence(presence),
            Input::WallClock(_) => {}
            Input::Policies(new) => {
                self.config.policies.clone_from(&new.policies);
                self.config.weights.clone_from(&new.weights);
            }
            Input::BusUp => self.bus_up(),
            Input::BusDown => {
                self.bus_up = false;
                self.calls_at = None;
                self.bus_down_at = Some(self.now);
            }
            Input::Drain => {
                if !std::mem::replace(&mut self.draining, true) {
                    self.report_if_drained();
                }
            }
        }
        self.counters.forgotten_for_bytes = self.memory.forgotten_for_bytes;
        self.tell_workers();
    }

    /// The machine is woken.
    pub fn wake(&mut self, now: Timestamp) {
        self.pass_time(now);
        self.tell_workers();
    }

    /// Handles what is due by now.
    fn pass_time(&mut self, now: Timestamp) {
        self.now = self.now.max(now);
        let mut due: Vec<_> = self.flight.iter().filter(|(_, request)| request.due_at() <= self.now).collect();
        due.sort_unstable_by_key(|(_, request)| (request.due_at(), request.place()));
        if due.iter().any(|(_, request)| self.now.since(request.due_at()) > self.config.max_lag) {
            self.slept_until = Some(self.now);
        }
        let due: Vec<_> = due.into_iter().map(|(id, request)| (id.clone(), request.due_at())).collect();
        for (id, at) in due {
            if self.workers.looks_at.is_some_and(|looks_at| looks_at < at) {
                self.workers.expire(self.now);
            }
            if self.memory.looks_at.is_some_and(|looks_at| looks_at < at) {
                self.memory.look(self.now);
            }
            self.due(&id);
        }
        self.workers.expire(self.now);
        if self.memory.looks_at.is_some_and(|looks_at| looks_at <= self.now) {
            self.memory.look(self.now);
        }
        if self.calls_at.is_some_and(|at| at <= self.now) {
            self.call();
        }
        self.counters.forgotten_for_bytes = self.memory.forgotten_for_bytes;
    }

    /// The machine puts out an output.
    ///
    /// # Errors
    /// [`Divergence`] if another output or none was expected.
    pub fn output(&mut self, output: &Output) -> Result<(), Divergence> {
        match self.expected.pop_front() {
            Some(Expected::Exactly(expected)) if expected == *output && has_no_zeros_to_spare(output) => Ok(()),
            Some(Expected::FirstDispatch(request, id, may_be_packed)) => {
                self.asked(*request, id, may_be_packed, output)
            }
            Some(expected) => Err(Divergence::new(&expected, output)),
            None => Err(Divergence::new(&format_args!("nothing"), output)),
        }
    }

    /// Whether further outputs are expected.
    pub fn expects_more(&self) -> bool {
        !self.expected.is_empty()
    }

    /// The machine has no further output.
    ///
    /// # Errors
    /// [`Divergence`] if one was expected.
    pub fn settled(&self) -> Result<(), Divergence> {
        self.expected.front().map_or(Ok(()), |expected| Err(Divergence::new(expected, &format_args!("nothing"))))
    }

    /// When the machine must ask to be woken: at the earliest time of a request, a worker, an outcome or a call.
    pub fn next_timeout(&self) -> Option<Timestamp> {
        let requests = self.flight.values().map(Request::due_at);
        requests.chain(self.workers.looks_at).chain(self.memory.looks_at).chain(self.calls_at).min()
    }

    /// The number of requests in flight.
    pub fn in_flight(&self) -> usize {
        let asking = self.expected.iter().filter(|expected| matches!(expected, Expected::FirstDispatch(..)));
        self.flight.len() + asking.count()
    }

    /// The weight of the requests in flight, in bytes.
    pub(super) fn bytes(&self) -> usize {
        self.flight.iter().map(|(id, request)| request.bytes(id)).sum()
    }

    /// The number of remembered requests.
    pub fn remembered(&self) -> usize {
        self.memory.len()
    }

    /// The expected counters.
    pub fn counters(&self) -> &Counters {
        &self.counters
    }

    /// Compares the whole visible state of the machine.
    ///
    /// # Errors
    /// [`Divergence`] names the first difference.
    pub fn compare(&self, machine: &Coordinator) -> Result<(), Divergence> {
        if self.counters != *machine.counters() {
            for (expected, found) in self.counters.iter().zip(machine.counters().iter()) {
                Divergence::unless_equal("the counter", &expected, &found)?;
            }
        }
        Divergence::unless_equal("the number of requests in flight", &self.in_flight(), &machine.in_flight())?;
        Divergence::unless_equal("the number of remembered requests", &self.remembered(), &machine.remembered())?;
        Divergence::unless_equal("is_draining", &self.draining, &machine.is_draining())?;
        Divergence::unless_equal("the next timeout", &self.next_timeout(), &machine.poll_timeout())?;
        let of_some = self.config.policies.iter().map(|it| (it.pattern.clone(), &it.policy, &it.expected));
        let others = (Pattern::new("*"), &self.config.policy, &self.config.expected);
        let others = Some(others).filter(|(any, ..)| self.config.policies.iter().all(|it| it.pattern != *any));
        let staffing: Vec<_> =
            of_some.chain(others).map(|(of, policy, should)| self.workers.staffing(&of, policy, should)).collect();
        Divergence::unless_equal("who is there for each policy", &staffing, &machine.staffing())?;
        self.workers.compare(machine)
    }

    /// The machine dispatches a request for the first time. The ids that it drew must be new.
    fn asked(
        &mut self,
        mut request: Request,
        id: Option<RequestId>,
        may_be_packed: bool,
        output: &Output,
    ) -> Result<(), Divergence> {
        let fits = |task: &Task| {
            let id_fits = match &id {
                Some(id) => task.request == *id,
                None => !self.flight.contains_key(&task.request) && self.memory.get(&task.request).is_none(),
            };
            id_fits
                && !self.tasks.contains(&task.id)
                && task.query == request.query
                && task.ttl == request.deadline.since(self.now)
                && task.attempt == 1
                && task.trace == request.trace
                && task.may_be_packed == may_be_packed
        };
        match output {
            Output::Publish(task) if fits(task) => {
                self.tasks.insert(task.id);
                request.task = task.id;
                if self.config.events {
                    let (ticket, request) = (request.tickets[0], task.request.clone());
                    self.expected.push_front(Expected::Exactly(Output::Event(Event::Dispatched { ticket, request })));
                }
                self.flight.insert(task.request.clone(), request);
                Ok(())
            }
            _ => Err(Divergence::new(&("the first dispatch of", request, id), output)),
        }
    }

    /// Whether a task that is dispatched now may be packed: every live worker takes packs, there is one, and a task went
    /// out alone less than `single_every` ago.
    fn may_pack(&mut self) -> bool {
        let is_due = self.alone_at.is_none_or(|at| at.after(self.config.single_every) <= self.now);
        let may = !is_due && self.workers.all_take_packs();
        if !may {
            self.alone_at = Some(self.now);
        }
        may
    }

    /// Expects a call of the workers.
    fn call(&mut self) {
        self.calls_at = None;
        self.called_at = Some(self.now);
        self.expect(Output::CallWorkers);
    }

    /// Expects an event, if the machine emits events.
    fn tell(&mut self, event: Event) {
        if self.config.events {
            self.expect(Output::Event(event));
        }
    }

    /// Expects the events of changed workers, which come last.
    fn tell_workers(&mut self) {
        if self.config.events {
            for event in self.workers.changes() {
                self.expect(Output::Event(event));
            }
        }
    }

    fn expect(&mut self, output: Output) {
        self.expected.push_back(Expected::Exactly(output));
    }

    /// Handles a request whose time has come: it ends or is redispatched.
    fn due(&mut self, id: &RequestId) {
        if self.ends_unheard(id) {
            return;
        }
        let Some(request) = self.flight.get_mut(id) else { return };
        let now = self.now;
        let has_come = |at: Option<Timestamp>| at.is_some_and(|at| at <= now);
        if request.deadline <= now {
            self.end(id, Cause::DeadlinePassed);
            return;
        }
        if has_come(request.stalls_at) {
            self.end(id, Cause::Stalled);
            return;
        }
        if has_come(request.usual_at) {
            self.suspect_the_silent(id);
            self.end_if_possible(id);
        }
        let Some(request) = self.flight.get_mut(id) else { return };
        if has_come(request.ask_again_at) {
            if !request.is_anyone_silent() {
                request.ask_again_at = None;
            } else if !self.bus_up {
                // Until the bus returns, only the end of the request is due.
                request.ask_again_at = Some(Timestamp::MAX);
            } else {
                request.ask_again_at = None;
                request.attempts += 1;
                self.counters.redispatched += 1;
                let task = Task {
                    id: request.task,
                    request: id.clone(),
                    query: request.query.clone(),
                    ttl: request.deadline.since(now),
                    attempt: 2,
                    trace: request.trace,
                    may_be_packed: false,
                };
                let may_be_packed = self.may_pack();
                self.expect(Output::Publish(Task { may_be_packed, ..task }));
                self.tell(Event::Redispatched { request: id.clone(), attempt: 2 });
            }
        }
    }

    /// Whether the bus is down, or was at any time since `since`.
    fn bus_failed(&self, since: Timestamp) -> bool {
        !self.bus_up || self.bus_down_at.is_some_and(|at| at >= since)
    }

    /// Whether the machine was paused at any time since `since`.
    fn slept_since(&self, since: Timestamp) -> bool {
        self.slept_until.is_some_and(|at| at >= since)
    }
}

/// Whether the numbers of an answer have no trailing zeros, which equality ignores.
fn has_no_zeros_to_spare(output: &Output) -> bool {
    let Output::Answer { reply: Ok(outcome), .. } = output else { return true };
    let Ok(answer) = &outcome.verdict else { return true };
    let value = match &answer.value {
        Value::Number(number) => Some(*number),
        Value::Text(_) => None,
    };
    let bounds = answer.spread.into_iter().flat_map(|spread| [spread.min, spread.max, spread.mad]);
    let interquartile = answer.spread.and_then(|spread| spread.interquartile);
    value.into_iter().chain(bounds).chain(interquartile).all(|number| number.scale() == number.normalize().scale())
}
