//! The coordinator: accepts requests, dispatches tasks, collects results, and answers each request exactly once, never
//! later than its deadline.
//!
//! Time never moves backwards: a time earlier than the latest one counts as the latest one. Whatever is due by the time
//! of an input happens before the input, so no answer is used that came after the deadline.
//!
//! * `input.rs`, `output.rs`, `config.rs`: all that the machine can see, all that it can ask for, all its settings
//! * `submit.rs`: callers submit, join, retry and cancel requests
//! * `dispatch.rs`: tasks go out, and go out again
//! * `request.rs`: one request in flight; `results.rs`: the results that come for it
//! * `judgement.rs`: how a request would end now, and what its values say about their workers
//! * `end.rs`: the end of a request: callers answered, id remembered, scores updated
//! * `registry.rs`, `worker.rs`, `reliability.rs`: the known workers and their scores; `registry/expect.rs`: which of them
//!   a request expects
//! * `staffing.rs`: whether the workers that the policies need are there
//! * `table.rs`: the requests in flight by slot, task and id
//! * `timers.rs`, `counters.rs`: everything the machine waits for, and everything it counts

mod config;
mod counters;
mod dispatch;
mod end;
mod event;
mod input;
mod judgement;
mod output;
mod registry;
mod reliability;
mod request;
mod results;
mod staffing;
mod submit;
mod table;
mod timers;
mod worker;

use std::collections::VecDeque;
use std::sync::Arc;

use rand_chacha::ChaCha8Rng;
use rand_core::{Rng, SeedableRng};

pub use config::{Config, Expected, Policies, QueryPolicy};
pub use counters::Counters;
pub use event::{Blame, Event, ResultFate};
pub use input::{Input, Presence, PresenceState, Submit, Undelivered, UndeliveredCause, WorkerResult};
pub use output::{Output, Refusal, Task};
pub use reliability::{Reliability, ResponseTimes, Score};
pub use staffing::Staffing;
pub use worker::{WorkerRecord, WorkerState};

use crate::aggregate::Aggregator;
use crate::id::{RequestId, TaskId, WorkerId};
use crate::memory::Memory;
use crate::outcome::Cause;
use crate::pattern::Pattern;
use crate::time::{Timestamp, WallClock};
use end::Ended;
use registry::Registry;
use table::{Slot, Table};
use timers::{Timer, Timers};

/// The state machine that serves requests.
#[derive(Debug)]
pub struct Coordinator {
    config: Config,
    /// The policy of the queries that none of the others is for.
    default: Arc<QueryPolicy>,
    now: Timestamp,
    wall: WallClock,
    ids: ChaCha8Rng,
    table: Table,
    memory: Memory<Ended>,
    registry: Registry,
    timers: Timers,
    /// When the [`Timer::Presence`] is armed for.
    presence_at: Option<Timestamp>,
    /// When the [`Timer::Memory`] is armed for.
    memory_at: Option<Timestamp>,
    /// When the workers were last pinged, and when they will be pinged again.
    called_at: Option<Timestamp>,
    call_at: Option<Timestamp>,
    /// When a task last had to go out alone.
    single_at: Option<Timestamp>,
    bus_up: bool,
    /// When the bus was last down, if ever.
    last_bus_down: Option<Timestamp>,
    /// When the coordinator last noticed that it had been paused, if ever.
    last_gap: Option<Timestamp>,
    draining: bool,
    aggregator: Aggregator,
    counters: Counters,
    outputs: VecDeque<Output>,
}

impl Coordinator {
    /// An idle coordinator without a bus. `seed` determines the ids that it draws, and nothing else that is visible.
    pub fn new(config: Config, seed: u64) -> Self {
        let mut ids = ChaCha8Rng::seed_from_u64(seed);
        Self {
            now: Timestamp::ZERO,
            wall: WallClock::default(),
            table: Table::new(ids.next_u64()),
            memory: Memory::new(config.max_remembered, config.max_remembered_bytes, config.remember),
            registry: Registry::new(&config),
            timers: Timers::default(),
            presence_at: None,
            memory_at: None,
            called_at: None,
            call_at: None,
            single_at: None,
            bus_up: false,
            last_bus_down: None,
            last_gap: None,
            draining: false,
            aggregator: Aggregator::default(),
            counters: Counters::default(),
            outputs: VecDeque::new(),
            default: Arc::new(QueryPolicy {
                pattern: Pattern::new("*"),
                policy: config.policy,
                expected: config.expected.clone(),
            }),
            config,
            ids,
        }
    }

