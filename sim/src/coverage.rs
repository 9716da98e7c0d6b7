//! What a run should reach now and then: a simulation that reaches nothing finds nothing.

use std::collections::{BTreeMap, BTreeSet};

use quorate_core::aggregate::{Exclusion, Strategy, median};
use quorate_core::coordinator::{self, Config, Counters, Input, Output};
use quorate_core::id::{Ticket, WorkerId};
use quorate_core::outcome::{Cause, Failure, Outcome, Status};
use quorate_core::worker;
use quorate_runtime::bus::PublishError;

mod bounds;

use bounds::Bounds;

use crate::Depth;
use crate::checkers::{Context, is_one_too_many};
use crate::edge::Edge;
use crate::event::{Age, Body, Event, FOLLOWED_AGAIN, Message, Read, Reply, TOO_MANY_READERS, What};
use crate::host::Host;
use crate::observe::PANICKED;
use crate::scenario::{
    ClockJump, Coordinator, FaultKind, Flood, Forgery, Mischief, Page, Proxy, Visit, VisitKind, forwarded_for,
};

/// Lists the counters once: the enum, its names and its count.
macro_rules! sometimes {
    ($($(#[doc = $doc:literal])* $name:ident,)*) => {
        /// Something that must happen in some run of a batch.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Sometimes {
            $($(#[doc = $doc])* $name,)*
        }

        impl Sometimes {
            /// All of them.
            pub const ALL: &[Self] = &[$(Self::$name),*];

            /// What it is about, in a few words.
            pub const fn text(self) -> &'static str {
                match self {
                    $(Self::$name => concat!($($doc),*).trim_ascii(),)*
                }
            }
        }
    };
}

sometimes! {
    /// a result came after its request had ended
    LateResult,
    /// a second result said the same as the first
    DuplicateResult,
    /// a worker contradicted itself
    EquivocalResult,
    /// a result came for a request that is not known
    UnknownResult,
    /// a result came on the reply subject of another task
    MisdirectedResult,
    /// somebody who is not admitted was heard
    NotAdmitted,
    /// silent workers were asked a second time
    Redispatched,
    /// an answer came only after a second asking
    RedispatchRescued,
    /// a quorum ended a request early
    QuorumEarly,
    /// a quorum gave no answer, so that its request went on
    QuorumInVain,
    /// a request without known workers ended after a pause
    Stalled,
    /// the value of every expected worker was used
    AnsweredComplete,
    /// the values of at least half of the expected workers were used
    AnsweredPartial,
    /// the values of fewer than half of the expected workers were used
    AnsweredLowReliability,
    /// the workers did not agree
    AnsweredDisputed,
    /// fewer values than required were usable
    BelowMinimum,
    /// a deadline passed without a usable value
    DeadlineExceeded,
    /// nobody listened for a task
    NoResponders,
    /// it was doubted that nobody listened for a task
    NoRespondersDoubted,
    /// a worker showed that it listened all the same
    NoRespondersRefuted,
    /// no worker showed in time that it listened
    NoRespondersConfirmed,
    /// a request ended for want of a bus
    FailedForBus,
    /// a task did not fit the outgoing queue
    FailedForQueue,
    /// the last caller of a request went away
    Cancelled,
    /// a caller joined a request in flight
    Joined,
    /// a caller was given a remembered outcome
    Replayed,
    /// an id was refused for another query
    RefusedConflict,
    /// a policy was refused
    RefusedPolicy,
    /// a request was shed for overload
    RefusedOverloaded,
    /// a request was refused while draining
    RefusedDraining,
    /// a request was refused while the bus was down
    RefusedBusDown,
    /// a client was told to slow down
    RateLimited,
    /// an outlier was excluded
    ExcludedOutlier,
    /// a quarantined worker's value was not used
    ExcludedQuarantined,
    /// the value of a worker without a record was compared and not used
    ExcludedNewcomer,
    /// a text was excluded where numbers are needed
    ExcludedText,
    /// a stale value was excluded
    ExcludedStale,
    /// fewer workers agreed than were to
    TooFewAgreed,
    /// a disputed answer was rejected
    DisputeRejected,
    /// the weights of workers decided
    WeightsDecided,
    /// the policy of a query was not that of all others
    PolicyOfQuery,
    /// several values were equally frequent
    Tie,
    /// a coordinator drained with requests in flight
    DrainedInFlight,
    /// a coordinator was connected again
    Reconnected,
    /// the bus went down with requests in flight
    DisconnectedInFlight,
    /// a coordinator was killed with requests in flight
    CrashedInFlight,
    /// a worker left with requests in flight
    WorkerLeftInFlight,
    /// a worker was asked again
    WorkerRepeated,
    /// a worker had no place for a task
    WorkerRefused,
    /// a task's time was over before there was an answer
    WorkerExpired,
    /// a source was given up
    WorkerAborted,
    /// a worker drained with jobs at hand
    WorkerDrainedBusy,
    /// a client went away
    ClientVanished,
    /// a client got no answer
    ClientLost,
    /// a message was not sent for want of a connection
    UnsentDisconnected,
    /// a message did not fit the outgoing queue
    UnsentFull,
    /// bytes that say nothing were received
    GarbageReceived,
    /// the registry was full
    RegistryFull,
    /// a full registry forgot a worker that was gone
    RegistryForgot,
    /// there was no room for a further worker
    RegistryRefused,
    /// more processes spoke in one name than are told apart
    InstancesFull,
    /// a response time was forgotten for a later one
    ResponseTimesFull,
    /// an outcome was forgotten before its time
    MemoryFull,
    /// an outcome was forgotten because those remembered weighed too much
    MemoryHeavy,
    /// an answer was not kept because those in flight weighed too much
    NoRoom,
    /// a driver took as much from its bus at once as it may
    BatchFull,
    /// a worker forgot an answer before its time
    WorkerMemoryFull,
    /// an answer of a worker had more places to go than are kept
    ReplyPlacesFull,
    /// a task had longer than its worker believes
    TtlCut,
    /// a worker closed its intake at once when it was told to stop
    NoDrainGrace,
    /// a coordinator was served later than one that runs is
    StoodStill,
    /// a result said when its value was observed
    ObservedAt,
    /// a coordinator whose time of day was wrong read when a value was observed
    ObservedAtByWrongClock,
    /// requests were asked again at once after an outage
    NoReconnectGrace,
    /// after the faults, a question was answered by every worker
    Recovered,
    /// a source panicked, and its task failed
    SourcePanicked,
    /// a worker that drained told so to one who called the workers
    CalledWhileDraining,
    /// a worker's farewell was taken at once with its last answer
    FarewellWithAnswer,
    /// a question was asked in a trace
    Traced,
    /// a client was believed for whom it asks, and refused for asking too often
    RateLimitedByProxy,
    /// a request that is none was refused
    MalformedRefused,
    /// the page of workers was read
    PageWorkers,
    /// the page of metrics was read
    PageMetrics,
    /// the page of health was read
    PageHealth,
    /// the page of readiness was read
    PageReady,
    /// a page said that the coordinator is not ready
    PageNotReady,
    /// a client had as many connections as it may have, and one too many
    ConnectionRefused,
    /// a client was refused that shares its allowance with others
    AllowanceShared,
    /// a client had as many readers of events as it may have, and one too many
    ReaderRefused,
    /// a reader of events came back to where it was
    EventsResumed,
    /// a reader of events was told how many it missed
    EventsMissed,
    /// a client held a connection and did not use it
    Lingered,
    /// a coordinator stopped while a client held a connection
    StoppedLingering,
    /// fault: a partition
    FaultPartition,
    /// fault: a partition in one direction
    FaultPartitionOneWay,
    /// fault: messages held back
    FaultHold,
    /// fault: a slow link
    FaultSlow,
    /// fault: lost messages
    FaultLoss,
    /// fault: a crash
    FaultCrash,
    /// fault: a graceful stop
    FaultStop,
    /// fault: a frozen worker
    FaultFreeze,
    /// fault: a coordinator that stands still
    FaultFreezeCoordinator,
    /// fault: messages that come twice, and late
    FaultBridge,
    /// fault: a storm of reconnects
    FaultReconnectStorm,
    /// fault: a slow source
    FaultSlowSource,
    /// fault: a failing source
    FaultFailSource,
    /// fault: a source that panics
    FaultPanicSource,
    /// fault: a source with old values
    FaultStaleSource,
    /// fault: lies
    FaultLie,
    /// fault: lost announcements
    FaultPresenceLost,
    /// mischief: results sent twice
    MischiefDuplicate,
    /// mischief: contradictory results
    MischiefEquivocate,
    /// mischief: late results
    MischiefDelay,
    /// mischief: results out of order
    MischiefReorder,
    /// mischief: corrupted results
    MischiefCorrupt,
    /// mischief: oversized results
    MischiefOversize,
    /// mischief: results in another's name
    MischiefImpersonate,
    /// mischief: results for another request
    MischiefMisattribute,
    /// mischief: results on another subject
    MischiefMisdirect,
    /// mischief: dropped results
    MischiefDrop,
    /// forgery: an answer to a request never made
    ForgedUnknownRequest,
    /// forgery: a forged answer
    ForgedAnswer,
    /// forgery: a forged answer on the shared subject
    ForgedAnswerShared,
    /// forgery: a forged sign of life
    ForgedLive,
    /// forgery: a forged farewell
    ForgedLeft,
    /// forgery: a forged sign of leaving
    ForgedDraining,
    /// forgery: a forged notice that nobody listens
    ForgedNoResponders,
    /// forgery: a forged first answer
    ForgedFirst,
    /// forgery: forged repeats that differ
    ForgedRepeats,
    /// forgery: answers in invented names
    FloodOfAnswers,
    /// forgery: answers in invented names on the shared subject
    FloodOfShared,
    /// forgery: late answers in invented names
    FloodOfEnded,
    /// forgery: announcements in invented names
    FloodOfLive,
    /// forgery: forged garbage
    ForgedGarbage,
    /// forgery: a forged task
    ForgedTask,
}

impl Sometimes {
    /// Whether runs at this depth can reach it.
    pub fn is_possible(self, depth: Depth) -> bool {
        let needs_edge = matches!(
            self,
            Self::RateLimited
                | Self::CalledWhileDraining
                | Self::FarewellWithAnswer
                | Self::Traced
                | Self::RateLimitedByProxy
                | Self::MalformedRefused
                | Self::PageWorkers
                | Self::PageMetrics
                | Self::PageHealth
                | Self::PageReady
                | Self::PageNotReady
                | Self::ConnectionRefused
                | Self::AllowanceShared
                | Self::ReaderRefused
                | Self::EventsResumed
                | Self::EventsMissed
                | Self::Lingered
                | Self::StoppedLingering
                | Self::BatchFull
        );
        match self {
            // Over the network a frozen coordinator hears nothing, and its timers go on.
            Self::StoodStill => depth == Depth::Machines,
            _ => !needs_edge || depth == Depth::Network,
        }
    }
}

/// What one run reached, as a set.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Reached([u64; 4]);

impl Reached {
    /// Adds what was reached.
    pub fn insert(&mut self, what: Sometimes) {
        self.insert_if(what, true);
    }

    /// Whether it was reached.
    pub fn contains(self, what: Sometimes) -> bool {
        let bit = what as usize;
        self.0[bit / 64] & (1 << (bit % 64)) != 0
    }

    fn insert_if(&mut self, what: Sometimes, reached: bool) {
        let bit = what as usize;
        self.0[bit / 64] |= u64::from(reached) << (bit % 64);
    }
}

/// What is known of one process.
#[derive(Debug, Default)]
struct Process {
    coordinator: Counters,
    worker: worker::Counters,
    in_flight: usize,
    /// The workers of which a result was taken since the machine settled.
    answered: BTreeSet<WorkerId>,
    /// Who waits, and whether there is an outlier rule for it.
    waiting: BTreeMap<Ticket, bool>,
    /// How many connections it has had.
    connections: u32,
    /// Whether it was told to stop with something at hand.
    stopping_busy: bool,
}

/// Notes what a run reaches.
#[derive(Debug)]
pub(crate) struct Coverage {
    config: Config,
    reached: Reached,
    processes: BTreeMap<Host, Process>,
    bounds: Bounds,
    probes: Vec<u32>,
    /// The visits under way, by their places.
    visits: BTreeMap<usize, Visit>,
    /// When the time of day of coordinators is wrong.
    jumps: Vec<(Host, ClockJump)>,
    has_edge: bool,
    is_proxied: bool,
    /// How many clients a limiter tells apart, if that may be few, and those that have asked.
    clients: Option<usize>,
    asking: BTreeSet<(Host, u8)>,
}

impl Coverage {
    pub(crate) fn new(context: &Context<'_>) -> Self {
        let coordinators = context.scenario.cluster.coordinators.iter();
        let jump = |it: &Coordinator| it.jump.map(|jump| (Host::Coordinator(it.number), jump));
        Self {
            config: context.scenario.cluster.settings.config(),
            reached: Reached::default(),
            processes: BTreeMap::new(),
            bounds: Bounds::new(context.scenario),
            probes: Vec::new(),
            visits: BTreeMap::new(),
            jumps: coordinators.filter_map(jump).collect(),
            has_edge: context.depth == Depth::Network,
            clients: context.scenario.edges.clients,
            asking: BTreeSet::new(),
            is_proxied: context.scenario.edges.proxy == Some(Proxy::Trusted),
        }
    }

    pub(crate) fn event(&mut self, event: &Event<'_>) {
        use Sometimes as S;
        let reached = &mut self.reached;
        self.bounds.event(event, reached);
        match event.what {
            What::CoordinatorSettled(_, machine) => {
                let process = self.processes.entry(event.host).or_default();
                process.coordinator = *machine.counters();
                process.in_flight = machine.in_flight();
                process.answered.clear();
            }
            What::WorkerSettled(_, machine) => {
                let process = self.processes.entry(event.host).or_default();
                process.worker = *machine.counters();
                process.in_flight = machine.load().0 + machine.load().1;
            }
            What::CoordinatorInput(_, input) => {
                let process = self.processes.entry(event.host).or_default();
                let busy = process.in_flight > 0;
                match input {
                    Input::Submit(submit) => {
                        let policy = self.config.policy_of(&submit.query);
                        reached.insert_if(S::PolicyOfQuery, *policy != self.config.policy);
                        let outliers = submit.overrides.max_deviation.or(policy.rule.max_deviation);
                        process.waiting.insert(submit.ticket, outliers.is_some());
                    }
                    Input::Cancel(ticket) => drop(process.waiting.remove(ticket)),
                    Input::BusUp => {
                        let at_once = self.config.reconnect_grace.as_millis() <= 1;
                        reached.insert_if(S::NoReconnectGrace, at_once && busy && process.connections > 0);
                        process.connections += 1;
                        reached.insert_if(S::Reconnected, process.connections > 1);
                    }
                    Input::BusDown => reached.insert_if(S::DisconnectedInFlight, busy),
                    Input::Drain => process.stopping_busy = busy,
                    Input::Presence(presence) => {
                        reached.insert_if(
                            S::WorkerLeftInFlight,
                            busy && presence.state == coordinator::PresenceState::Left,
                        );
                    }
                    _ => {}
                }
            }
            What::CoordinatorOutput(_, Output::Answer { ticket, reply }) => {
                let process = self.processes.entry(event.host).or_default();
                let outliers = process.waiting.remove(ticket).unwrap_or(true);
                if let Ok(outcome) = reply {
                    self.outcome(outcome, outliers);
                }
            }
            What::CoordinatorOutput(_, Output::Drained) => {
                let busy = self.processes.get(&event.host).is_some_and(|process| process.stopping_busy);
                reached.insert_if(S::DrainedInFlight, busy);
            }
            What::WorkerInput(_, worker::Input::Drain) => {
                let process = self.processes.entry(event.host).or_default();
                reached.insert_if(S::WorkerDrainedBusy, process.in_flight > 0);
            }
            What::WorkerOutput(_, worker::Output::Abort(_)) => reached.insert(S::WorkerAborted),
            What::WorkerInput(_, worker::Input::Done { observed: Err(words), .. }) => {
                reached.insert_if(S::SourcePanicked, **words == *PANICKED);
            }
            What::Sent(Message { subject, body: Body::Presence(presence), .. }) => {
                let is_called = subject.starts_with("_INBOX.") && matches!(event.host, Host::Worker(_));
                reached.insert_if(
                    S::CalledWhileDraining,
                    is_called && presence.state == coordinator::PresenceState::Draining,
                );
            }
            What::Edge(Edge::Carries(_)) => reached.insert(S::Traced),
            What::Visited(place, visit) => self.visited(place, visit),
            What::VisitEnded(place, read) => self.visit_ended(place, read),
            What::Stopping => {
                let lingers = self.visits.values().any(|visit| {
                    matches!(visit.kind, VisitKind::Linger(..)) && Host::Coordinator(visit.coordinator) == event.host
                });
                reached.insert_if(S::StoppedLingering, lingers);
            }
            What::Unsent(_, PublishError::Disconnected) => reached.insert(S::UnsentDisconnected),
            What::Unsent(_, PublishError::Full) => reached.insert(S::UnsentFull),
            What::Received(message) => {
                match &message.body {
                    Body::Result(result) => {
                        let is_dated = matches!(result.age, Some(Age::ObservedAt(_)));
                        reached.insert_if(S::ObservedAt, is_dated);
                        let lasts = |jump: &ClockJump| {
                            (jump.at_ms..jump.at_ms.saturating_add(jump.for_ms)).contains(&(event.at / 1_000_000))
                        };
                        let is_wrong = self.jumps.iter().any(|(host, jump)| *host == event.host && lasts(jump));
                        reached.insert_if(S::ObservedAtByWrongClock, is_dated && is_wrong);
                        self.processes.entry(event.host).or_default().answered.insert(result.worker.clone());
                    }
                    Body::Presence(presence) if presence.state == coordinator::PresenceState::Left => {
                        let answered = self.processes.get(&event.host).map(|process| &process.answered);
                        let at_once = answered.is_some_and(|answered| answered.contains(&presence.worker));
                        reached.insert_if(S::FarewellWithAnswer, at_once && self.has_edge);
                    }
                    _ => {}
                }
                reached.insert_if(S::GarbageReceived, matches!(message.body, Body::Garbage(_)));
            }
            What::Asked(asked) => {
                let by = if self.is_proxied { forwarded_for(asked.number) } else { 0 };
                self.asking.insert((event.host, by));
                if asked.place.is_none() {
                    self.probes.push(asked.number);
                }
            }
            What::Replied(number, reply) => self.replied(number, reply),
            What::Vanished(_) => reached.insert(S::ClientVanished),
            What::FaultBegan(_, fault) => reached.insert(fault_reached(&fault.kind)),
            What::Crashed => {
                let busy = self.processes.get(&event.host).is_some_and(|process| process.in_flight > 0);
                reached.insert_if(S::CrashedInFlight, busy && matches!(event.host, Host::Coordinator(_)));
                self.ended(event.host);
            }
            What::Stopped => self.ended(event.host),
            What::Ended => {
                for host in self.processes.keys().copied().collect::<Vec<_>>() {
                    self.ended(host);
                }
            }
            _ => {}
        }
    }

    pub(crate) fn reached(&self) -> Reached {
        self.reached
    }

    fn replied(&mut self, number: u32, reply: &Reply) {
        let complete = match reply {
            Reply::Lost => {
                self.reached.insert(Sometimes::ClientLost);
                false
            }
            Reply::Ended(Ok(outcome)) => outcome.verdict.is_ok() && outcome.missing.is_empty(),
            Reply::Ended(Err(_)) => false,
            Reply::Http { status, body, .. } => {
                self.reached.insert_if(Sometimes::RateLimited, *status == 429);
                self.reached.insert_if(Sometimes::RateLimitedByProxy, *status == 429 && self.is_proxied);
                let are_more = self.clients.is_some_and(|clients| self.asking.len() > clients);
                self.reached.insert_if(Sometimes::AllowanceShared, *status == 429 && are_more);
                self.reached.insert_if(Sometimes::ConnectionRefused, is_one_too_many(*status, body));
                let body: serde_json::Value = serde_json::from_str(body).unwrap_or_default();
                *status == 200 && body["missing"].as_array().is_some_and(Vec::is_empty)
            }
        };
        self.reached.insert_if(Sometimes::Recovered, complete && self.probes.contains(&number));
    }

    fn visited(&mut self, place: usize, visit: &Visit) {
        self.visits.insert(place, *visit);
        self.reached.insert_if(Sometimes::Lingered, matches!(visit.kind, VisitKind::Linger(..)));
    }

    fn visit_ended(&mut self, place: usize, read: Option<&Read>) {
        let (Some(visit), Some(read)) = (self.visits.remove(&place), read) else { return };
        self.reached.insert_if(Sometimes::PageNotReady, read.status == 503);
        match visit.kind {
            VisitKind::Malformed(_) => self.reached.insert_if(Sometimes::MalformedRefused, read.status >= 400),
            VisitKind::Read(page) => self.reached.insert(match page {
                Page::Workers => Sometimes::PageWorkers,
                Page::Metrics => Sometimes::PageMetrics,
                Page::Health => Sometimes::PageHealth,
                Page::Ready => Sometimes::PageReady,
            }),
            VisitKind::Follow { .. } => {
                self.reached.insert_if(Sometimes::ReaderRefused, read.status == TOO_MANY_READERS);
                let resumed = read.body.split(FOLLOWED_AGAIN).filter(|part| part.contains("\nid: ")).count() > 1;
                self.reached.insert_if(Sometimes::EventsResumed, resumed);
                self.reached.insert_if(Sometimes::EventsMissed, read.body.contains("event: missed"));
            }
            VisitKind::Linger(..) => {}
        }
    }

    /// A request ended; `outliers` says whether there was an outlier rule for it.
    fn outcome(&mut self, outcome: &Outcome, outliers: bool) {
        let disputed = match &outcome.verdict {
            Ok(answer) => answer.status == Status::Disputed,
            Err(failure) => matches!(failure, Failure::Disputed { .. }),
        };
        self.reached.insert_if(Sometimes::TooFewAgreed, disputed && !outliers);
        self.reached.insert_if(Sometimes::WeightsDecided, weights_decided(outcome));
        self.reached.insert_if(Sometimes::Stalled, outcome.cause == Cause::Stalled);
        self.reached.insert_if(Sometimes::Tie, outcome.verdict.as_ref().is_ok_and(|answer| answer.tie));
        for excluded in outcome.observations.iter().filter_map(|observation| observation.excluded) {
            self.reached.insert(match excluded {
                Exclusion::Outlier => Sometimes::ExcludedOutlier,
                Exclusion::Quarantined => Sometimes::ExcludedQuarantined,
                Exclusion::NotANumber => Sometimes::ExcludedText,
                Exclusion::Stale => Sometimes::ExcludedStale,
                Exclusion::Newcomer => Sometimes::ExcludedNewcomer,
            });
        }
    }

    /// A process has ended: what it has counted is what it has reached.
    fn ended(&mut self, host: Host) {
        use Sometimes as S;
        let Some(process) = self.processes.remove(&host) else { return };
        let (counted, worker) = (process.coordinator, process.worker);
        for (what, count) in [
            (S::LateResult, counted.results_late),
            (S::DuplicateResult, counted.results_duplicate),
            (S::EquivocalResult, counted.results_equivocal),
            (S::UnknownResult, counted.results_unknown),
            (S::MisdirectedResult, counted.results_misdirected),
            (S::NotAdmitted, counted.workers_not_admitted),
            (S::Redispatched, counted.redispatched),
            (S::RedispatchRescued, counted.redispatch_rescued),
            (S::QuorumEarly, counted.quorum_early),
            (S::QuorumInVain, counted.quorum_in_vain),
            (S::AnsweredComplete, counted.answered_complete),
            (S::AnsweredPartial, counted.answered_partial),
            (S::AnsweredLowReliability, counted.answered_low_reliability),
            (S::AnsweredDisputed, counted.answered_disputed),
            (S::BelowMinimum, counted.failed_insufficient_responses),
            (S::DisputeRejected, counted.failed_disputed),
            (S::DeadlineExceeded, counted.failed_deadline_exceeded),
            (S::NoResponders, counted.failed_no_workers),
            (S::NoRespondersDoubted, counted.no_responders_doubted),
            (S::NoRespondersRefuted, counted.no_responders_refuted),
            (S::NoRespondersConfirmed, counted.no_responders_confirmed),
            (S::FailedForBus, counted.failed_bus_down),
            (S::FailedForQueue, counted.failed_overloaded),
            (S::Cancelled, counted.cancelled),
            (S::Joined, counted.requests_joined),
            (S::Replayed, counted.requests_replayed),
            (S::RefusedConflict, counted.refused_conflict),
            (S::RefusedPolicy, counted.refused_policy),
            (S::RefusedOverloaded, counted.refused_overloaded),
            (S::RefusedDraining, counted.refused_draining),
            (S::RefusedBusDown, counted.refused_bus_down),
            (S::WorkerRepeated, worker.tasks_repeated),
            (S::WorkerRefused, worker.tasks_refused),
            (S::WorkerExpired, worker.tasks_expired),
        ] {
            self.reached.insert_if(what, count > 0);
        }
    }
}

/// Whether the answer is another than if all had the same weight.
fn weights_decided(outcome: &Outcome) -> bool {
    let Ok(answer) = &outcome.verdict else { return false };
    let used = outcome.observations.iter().filter(|observation| observation.excluded.is_none());
    let mut numbers: Vec<_> = used.filter_map(|used| used.observed.as_ref().ok()?.as_number()).collect();
    outcome.strategy == Strategy::WeightedMedian && answer.value.as_number() != median(&mut numbers)
}

fn fault_reached(kind: &FaultKind) -> Sometimes {
    use Sometimes as S;
    match kind {
        FaultKind::Partition(..) => S::FaultPartition,
        FaultKind::PartitionOneWay(..) => S::FaultPartitionOneWay,
        FaultKind::Hold(..) => S::FaultHold,
        FaultKind::Slow(..) => S::FaultSlow,
        FaultKind::Loss(..) => S::FaultLoss,
        FaultKind::Crash(..) => S::FaultCrash,
        FaultKind::Stop(..) => S::FaultStop,
        FaultKind::Freeze(Host::Coordinator(_)) => S::FaultFreezeCoordinator,
        FaultKind::Freeze(..) => S::FaultFreeze,
        FaultKind::Bridge(..) => S::FaultBridge,
        FaultKind::ReconnectStorm(..) => S::FaultReconnectStorm,
        FaultKind::SlowSource(..) => S::FaultSlowSource,
        FaultKind::FailSource(..) => S::FaultFailSource,
        FaultKind::PanicSource(..) => S::FaultPanicSource,
        FaultKind::StaleSource(..) => S::FaultStaleSource,
        FaultKind::Lie(..) => S::FaultLie,
        FaultKind::PresenceLost(..) => S::FaultPresenceLost,
        FaultKind::Mischief(_, mischief, _) => match mischief {
            Mischief::Duplicate => S::MischiefDuplicate,
            Mischief::Equivocate => S::MischiefEquivocate,
            Mischief::Delay(_) => S::MischiefDelay,
            Mischief::Reorder => S::MischiefReorder,
            Mischief::Corrupt => S::MischiefCorrupt,
            Mischief::Oversize => S::MischiefOversize,
            Mischief::Impersonate(_) => S::MischiefImpersonate,
            Mischief::Misattribute => S::MischiefMisattribute,
            Mischief::Misdirect => S::MischiefMisdirect,
            Mischief::Drop => S::MischiefDrop,
        },
        FaultKind::Forge(forgery, _) => match forgery {
            Forgery::UnknownRequest => S::ForgedUnknownRequest,
            Forgery::Answer(_) => S::ForgedAnswer,
            Forgery::AnswerShared(_) => S::ForgedAnswerShared,
            Forgery::Live(_) => S::ForgedLive,
            Forgery::Left(_) => S::ForgedLeft,
            Forgery::Draining(_) => S::ForgedDraining,
            Forgery::NoResponders => S::ForgedNoResponders,
            Forgery::First(_) => S::ForgedFirst,
            Forgery::Repeats(..) => S::ForgedRepeats,
            Forgery::Flood(Flood::Answers, _) => S::FloodOfAnswers,
            Forgery::Flood(Flood::Shared, _) => S::FloodOfShared,
            Forgery::Flood(Flood::Ended, _) => S::FloodOfEnded,
            Forgery::Flood(Flood::Live, _) => S::FloodOfLive,
            Forgery::Garbage => S::ForgedGarbage,
            Forgery::Task => S::ForgedTask,
        },
    }
}
