//! The hosts that run a coordinator's machine, in place of the production driver.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use quorate_core::coordinator::{Input, Output, Task, Undelivered, UndeliveredCause};
use quorate_core::id::{TaskId, Ticket};
use quorate_core::time::{Timestamp, UnixTime};
use quorate_core::{Coordinator, Machine as _};
use quorate_runtime::bus::PublishError;
use quorate_runtime::driver::{Held, Step};

use super::client::ExchangeId;
use super::links::Node;
use super::{Next, Program, Stage, millis};
use crate::edge::Edge;
use crate::event::{self, Body, Event, Message, Reply, What, pack_number};
use crate::instance;
use crate::random::{Random, Stream};
use crate::scenario;

/// A host with a coordinator.
pub(super) struct CoordinatorNode {
    spec: scenario::Coordinator,
    incarnation: u32,
    /// The prefix of its reply subjects: `_INBOX.<secret>.`
    inbox: String,
    /// The subject on which workers reply to its pings.
    ping: String,
    /// The process, while it runs.
    process: Option<Process>,
    /// Whether a new process starts as soon as this one has stopped.
    restart: bool,
}

struct Process {
    machine: Coordinator,
    /// Outputs that are still to be carried out.
    outputs: VecDeque<Output>,
    stopping: bool,
    /// When the next planned wake is, in nanoseconds of the run.
    wake_at: Option<u64>,
    waiting: BTreeMap<Ticket, ExchangeId>,
    next_ticket: u64,
    /// For each pack, by number, its task, until a notice says that it reached nobody.
    packs: Vec<Option<TaskId>>,
}

impl CoordinatorNode {
    pub(super) fn new(spec: &scenario::Coordinator) -> Self {
        Self {
            spec: spec.clone(),
            incarnation: 0,
            inbox: String::new(),
            ping: String::new(),
            process: None,
            restart: false,
        }
    }

    pub(super) fn is_running(&self) -> bool {
        self.process.is_some()
    }

    /// Lets a new process start once this one has stopped, if it is stopping or `is_to_stop`.
    pub(super) fn restart_once_stopped(&mut self, is_to_stop: bool) {
        self.restart = self.process.as_ref().is_some_and(|process| process.stopping || is_to_stop);
    }

    /// Whether a subject is one of its reply subjects.
    pub(super) fn is_own(&self, subject: &str) -> bool {
        self.process.is_some() && (subject.starts_with(&self.inbox) || subject == self.ping)
    }

    pub(super) fn incarnation(&self) -> u32 {
        self.incarnation
    }

    /// What the host's clock shows `now` nanoseconds into the run.
    fn clock(&self, now: u64) -> Timestamp {
        Timestamp::from_nanos(now + millis(self.spec.clock_ms))
    }
}

