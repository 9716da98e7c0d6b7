//! One host's end of the wire: what is on its way between its machine and its bus.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use quorate_core::coordinator::{self, Presence, PresenceState, Undelivered, UndeliveredCause, WorkerResult};
use quorate_core::id::{TaskId, WorkerId};
use quorate_core::offer::Offer;
use quorate_core::outcome::Outcome;
use quorate_core::time::Timestamp;
use quorate_core::value::Value;
use quorate_core::worker::{self, ReplyTo, WorkResult};
use quorate_runtime::bus::PublishError;

use crate::Depth;
use crate::event::{self, Age, Body, Message, PACKS, is_of_a_pack};
use crate::host::Host;

const TASKS: &str = "oracle.tasks";
const RESULTS: &str = "oracle.results";
const PRESENCE: &str = "oracle.workers";
const OUTCOMES: &str = "oracle.outcomes.";
const PING: &str = "$SRV.PING";
const INBOX: &str = "_INBOX.";
const PING_TOKEN: &str = "ping";

/// How long an outcome may be held back, in nanoseconds: 2 ms, and what a timer may be late.
const UNTOLD_FOR: u64 = 5_000_000;
/// The most packs of which a coordinator's driver must know the tasks.
const KNOWN_PACKS: usize = 256;

/// A message that a coordinator's machine must receive.
#[derive(Debug)]
enum Received {
    Result(event::WorkerResult, Addressed),
    Undelivered(TaskId),
}

/// Which task a result is for.
#[derive(Clone, Copy, Debug)]
enum Addressed {
    /// That of the request, as it came on the shared subject.
    Shared,
    /// This one.
    Task(TaskId),
    /// It came for a pack, and does not say which of its tasks.
    SomeOfPack,
}

/// A message that the host's bus must be given.
#[derive(Debug)]
pub(super) enum Outgoing {
    Task(coordinator::Task),
    Answer(WorkResult),
    Announcement(PresenceState),
}

/// What is on its way within one host.
#[derive(Debug, Default)]
pub(crate) struct Edge {
    /// What the machine has put out and the bus has not been given, in order.
    pub(super) said: VecDeque<Outgoing>,
    /// The latest packs that the bus was given, by their reply subjects, with their tasks.
    packs: VecDeque<(Arc<str>, Vec<TaskId>)>,
    /// The outcomes that followers have not been sent yet, in order.
    pub(super) ended: VecDeque<(u64, Arc<Outcome>)>,
    /// The tasks that the bus refused, which must be the machine's next inputs.
    pub(super) refused: VecDeque<Undelivered>,
    /// Received on the subjects for results, in order.
    told: VecDeque<Received>,
    /// Received from workers that were pinged, in order.
    ponged: VecDeque<Presence>,
    /// Received on the subject for announcements, in order.
    announced: VecDeque<Presence>,
    /// Tasks received by a worker, in order.
    tasks: VecDeque<worker::Task>,
    /// The reply subjects of calls that a worker must answer, in order.
    pings: VecDeque<Arc<str>>,
    /// Messages received since the last pass ended.
    received: u32,
    /// `_INBOX.<secret>`, once it is known.
    inbox: Option<Box<str>>,
    /// Whether the coordinator must still call the workers.
    call: bool,
    /// The state that a worker last announced; `None` means live.
    pub(super) state: Option<PresenceState>,
}

/// What the scenario says about a worker process.
#[derive(Clone, Debug, Default)]
#[expect(clippy::struct_excessive_bools, reason = "the flags are independent of each other")]
pub(crate) struct Worker {
    pub(super) id: Option<WorkerId>,
    pub(super) replicated: bool,
    pub(super) offer: Offer,
    pub(super) packs: bool,
    /// Whether a fault makes it send other results than its machine puts out.
    pub(super) mischievous: bool,
    /// Whether a fault withholds its presence announcements.
    pub(super) unheard: bool,
    /// Whether it states when it observed a value, rather than the age.
    pub(super) dates: bool,
}

/// A time to live on the wire: whole milliseconds, rounded up.
fn on_the_wire(ttl: Duration) -> Duration {
    Duration::from_millis(u64::try_from(ttl.as_nanos().div_ceil(1_000_000)).unwrap_or(u64::MAX))
}

/// An age on the wire: whole milliseconds, rounded down.
fn whole_millis(age: Duration) -> Duration {
    Duration::from_millis(u64::try_from(age.as_millis()).unwrap_or(u64::MAX))
}

/// Whether a failure keeps its text. An empty one is replaced, because it would not show that anything failed.
fn same_words(meant: &str, said: &str) -> bool {
    meant == said || (meant.is_empty() && said == "failed")
}