    /// Handles one input.
    pub fn handle_input(&mut self, now: Timestamp, input: &Input) {
        if let Input::WallClock(shown) = input {
            // What is due now ends by the clock as it is now.
            self.wall = WallClock { set_at: self.now.max(now), shown: *shown };
        }
        self.pass_time(now);
        match input {
            Input::Submit(submit) => self.submit(submit),
            Input::Cancel(ticket) => self.cancel(*ticket),
            Input::Result(result) => self.result(result),
            Input::Undelivered(undelivered) => self.undelivered(*undelivered),
            Input::Presence(presence) => self.presence(presence),
            Input::WallClock(_) => {}
            Input::Policies(policies) => {
                let Policies { policies, weights } = policies.as_ref().clone();
                self.config.policies = policies;
                self.config.weights = weights;
            }
            Input::BusUp => self.bus_up(),
            Input::BusDown => {
                self.bus_up = false;
                // The workers are pinged when the bus is back.
                self.call_at = None;
                self.last_bus_down = Some(self.now);
            }
            Input::Drain if self.draining => {}
            Input::Drain => {
                self.draining = true;
                self.report_drained();
            }
        }
        self.emit_changes();
    }

    /// Lets time pass. Call it when [`Coordinator::poll_timeout`] is due; calling it more often does no harm.
    pub fn handle_timeout(&mut self, now: Timestamp) {
        self.pass_time(now);
        self.emit_changes();
    }

    /// Does what is due by now.
    fn pass_time(&mut self, now: Timestamp) {
        self.now = self.now.max(now);
        while let Some((at, timer)) = self.timers.pop_due(self.now) {
            match timer {
                Timer::Request(slot) => {
                    if self.now.since(at) > self.config.max_lag {
                        self.last_gap = Some(self.now);
                    }
                    self.request_due(slot);
                }
                Timer::Presence => {
                    self.presence_at = None;
                    self.registry.expire(self.now);
                    self.arm_presence();
                }
                Timer::Memory => {
                    self.memory_at = None;
                    self.forget();
                }
            }
        }
        if self.call_at.is_some_and(|at| at <= self.now) {
            self.call_workers_now();
        }
    }

    /// When to call [`Coordinator::handle_timeout`] next; `None` if the coordinator waits for nothing.
    pub fn poll_timeout(&self) -> Option<Timestamp> {
        self.timers.next().into_iter().chain(self.call_at).min()
    }

    /// The next output. Call it until it returns `None`.
    pub fn poll_output(&mut self) -> Option<Output> {
        self.outputs.pop_front()
    }

    /// What has been counted so far.
    pub fn counters(&self) -> &Counters {
        &self.counters
    }

    /// The number of requests in flight.
    pub fn in_flight(&self) -> usize {
        self.table.len()
    }

    /// The number of remembered requests.
    pub fn remembered(&self) -> usize {
        self.memory.len()
    }

    /// The task of a request in flight. For any other request, one that no request has.
    pub fn task_of(&self, request: &RequestId) -> TaskId {
        let in_flight = self.table.find(request).and_then(|slot| self.table.get(slot));
        in_flight.map_or(TaskId(u64::MAX), |request| request.task)
    }

    /// Whether the coordinator is about to stop and refuses further requests.
    pub fn is_draining(&self) -> bool {
        self.draining
    }

    /// The known workers, in order.
    pub fn workers(&self) -> impl Iterator<Item = (&WorkerId, &WorkerRecord)> {
        self.registry.iter()
    }

    /// What is known of a worker; `None` if it is not known.
    pub fn worker(&self, id: &WorkerId) -> Option<&WorkerRecord> {
        self.registry.get(id)
    }

    /// The number of workers that a request made now could expect.
    pub fn live_workers(&self) -> usize {
        self.registry.iter().filter(|(_, worker)| worker.is_live()).count()
    }

    /// The clock that shows the time of day, as it was last told.
    pub fn wall_clock(&self) -> WallClock {
        self.wall
    }

    /// The settings.
    pub fn config(&self) -> &Config {
        &self.config
    }

