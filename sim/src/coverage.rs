//! What a run should reach sometimes: a simulation that reaches nothing finds nothing.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use quorate_core::aggregate::{Exclusion, Strategy, median};
use quorate_core::coordinator::{self, Config, Counters, Input, Output};
use quorate_core::id::WorkerId;
use quorate_core::outcome::{Cause, Failure, Outcome, Status};
use quorate_core::worker;
use quorate_runtime::bus::PublishError;

mod bounds;
mod sometimes;
mod store;

use bounds::Bounds;
pub use sometimes::Sometimes;
use store::StoreCoverage;

use crate::Depth;
use crate::checkers::{Context, is_one_too_many};
use crate::edge::Edge;
use crate::event::{Age, Body, Event, FOLLOWED_AGAIN, Message, Read, Reply, TOO_MANY_READERS, What, is_of_a_pack};
use crate::host::Host;
use crate::observe::PANICKED;
use crate::scenario::{ClockJump, Coordinator, Page, Proxy, Visit, VisitKind, forwarded_for};

/// What one run reached, as a set.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Reached([u64; 4]);

impl Reached {
    /// Adds one thing that was reached.
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

/// The state of one process.
#[derive(Debug, Default)]
struct Process {
    coordinator: Counters,
    worker: worker::Counters,
    in_flight: usize,
    /// The workers whose results have come since the last pass ended.
    answered: BTreeSet<WorkerId>,
    /// The reply subject of the pack to which the last task belongs that it sent.
    pack: Option<Arc<str>>,
    /// The number of connections that it has had.
    connections: u32,
    /// Whether requests were in flight when it was told to stop.
    stopping_busy: bool,
}

/// Notes what a run reaches.
#[derive(Debug)]
pub(crate) struct Coverage {
    config: Config,
    reached: Reached,
    processes: BTreeMap<Host, Process>,
    bounds: Bounds,
    store: StoreCoverage,
    probes: Vec<u32>,
    /// The visits under way, by their place in the scenario.
    visits: BTreeMap<usize, Visit>,
    /// When each coordinator's time of day is wrong.
    jumps: Vec<(Host, ClockJump)>,
    has_edge: bool,
    has_store: bool,
    is_proxied: bool,
    /// The number of clients that a rate limiter distinguishes, if a seed bounds it.
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
            store: StoreCoverage::default(),
            probes: Vec::new(),
            visits: BTreeMap::new(),
            jumps: coordinators.filter_map(jump).collect(),
            has_edge: context.depth == Depth::Network,
            has_store: context.depth == Depth::Store,
            clients: context.scenario.edges.clients,
            asking: BTreeSet::new(),
            is_proxied: context.scenario.edges.proxy == Some(Proxy::Trusted),
        }
    }

    pub(crate) fn event(&mut self, event: &Event<'_>) {
        use Sometimes as S;
        let reached = &mut self.reached;
        self.bounds.event(event, reached);
        if self.has_store {
            self.store.event(event, reached);
        }
        match event.what {
            What::CoordinatorSettled(_, machine) => {
                let process = self.processes.entry(event.host).or_default();
                process.coordinator = *machine.counters();
                process.in_flight = machine.in_flight();
            }
            What::Edge(Edge::PassEnded(_)) => {
                self.processes.entry(event.host).or_default().answered.clear();
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
                    }
                    Input::Result(result) => reached.insert_if(S::WorkerOverloaded, result.is_refusal()),
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
            What::CoordinatorOutput(_, Output::Answer { reply: Ok(outcome), .. }) => self.outcome(outcome),
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
            What::Sent(Message { reply, body: Body::Task(task), .. })
                if task.packed.is_some() && matches!(event.host, Host::Coordinator(_)) =>
            {
                let pack = &mut self.processes.entry(event.host).or_default().pack;
                reached.insert(S::Packed);
                reached.insert_if(S::PackedTogether, pack == reply);
                reached.insert_if(S::PackedAgain, task.attempt == 2);
                pack.clone_from(reply);
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
                let is_notice = matches!(message.body, Body::NoResponders);
                reached.insert_if(S::PackUnheard, is_notice && is_of_a_pack(&message.subject));
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
            What::FaultBegan(_, fault) => reached.insert(Sometimes::fault(&fault.kind)),
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

    /// Counts what an outcome shows.
    fn outcome(&mut self, outcome: &Outcome) {
        let disputed = match &outcome.verdict {
            Ok(answer) => answer.status == Status::Disputed,
            Err(failure) => matches!(failure, Failure::Disputed { .. }),
        };
        // A rule that excludes outliers has found a majority, so it is not the reason for the dispute.
        let has_majority = outcome.observations.iter().any(|it| it.excluded == Some(Exclusion::Outlier));
        self.reached.insert_if(Sometimes::TooFewAgreed, disputed && has_majority);
        self.reached.insert_if(Sometimes::WeightsDecided, weights_decided(outcome));
        self.reached.insert_if(Sometimes::Stalled, outcome.cause == Cause::Stalled);
        self.reached.insert_if(Sometimes::Absent, !outcome.absent.is_empty());
        self.reached.insert_if(Sometimes::Unnamed, outcome.unnamed > 0);
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

    /// Counts what a process that has ended had counted.
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
            (S::RefusedUnknownQuery, counted.refused_unknown_query),
            (S::RefusedNoWorkers, counted.refused_no_workers),
            (S::WorkerSuspected, counted.workers_suspected),
            (S::SuspectsEarly, counted.suspects_early),
            (S::SuspectsInVain, counted.suspects_in_vain),
            (S::WorkerRepeated, worker.tasks_repeated),
            (S::WorkerRefused, worker.tasks_refused),
            (S::WorkerUnoffered, worker.tasks_unoffered),
            (S::WorkerExpired, worker.tasks_expired),
        ] {
            self.reached.insert_if(what, count > 0);
        }
    }
}

/// Whether equal weights would have given another answer.
fn weights_decided(outcome: &Outcome) -> bool {
    let Ok(answer) = &outcome.verdict else { return false };
    let used = outcome.observations.iter().filter(|observation| observation.excluded.is_none());
    let mut numbers: Vec<_> = used.filter_map(|used| used.observed.as_ref().ok()?.as_number()).collect();
    outcome.strategy == Strategy::WeightedMedian && answer.value.as_number() != median(&mut numbers)
}