fn same_observation(meant: &Result<Value, Arc<str>>, said: &Result<Value, Arc<str>>) -> bool {
    match (meant, said) {
        (Ok(meant), Ok(said)) => meant == said,
        (Err(meant), Err(said)) => same_words(meant, said),
        _ => false,
    }
}

/// The last token of a reply subject `_INBOX.<secret>.<task>` or `_INBOX.<instance>.ping`.
fn inbox_token(subject: &str) -> Option<&str> {
    let (_, token) = subject.strip_prefix(INBOX)?.split_once('.')?;
    Some(token)
}

impl Edge {
    /// Records what a coordinator received.
    pub(super) fn coordinator_received(&mut self, message: &Message) {
        self.received += 1;
        match (&*message.subject, &message.body) {
            (PRESENCE, Body::Presence(presence)) => self.announced.push_back(presence.clone()),
            (RESULTS, Body::Result(result)) => {
                self.told.push_back(Received::Result(result.clone(), Addressed::Shared));
            }
            (PRESENCE | RESULTS, _) => {}
            (subject, body) => match (inbox_token(subject), body) {
                (Some(PING_TOKEN), Body::Presence(presence)) => self.ponged.push_back(presence.clone()),
                (Some(PING_TOKEN) | None, _) => {}
                (Some(_), Body::Result(result)) if is_of_a_pack(subject) => {
                    let addressed = result.packed.map_or(Addressed::SomeOfPack, Addressed::Task);
                    self.told.push_back(Received::Result(result.clone(), addressed));
                }
                (Some(_), Body::NoResponders) if is_of_a_pack(subject) => {
                    let pack = self.packs.iter_mut().rev().find(|(reply, _)| **reply == *subject);
                    let tasks = pack.map(|(_, tasks)| std::mem::take(tasks)).unwrap_or_default();
                    self.told.extend(tasks.into_iter().map(Received::Undelivered));
                }
                (Some(token), body) => match (token.parse().map(TaskId), body) {
                    (Ok(task), Body::Result(result)) => {
                        self.told.push_back(Received::Result(result.clone(), Addressed::Task(task)));
                    }
                    (Ok(task), Body::NoResponders) => self.told.push_back(Received::Undelivered(task)),
                    _ => {}
                },
            },
        }
    }

    /// Records what a worker received.
    pub(super) fn worker_received(&mut self, message: &Message) {
        match (&*message.subject, &message.body) {
            (TASKS | PACKS, Body::Task(task)) => self.tasks.push_back(task.received(message)),
            (subject, Body::Ping) if subject.starts_with(PING) => self.pings.extend(message.reply.clone()),
            _ => {}
        }
    }

    /// Checks, at the end of a pass, that everything that the machine put out was sent.
    fn must_be_said(&self, host: Host) -> Result<(), String> {
        match self.said.front() {
            Some(said) => Err(format!("{host} did not send an output of its machine: {said:?}")),
            None => Ok(()),
        }
    }

    /// Checks, at the end of a pass or of the process, that followers were sent every outcome of a request that ended
    /// by this time.
    pub(super) fn must_be_followed(&self, host: Host, by: u64) -> Result<(), String> {
        match self.ended.front() {
            Some((at, outcome)) if *at <= by => {
                Err(format!("{host} did not publish the outcome of an ended request: {outcome:?}"))
            }
            _ => Ok(()),
        }
    }

    pub(super) fn coordinator_told(
        &mut self,
        host: Host,
        input: &coordinator::Input,
        wall: Timestamp,
        strange: bool,
    ) -> Result<(), String> {
        use coordinator::Input;
        if let Some(refused) = self.refused.pop_front() {
            return match input {
                Input::Undelivered(undelivered) if *undelivered == refused => Ok(()),
                _ => Err(format!("{host}'s machine received {input:?} instead of {refused:?}")),
            };
        }
        let was_received = match input {
            Input::Result(result) => match self.told.pop_front() {
                Some(Received::Result(received, addressed)) => {
                    let task = match addressed {
                        Addressed::Shared => None,
                        Addressed::Task(task) => Some(task),
                        // The machine says which it is.
                        Addressed::SomeOfPack => result.task.or(Some(TaskId(u64::MAX))),
                    };
                    same_result(&received.read_at(wall, task), result, strange)
                }
                _ => false,
            },
            Input::Undelivered(Undelivered { task, cause: UndeliveredCause::NoResponders }) => {
                matches!(self.told.pop_front(), Some(Received::Undelivered(received)) if received == *task)
            }
            Input::Undelivered(_) => false,
            Input::Presence(presence) => {
                let from = if self.ponged.front() == Some(presence) { &mut self.ponged } else { &mut self.announced };
                from.pop_front().is_some_and(|received| received == *presence)
            }
            Input::BusUp => {
                self.call = true;
                true
            }
            Input::BusDown => {
                self.call = false;
                true
            }
            Input::WallClock(shown) => shown.as_nanos() == wall.as_nanos(),
            Input::Submit(_) | Input::Cancel(_) | Input::Policies(_) | Input::Drain => true,
        };
        if was_received {
            Ok(())
        } else {
            Err(format!("{host}'s machine received {input:?}, which is not the next message of its host"))
        }
    }