impl Stage<'_> {
    fn coordinator(&mut self, node: Node) -> Option<&mut CoordinatorNode> {
        match &mut self.programs[node] {
            Program::Coordinator(coordinator) => Some(coordinator),
            _ => None,
        }
    }

    pub(super) fn start_coordinator(&mut self, node: Node) {
        let (seed, config) = (self.scenario.seed, self.scenario.cluster.settings.config());
        let Some(coordinator) = self.coordinator(node) else { return };
        coordinator.incarnation += 1;
        coordinator.restart = false;
        let incarnation = coordinator.incarnation;
        let number = coordinator.spec.number;
        let mut random = Random::new(seed, Stream::Coordinator, instance::stream(number, incarnation));
        let seed = random.number();
        coordinator.inbox = format!("_INBOX.{}.", instance::secret(&mut random));
        coordinator.ping = instance::ping_subject(number, incarnation);
        coordinator.process = Some(Process {
            machine: Coordinator::new(config, seed),
            outputs: VecDeque::new(),
            stopping: false,
            wake_at: None,
            waiting: BTreeMap::new(),
            next_ticket: 0,
            packs: Vec::new(),
        });
        self.tell(node, What::Started { incarnation });
        self.begin_connecting(node, 0);
    }

    /// Lets the machine handle an input, and carries out its outputs.
    pub(super) fn coordinator_input(&mut self, node: Node, input: &Input) {
        self.coordinator_step(node, Some(input));
        self.coordinator_outputs(node);
    }

    pub(super) fn wake_coordinator(&mut self, node: Node, incarnation: u32) {
        let now = self.now;
        let Some(coordinator) = self.coordinator(node) else { return };
        if coordinator.incarnation != incarnation {
            return;
        }
        let clock = coordinator.clock(now);
        let Some(process) = &mut coordinator.process else { return };
        process.wake_at = process.wake_at.filter(|at| *at > now);
        if process.machine.poll_timeout().is_some_and(|at| at <= clock) {
            self.coordinator_step(node, None);
            self.coordinator_outputs(node);
        } else {
            self.plan_coordinator_wake(node);
        }
    }

    /// One step of the machine: an input, or a wake if there is none. Before it, the machine learns the time of day if its
    /// clock has been set.
    fn coordinator_step(&mut self, node: Node, input: Option<&Input>) {
        let now = self.now;
        let Some(coordinator) = self.coordinator(node) else { return };
        let clock = coordinator.clock(now);
        let shown = UnixTime::from_nanos(coordinator.spec.wall(clock).as_nanos());
        if coordinator.process.as_ref().is_some_and(|process| process.machine.wall_clock().at(clock) != shown) {
            self.coordinator_bare_step(node, Some(&Input::WallClock(shown)));
        }
        self.coordinator_bare_step(node, input);
    }

    fn coordinator_bare_step(&mut self, node: Node, input: Option<&Input>) {
        let Program::Coordinator(coordinator) = &mut self.programs[node] else { return };
        let now = coordinator.clock(self.now);
        let Some(Process { machine, outputs, .. }) = &mut coordinator.process else { return };
        let first = outputs.len();
        machine.step(now, input, outputs);
        let outputs = &outputs.make_contiguous()[first..];
        let (at, host) = (self.now, self.hosts[node]);
        event::coordinator_step(&Step { now, input, outputs, machine }, |what| {
            self.watch.event(&Event { at, host, what });
        });
    }

    /// Carries out the outputs of the machine, and those that carrying them out leads to.
    fn coordinator_outputs(&mut self, node: Node) {
        let mut drained = false;
        let waiting = loop {
            let Some(process) = self.coordinator(node).and_then(|coordinator| coordinator.process.as_mut()) else {
                return;
            };
            let Some(output) = process.outputs.pop_front() else { break process.waiting.len() };
            match output {
                Output::Publish(task) => self.publish_task(node, &task),
                Output::Answer { ticket, reply } => {
                    if let Some(exchange) = process.waiting.remove(&ticket) {
                        self.send_reply(node, exchange, Reply::Ended(reply));
                    }
                }
                Output::CallWorkers => self.call_workers(node),
                // No client on this stage follows the requests of others.
                Output::Ended(_) | Output::Event(_) => {}
                Output::Drained => drained = true,
            }
        };
        self.tell(node, What::Edge(Edge::PassEnded(Held { waiting, ..Held::default() })));
        if drained {
            self.coordinator_stopped(node);
        } else {
            self.plan_coordinator_wake(node);
        }
    }

    fn plan_coordinator_wake(&mut self, node: Node) {
        let now = self.now;
        let Some(coordinator) = self.coordinator(node) else { return };
        let (incarnation, offset) = (coordinator.incarnation, millis(coordinator.spec.clock_ms));
        let Some(process) = &mut coordinator.process else { return };
        let Some(wanted) = process.machine.poll_timeout() else { return };
        let at = wanted.as_nanos().saturating_sub(offset).max(now);
        if process.wake_at.is_none_or(|planned| at < planned) {
            process.wake_at = Some(at);
            self.heap.plan(at, Next::Wake { node, incarnation });
        }
    }

    /// Sends a task. There are no passes on this stage, in which tasks come together: most that may be packed have a pack
    /// for themselves, and the others go out as if they were alone.
    fn publish_task(&mut self, node: Node, task: &Task) {
        let is_packed = task.may_be_packed && !task.id.0.is_multiple_of(4);
        let subject = Arc::clone(if is_packed { &self.subjects.packs } else { &self.subjects.tasks });
        let Some(coordinator) = self.coordinator(node) else { return };
        let Some(process) = &mut coordinator.process else { return };
        let reply = if is_packed {
            process.packs.push(Some(task.id));
            format!("{}p{}", coordinator.inbox, process.packs.len() - 1)
        } else {
            format!("{}{}", coordinator.inbox, task.id.0)
        };
        let body = Body::Task(event::Task {
            request: task.request.clone(),
            query: task.query.clone(),
            // The wire has whole milliseconds.
            ttl: Duration::from_millis(task.ttl.as_nanos().div_ceil(1_000_000) as u64),
            attempt: task.attempt,
            packed: is_packed.then_some(task.id),
        });
        let message = Arc::new(Message { subject, reply: Some(reply.into()), body });
        if let Err(error) = self.publish(node, &message) {
            let cause = match error {
                PublishError::Disconnected => UndeliveredCause::Disconnected,
                PublishError::Full | PublishError::Refused => UndeliveredCause::QueueFull,
            };
            self.coordinator_step(node, Some(&Input::Undelivered(Undelivered { task: task.id, cause })));
        }
    }

    /// Pings the workers, so that they announce their presence.
    fn call_workers(&mut self, node: Node) {
        let ping = Arc::clone(&self.subjects.ping);
        let Some(coordinator) = self.coordinator(node) else { return };
        let reply = coordinator.ping.as_str().into();
        let message = Message { subject: ping, reply: Some(reply), body: Body::Ping };
        // If the ping cannot be sent, the periodic announcements are enough.
        let _ = self.publish(node, &Arc::new(message));
    }

    pub(super) fn coordinator_receives(&mut self, node: Node, message: &Message) {
        let now = self.now;
        let Some(coordinator) = self.coordinator(node) else { return };
        if coordinator.process.is_none() {
            return;
        }
        let token = message.subject.strip_prefix(&coordinator.inbox);
        let is_pong = *message.subject == *coordinator.ping;
        let wall = coordinator.spec.wall(coordinator.clock(now));
        let pack = token.and_then(|_| pack_number(&message.subject));
        let task = match (&mut coordinator.process, pack) {
            (Some(process), Some(pack)) => match &message.body {
                Body::Result(result) => result.packed.or_else(|| Some(process.machine.task_of(&result.request))),
                Body::NoResponders => usize::try_from(pack).ok().and_then(|pack| process.packs.get_mut(pack)?.take()),
                _ => None,
            },
            _ => token.and_then(|token| token.parse().ok()).map(TaskId),
        };
        self.tell(node, What::Received(message));
        let input = match &message.body {
            Body::Result(result) if task.is_some() || (token.is_none() && !is_pong) => {
                Input::Result(result.read_at(wall, task))
            }
            Body::NoResponders => match task {
                Some(task) => Input::Undelivered(Undelivered { task, cause: UndeliveredCause::NoResponders }),
                None => return,
            },
            Body::Presence(presence) => Input::Presence(presence.clone()),
            Body::Task(_) | Body::Outcome(_) | Body::Ping | Body::Garbage(_) | Body::Result(_) => return,
        };
        self.coordinator_input(node, &input);
    }

    /// Accepts a request. Returns its ticket; `None` if no process runs.
    pub(super) fn take_request(&mut self, node: Node, exchange: ExchangeId) -> Option<Ticket> {
        let process = self.coordinator(node)?.process.as_mut()?;
        let ticket = Ticket(process.next_ticket);
        process.next_ticket += 1;
        process.waiting.insert(ticket, exchange);
        Some(ticket)
    }

    /// Whether a ticket still waits for its answer.
    pub(super) fn is_waiting(&mut self, node: Node, ticket: Ticket) -> bool {
        let process = self.coordinator(node).and_then(|coordinator| coordinator.process.as_ref());
        process.is_some_and(|process| process.waiting.contains_key(&ticket))
    }

    pub(super) fn forget_request(&mut self, node: Node, ticket: Ticket) {
        if let Some(process) = self.coordinator(node).and_then(|coordinator| coordinator.process.as_mut()) {
            process.waiting.remove(&ticket);
        }
        self.coordinator_input(node, &Input::Cancel(ticket));
    }

    pub(super) fn crash_coordinator(&mut self, node: Node) {
        let Some(process) = self.coordinator(node).and_then(|coordinator| coordinator.process.take()) else { return };
        self.tell(node, What::Crashed);
        self.host_closes(node);
        for exchange in process.waiting.into_values() {
            self.send_reply(node, exchange, Reply::Lost);
        }
    }

    pub(super) fn stop_coordinator(&mut self, node: Node) {
        let Some(process) = self.coordinator(node).and_then(|coordinator| coordinator.process.as_mut()) else { return };
        if !std::mem::replace(&mut process.stopping, true) {
            self.tell(node, What::Stopping);
            self.coordinator_input(node, &Input::Drain);
        }
    }

    fn coordinator_stopped(&mut self, node: Node) {
        self.host_closes(node);
        let Some(coordinator) = self.coordinator(node) else { return };
        let restart = coordinator.restart;
        let process = coordinator.process.take();
        self.tell(node, What::Stopped);
        for exchange in process.into_iter().flat_map(|process| process.waiting.into_values()) {
            self.send_reply(node, exchange, Reply::Lost);
        }
        if restart {
            self.start(node);
        }
    }
}