    /// Whether a worker is lost: it announced itself, and expired without a farewell less than
    /// [`Config::keep_gone`](Config) ago.
    pub fn is_lost(&self, worker: &WorkerId) -> bool {
        let is_lost = |it: &WorkerRecord| {
            it.announced
                && !it.parted
                && it.state == WorkerState::Expired
                && !it.is_long_gone(self.now, self.config.keep_gone)
        };
        self.registry.get(worker).is_some_and(is_lost)
    }

    /// Whether a worker's values are shown but not used, because of its score.
    pub fn is_quarantined(&self, worker: &WorkerId) -> bool {
        self.registry.get(worker).is_some_and(|it| it.is_quarantined(self.config.quarantine_below))
    }

    /// Handles a request's timer.
    fn request_due(&mut self, slot: Slot) {
        if self.nobody_listens(slot) {
            return;
        }
        let now = self.now;
        let Some(request) = self.table.get_mut(slot) else { return };
        if request.deadline() <= now {
            self.finish(slot, Cause::DeadlinePassed);
        } else if request.stall_at <= now {
            self.finish(slot, Cause::Stalled);
        } else {
            let (is_usual_over, is_redispatch_due) =
                (request.usual_at <= now, request.redispatch_at.is_some_and(|at| at <= now));
            if is_usual_over {
                self.suspect_the_silent(slot);
                if self.may_end(slot) {
                    return;
                }
            }
            if is_redispatch_due {
                self.redispatch(slot);
            }
            self.arm(slot);
        }
    }

    /// Emits an event, if events are on.
    fn emit(&mut self, event: impl FnOnce() -> Event) {
        if self.config.events {
            self.outputs.push_back(Output::Event(event()));
        }
    }

    /// Emits an event for each worker that differs from its last event.
    fn emit_changes(&mut self) {
        self.outputs.extend(self.registry.changes().into_iter().map(Output::Event));
    }

    /// Arms the timer of a request, which must not be armed, for the next time at which the request is due.
    fn arm(&mut self, slot: Slot) {
        let Some(request) = self.table.get_mut(slot) else { return };
        request.armed_at = request.next_timeout();
        self.timers.arm(request.armed_at, Timer::Request(slot));
    }

    /// Moves the armed timer of a request to the time at which it is due now.
    fn rearm(&mut self, slot: Slot) {
        let Some(request) = self.table.get(slot) else { return };
        if request.armed_at != request.next_timeout() {
            self.timers.disarm(request.armed_at, Timer::Request(slot));
            self.arm(slot);
        }
    }

    fn arm_presence(&mut self) {
        if self.presence_at.is_none()
            && let Some(at) = self.registry.next_expiry()
        {
            self.timers.arm(at, Timer::Presence);
            self.presence_at = Some(at);
        }
    }

    /// Whether the bus has been down at any time since `since`.
    fn bus_was_down(&self, since: Timestamp) -> bool {
        !self.bus_up || self.last_bus_down.is_some_and(|at| at >= since)
    }

    /// Whether a worker that has not answered a request made at `since` may be blamed for it. It may not if the bus has
    /// been down since, or if the coordinator itself was paused: the answer may still be queued.
    fn may_blame_the_silent(&self, since: Timestamp) -> bool {
        !self.bus_was_down(since) && self.last_gap.is_none_or(|at| at < since)
    }

    fn presence(&mut self, presence: &Presence) {
        if !self.admits(&presence.worker) {
            self.counters.workers_not_admitted += 1;
            return;
        }
        let has_left = self.registry.announce(self.now, presence);
        self.registry.note_change(&presence.worker);
        match has_left {
            None => self.counters.workers_not_admitted += 1,
            Some(false) => {}
            Some(true) => {
                // Requests submitted before it became known, or before it last left, do not wait for it.
                let asked = self.table.asked();
                let first = self
                    .registry
                    .get_mut(&presence.worker)
                    .map_or(asked, |worker| std::mem::replace(&mut worker.awaited_from, asked));
                for slot in self.table.asked_since(first) {
                    let request = self.table.get_mut(slot).expect("an occupied slot");
                    if request.give_up_on(&presence.worker) {
                        self.settle(slot);
                    }
                }
            }
        }
        self.arm_presence();
    }

    fn admits(&self, worker: &WorkerId) -> bool {
        self.config.admitted.as_ref().is_none_or(|admitted| admitted.contains(worker))
    }
}