    pub(super) fn worker_told(&mut self, host: Host, input: &worker::Input) -> Result<(), String> {
        match input {
            worker::Input::Task(task) => match self.tasks.pop_front() {
                // The trace is in a header, which the checker `traces` judges.
                Some(received) if received == worker::Task { trace: None, ..task.clone() } => Ok(()),
                received => Err(format!("{host} received {received:?}, but its machine received {task:?}")),
            },
            _ => Ok(()),
        }
    }

    /// A coordinator's bus was given a message.
    pub(super) fn coordinator_says(
        &mut self,
        host: Host,
        message: &Message,
        error: Option<PublishError>,
    ) -> Result<(), String> {
        match &message.body {
            Body::Task(said) => {
                let is_packed = *message.subject == *PACKS;
                // Tasks that may be packed go out after the others. One alone goes out like the others.
                let is_it = |outgoing: &Outgoing| match outgoing {
                    Outgoing::Task(meant) if is_packed => meant.may_be_packed,
                    Outgoing::Task(meant) => !meant.may_be_packed || meant.request == said.request,
                    _ => false,
                };
                let place = self.said.iter().position(is_it);
                let Some(Outgoing::Task(meant)) = place.and_then(|place| self.said.remove(place)) else {
                    return Err(format!("{host} sent {message:?}, which is not an output of its machine"));
                };
                let same = (is_packed || *message.subject == *TASKS)
                    && meant.request == said.request
                    && meant.query == said.query
                    && meant.attempt == said.attempt
                    && said.packed == is_packed.then_some(meant.id)
                    && on_the_wire(meant.ttl) == said.ttl;
                if !same || !self.is_inbox(message.reply.as_deref(), (!is_packed).then_some(meant.id)) {
                    return Err(format!("{host} sent {message:?} for {meant:?}"));
                }
                if is_packed
                    && error.is_none()
                    && let Some(reply) = &message.reply
                {
                    self.packed(reply, meant.id);
                }
                self.refused.extend(error.map(|error| {
                    let cause = match error {
                        PublishError::Disconnected => UndeliveredCause::Disconnected,
                        PublishError::Full | PublishError::Refused => UndeliveredCause::QueueFull,
                    };
                    Undelivered { task: meant.id, cause }
                }));
                Ok(())
            }
            // An outcome that the bus refuses is counted and not sent again.
            Body::Outcome(said) if self.said.is_empty() => {
                let meant = self.ended.pop_front().map(|(_, meant)| meant);
                let same = meant.as_ref().is_some_and(|meant| {
                    message.subject.starts_with(OUTCOMES)
                        && meant.request == said.request
                        && meant.query == said.query
                        && meant.verdict.as_ref().ok().map(|answer| &answer.value) == said.value.as_ref()
                });
                if same && message.reply.is_none() {
                    return Ok(());
                }
                Err(format!("{host} sent {message:?} for {meant:?}"))
            }
            Body::Ping => {
                self.call = false;
                Ok(())
            }
            _ => Err(format!("{host} sent {message:?}, but the outputs of its machine are {:?}", self.said)),
        }
    }

    /// Notes that a task went out in the pack with this reply subject.
    fn packed(&mut self, reply: &Arc<str>, task: TaskId) {
        match self.packs.back_mut() {
            Some((subject, tasks)) if subject == reply => tasks.push(task),
            _ => {
                if self.packs.len() == KNOWN_PACKS {
                    self.packs.pop_front();
                }
                self.packs.push_back((Arc::clone(reply), vec![task]));
            }
        }
    }

    /// Whether a reply subject is `_INBOX.<secret>.<task>`, or that of a pack, with the same secret as before.
    fn is_inbox(&mut self, reply: Option<&str>, task: Option<TaskId>) -> bool {
        let Some((prefix, token)) = reply.and_then(|reply| reply.rsplit_once('.')) else { return false };
        let is_right = match task {
            Some(task) => token.parse() == Ok(task.0),
            None => reply.is_some_and(is_of_a_pack),
        };
        if !is_right || !prefix.starts_with(INBOX) {
            return false;
        }
        let inbox = self.inbox.get_or_insert_with(|| prefix.into());
        **inbox == *prefix
    }

    /// A worker's bus was given a message.
    pub(super) fn worker_says(&mut self, host: Host, worker: &Worker, message: &Message) -> Result<(), String> {
        if let Body::Presence(presence) = &message.body
            && *message.subject != *PRESENCE
        {
            let asked = self.pings.pop_front();
            let state = self.state.unwrap_or(PresenceState::Live);
            if presence.state != state {
                return Err(format!("{host} last announced {state:?}, but answered a call with {message:?}"));
            }
            let right = asked.as_ref() == Some(&message.subject) && is_of(presence, worker);
            return if right { Ok(()) } else { Err(format!("{host} answered a call on {asked:?} with {message:?}")) };
        }
        if worker.mischievous && matches!(message.body, Body::Result(_) | Body::Garbage(_)) {
            return Ok(());
        }
        // Results for packs go out after everything else, those for one pack together.
        let of_pack = |outgoing: &Outgoing| match outgoing {
            Outgoing::Answer(WorkResult { reply: ReplyTo::Pack { subject, .. }, .. }) => Some(Arc::clone(subject)),
            _ => None,
        };
        let pack = Some(Arc::clone(&message.subject)).filter(|subject| is_of_a_pack(subject));
        let place = self.said.iter().position(|outgoing| of_pack(outgoing) == pack);
        let meant = place.and_then(|place| self.said.remove(place));
        let right = match (&meant, &message.body) {
            (Some(Outgoing::Answer(meant)), Body::Result(said)) => {
                let (subject, task) = match &meant.reply {
                    ReplyTo::Shared => (RESULTS, None),
                    ReplyTo::Task(subject) => (&**subject, None),
                    ReplyTo::Pack { subject, task } => (&**subject, *task),
                };
                *message.subject == *subject
                    && said.packed == task
                    && Some(&said.worker) == worker.id.as_ref()
                    && said.request == meant.request
                    && said.response_time == meant.response_time
                    && (worker.dates || said.age == meant.age.map(|age| Age::Stated(whole_millis(age))))
                    && said.overloaded == meant.overloaded
                    && same_observation(&meant.observed, &said.observed)
            }
            (Some(Outgoing::Announcement(meant)), Body::Presence(said)) => {
                self.state = Some(*meant);
                said.state == *meant && is_of(said, worker)
            }
            _ => false,
        };
        if right { Ok(()) } else { Err(format!("{host} sent {message:?}, but the output of its machine is {meant:?}")) }
    }

    /// Checks the end of a pass. A driver that takes `batch` messages of one kind in a pass may leave as many
    /// announcements for a later one.
    pub(super) fn coordinator_pass_ended(
        &mut self,
        host: Host,
        at: u64,
        depth: Depth,
        batch: usize,
    ) -> Result<(), String> {
        self.must_be_said(host)?;
        if let Some(by) = at.checked_sub(UNTOLD_FOR) {
            self.must_be_followed(host, by)?;
        }
        // Announcements may wait while earlier messages come faster than they are taken.
        let may_wait = if depth == Depth::Network && self.received as usize >= batch { batch } else { 0 };
        self.received = 0;
        if let Some(refused) = self.refused.front() {
            Err(format!("{host}'s machine was not told of {refused:?}"))
        } else if let Some(told) = self.told.front() {
            Err(format!("{host} received {told:?}, but its machine did not"))
        } else if let Some(ponged) = self.ponged.front() {
            Err(format!("{host} received {ponged:?}, but its machine did not"))
        } else if self.announced.len() > may_wait {
            Err(format!("{host} received {:?}, but its machine did not", self.announced))
        } else if self.call && depth == Depth::Network {
            Err(format!("{host} did not call the workers when the bus came up"))
        } else {
            Ok(())
        }
    }

    pub(super) fn worker_pass_ended(&mut self, host: Host, worker: &Worker) -> Result<(), String> {
        self.must_be_said(host)?;
        if let Some(task) = self.tasks.front() {
            Err(format!("{host} received {task:?}, but its machine did not"))
        } else if !worker.unheard && !self.pings.is_empty() {
            Err(format!("{host} was called on {:?}, but did not answer", self.pings))
        } else {
            self.pings.clear();
            Ok(())
        }
    }
}

fn same_result(received: &WorkerResult, told: &WorkerResult, strange: bool) -> bool {
    let same_observed = match (&received.observed, &told.observed) {
        (Err(_), Err(_)) if strange => true,
        (received, told) => received == told,
    };
    same_observed
        && received.worker == told.worker
        && received.request == told.request
        && received.task == told.task
        && received.response_time == told.response_time
        && received.age == told.age
        && received.overloaded == told.overloaded
}

fn is_of(presence: &Presence, worker: &Worker) -> bool {
    Some(&presence.worker) == worker.id.as_ref()
        && presence.replicated == worker.replicated
        && presence.offer == worker.offer
        && presence.packs == worker.packs
}
