//! Once the faults have healed, every request is answered in time with every admitted worker that runs and offers its
//! query.
//!
//! This is judged by probes: requests that are made once everything has had time to reconnect. What the scenario itself
//! rules out is not demanded: an answer of a worker that is too slow or fails by itself, waiting beyond a quorum, more
//! workers than the registry has room for, more values than there are.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use quorate_core::aggregate::{OutlierRule, Rule, Strategy};
use quorate_core::coordinator::{Config, Expected, Input, Refusal};
use quorate_core::id::WorkerId;
use quorate_core::offer::Offer;
use quorate_core::outcome::{Failure, Outcome};
use quorate_core::policy::{OnDispute, Policy};
use quorate_model::policy;

use crate::checkers::{Checker, Context};
use crate::event::{Event, Question, Reply, What};
use crate::host::Host;
use crate::scenario::{QUERIES, Settings, Truth, Worker, worker_name};

/// What scheduling may add to a path of several messages.
const PAUSE: Duration = Duration::from_millis(20);

#[derive(Debug)]
pub(crate) struct Recovery {
    settings: Settings,
    config: Config,
    workers: Vec<Worker>,
    latency: Duration,
    broker_queue: usize,
    running: BTreeMap<Host, bool>,
    /// The names of all worker processes, with what each process of the name offers.
    names: BTreeMap<WorkerId, Vec<Offer>>,
    /// When each coordinator last heard a name that no worker process has, or an offer that no process of that name
    /// makes.
    fakes: BTreeMap<(Host, WorkerId), u64>,
    healed: bool,
    /// The workers with a record at each coordinator, as of its last step since the faults healed.
    proven: BTreeMap<Host, BTreeSet<WorkerId>>,
    open: BTreeMap<u32, Probe>,
}

/// A request that must be answered.
#[derive(Debug)]
struct Probe {
    at: u64,
    coordinator: Host,
    query: usize,
    /// Who should be there for it.
    should: Expected,
    text: &'static str,
    policy: Policy,
    is_valid: bool,
    /// The workers that had a record when it was made. The others are expected only in turn.
    proven: BTreeSet<WorkerId>,
    /// The worker processes that ran when it was made.
    processes: Vec<Worker>,
    /// The most probes that were open at the same time as this one, itself included.
    concurrent: usize,
    /// The number of messages that may wait at the broker for one host before it is cut off.
    broker_queue: usize,
}

/// What a response told a client.
#[derive(Debug, Default)]
struct Learned {
    ending: Ending,
    /// Whether every worker that should have answered sent a value.
    is_complete: bool,
    /// Whether the request waited no longer for suspects.
    is_without_suspects: bool,
    /// The missing workers that were not there.
    absent: Vec<String>,
    /// The workers that answered, each with whether it sent a value.
    answered: Vec<(String, bool)>,
    missing: Vec<String>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Ending {
    Answer,
    Insufficient,
    Disputed,
    Deadline,
    NoWorkers,
    Unoffered,
    Limited,
    Invalid,
    #[default]
    Other,
}

pub(crate) fn new(context: &Context<'_>) -> Recovery {
    let cluster = &context.scenario.cluster;
    let mut names = BTreeMap::<WorkerId, Vec<Offer>>::new();
    for worker in &cluster.workers {
        names.entry(worker.id()).or_default().push(worker.offer());
    }
    Recovery {
        settings: cluster.settings.clone(),
        config: cluster.settings.config(),
        workers: cluster.workers.clone(),
        latency: Duration::from_micros(cluster.network.latency_us.1),
        broker_queue: cluster.bus.broker_queue,
        running: BTreeMap::new(),
        names,
        fakes: BTreeMap::new(),
        healed: false,
        proven: BTreeMap::new(),
        open: BTreeMap::new(),
    }
}

impl Learned {
    fn of(reply: &Reply) -> Self {
        match reply {
            Reply::Ended(Ok(outcome)) => Self::of_outcome(outcome),
            Reply::Ended(Err(Refusal::Policy(_))) => Self { ending: Ending::Invalid, ..Self::default() },
            Reply::Ended(Err(Refusal::UnknownQuery | Refusal::NoWorkers)) => {
                Self { ending: Ending::Unoffered, ..Self::default() }
            }
            Reply::Ended(Err(_)) | Reply::Lost => Self::default(),
            Reply::Http { status, body, .. } => Self::of_body(*status, body),
        }
    }

    fn of_outcome(outcome: &Outcome) -> Self {
        let answered = outcome.observations.iter();
        Self {
            ending: match &outcome.verdict {
                Ok(_) => Ending::Answer,
                Err(Failure::InsufficientResponses { .. }) => Ending::Insufficient,
                Err(Failure::DeadlineExceeded) => Ending::Deadline,
                Err(Failure::Disputed { .. }) => Ending::Disputed,
                Err(Failure::NoWorkers) => Ending::NoWorkers,
                Err(Failure::BusDown | Failure::Overloaded) => Ending::Other,
            },
            is_complete: outcome.succeeded == outcome.expected(),
            is_without_suspects: !outcome.suspects.is_empty(),
            absent: outcome.absent.iter().map(|worker| worker.as_str().to_owned()).collect(),
            answered: answered.map(|said| (said.worker.as_str().to_owned(), said.observed.is_ok())).collect(),
            missing: outcome.missing.iter().map(|worker| worker.as_str().to_owned()).collect(),
        }
    }

    fn of_body(status: u16, body: &str) -> Self {
        let body: serde_json::Value = serde_json::from_str(body).unwrap_or_default();
        let list = |field: &str| body[field].as_array().cloned().unwrap_or_default();
        let name = |value: &serde_json::Value| value.as_str().unwrap_or_default().to_owned();
        Self {
            ending: match (status, body["error"].as_str()) {
                (200, _) => Ending::Answer,
                (422, _) => Ending::Insufficient,
                (409, Some("disputed")) => Ending::Disputed,
                (504, _) => Ending::Deadline,
                // Without evidence it was refused.
                (503, Some("no_workers")) if body["request_id"].is_null() => Ending::Unoffered,
                (503, Some("no_workers")) => Ending::NoWorkers,
                (404, Some("unknown_query")) => Ending::Unoffered,
                (429, _) => Ending::Limited,
                (400, _) => Ending::Invalid,
                _ => Ending::Other,
            },
            is_complete: body["succeeded"] == body["expected"],
            is_without_suspects: !list("suspects").is_empty(),
            absent: list("absent").iter().map(name).collect(),
            answered: list("worker_responses")
                .iter()
                .map(|said| (name(&said["worker_id"]), said["err"].is_null()))
                .collect(),
            missing: list("missing").iter().map(name).collect(),
        }
    }
}

impl Probe {
    /// Whether a process answers in time, whatever else it has to do.
    fn is_quick(&self, worker: &Worker, latency: Duration) -> bool {
        let rounds = self.concurrent.div_ceil(worker.max_concurrent.max(1));
        let observing = Duration::from_millis(worker.observe_ms.1) * u32::try_from(rounds).unwrap_or(u32::MAX);
        worker.does_offer(self.text)
            && self.has_room(worker)
            && observing + 6 * latency + PAUSE < self.policy.timeout.min(worker.config().max_ttl)
    }

    fn has_room(&self, worker: &Worker) -> bool {
        let is_cut_off = self.concurrent >= self.broker_queue;
        !is_cut_off && worker.max_concurrent.saturating_add(worker.max_queued) >= self.concurrent
    }

    /// The admitted names of running processes, each with whether it has a record and `all` holds for its processes.
    fn names(&self, settings: &Settings, all: impl Fn(&Worker) -> bool) -> BTreeMap<String, bool> {
        let mut names = BTreeMap::new();
        for worker in &self.processes {
            if settings.admitted.as_ref().is_none_or(|admitted| admitted.contains(&worker.name)) {
                let name = worker_name(worker.name);
                let has_record = self.proven.contains(&name);
                *names.entry(name.as_str().to_owned()).or_insert(true) &= has_record && all(worker);
            }
        }
        names
    }

    /// Whether the policy may reject a disputed answer.
    fn may_be_rejected(&self) -> bool {
        let Rule { max_deviation, min_agreement, .. } = self.policy.rule;
        let may_be_disputed = max_deviation != OutlierRule::None || min_agreement.is_some();
        self.policy.on_dispute == OnDispute::Reject && may_be_disputed
    }

    /// How many of `sure` values are certain to be usable.
    fn usable(&self, settings: &Settings, sure: usize) -> usize {
        // A fresh value whose message is lost is older when it is sent again.
        let may_be_stale = self.policy.rule.max_age.is_some_and(|most| most < self.policy.timeout);
        let Some(question) = QUERIES.get(self.query) else { return 0 };
        let is_of_use = match question.truth {
            Truth::Number { .. } => true,
            Truth::Text(_) => self.policy.rule.strategy == Strategy::Majority,
        };
        // By a different clock, a value that was observed just now may seem old.
        let may_seem_stale =
            self.policy.rule.max_age.is_some() && self.processes.iter().any(|worker| worker.observed_at);
        if !is_of_use || may_be_stale || may_seem_stale || settings.quarantine_below.is_some() {
            0
        } else if self.policy.rule.max_deviation != OutlierRule::None {
            // Fewer than half are ever excluded.
            sure / 2 + sure % 2
        } else {
            sure
        }
    }
}

impl Recovery {
    fn asked(&mut self, at: u64, asked: &Question) {
        if !self.healed || asked.place.is_some() || !self.is_running(asked.coordinator) {
            return;
        }
        let concurrent = self.open.len() + 1;
        for probe in self.open.values_mut() {
            probe.concurrent = probe.concurrent.max(concurrent);
        }
        let (query, overrides) = (asked.request.query_text(), asked.request.policy.overrides());
        let runs = |worker: &&Worker| self.is_running(Host::Worker(worker.number));
        let probe = Probe {
            at,
            coordinator: asked.coordinator,
            query: asked.request.query.into(),
            should: policy::of_operator(&self.config, query).1.clone(),
            text: query,
            policy: policy::with(policy::of_operator(&self.config, query).0, &overrides),
            is_valid: policy::in_force(&self.config, query, &overrides).is_ok(),
            proven: self.proven.get(&asked.coordinator).cloned().unwrap_or_default(),
            broker_queue: self.broker_queue,
            processes: self.workers.iter().filter(runs).cloned().collect(),
            concurrent,
        };
        self.open.insert(asked.number, probe);
    }

    fn is_running(&self, host: Host) -> bool {
        self.running.get(&host).copied().unwrap_or(false)
    }

    fn heard(&mut self, at: u64, coordinator: Host, worker: &WorkerId, offer: Option<&Offer>) {
        let is_made = |offers: &Vec<Offer>| offer.is_none_or(|offer| offers.contains(offer));
        if !self.names.get(worker).is_some_and(is_made) {
            self.fakes.insert((coordinator, worker.clone()), at);
        }
    }

    fn replied(&mut self, at: u64, number: u32, reply: &Reply) -> Result<(), String> {
        let Some(probe) = self.open.remove(&number) else { return Ok(()) };
        let took = Duration::from_nanos(at.saturating_sub(probe.at));
        if took > probe.policy.timeout + 8 * self.latency + PAUSE {
            return Err(format!("the faults have healed, but question {number} took {took:?}"));
        }
        self.check(&probe, &Learned::of(reply)).map_err(|why| {
            format!(
                "the faults have healed, but question {number} to {} ended wrongly: {why}; {reply:?}",
                probe.coordinator
            )
        })
    }

    fn check(&self, probe: &Probe, learned: &Learned) -> Result<(), String> {
        let settings = &self.settings;
        let offers = |worker: &Worker| worker.does_offer(probe.text);
        // There may be no room for any request, or for any answer.
        if settings.knobs.max_in_flight_bytes.is_some() {
            return Ok(());
        }
        match learned.ending {
            Ending::Limited if settings.rate_limit.is_some() => return Ok(()),
            Ending::Invalid if !probe.is_valid => return Ok(()),
            Ending::Limited | Ending::Invalid | Ending::Other => return Err("it was not answered".to_owned()),
            Ending::NoWorkers if !probe.processes.iter().any(offers) => return Ok(()),
            Ending::NoWorkers => return Err("it found no workers, although some run".to_owned()),
            Ending::Unoffered if !probe.names(settings, offers).into_values().any(|is_known| is_known) => return Ok(()),
            Ending::Unoffered => return Err("it found nobody who offers its query, although some do".to_owned()),
            Ending::Disputed if !probe.may_be_rejected() => {
                return Err("it was disputed, which its policy rules out".to_owned());
            }
            Ending::Answer | Ending::Insufficient | Ending::Disputed | Ending::Deadline => {}
        }
        let quick = probe.names(settings, |worker| probe.is_quick(worker, self.latency));
        let knows_it = probe.query < QUERIES.len();
        let sure = probe
            .names(settings, |worker| knows_it && worker.fail_permille == 0 && probe.is_quick(worker, self.latency));
        let recent = Duration::from_millis(settings.presence_ms) + PAUSE;
        let is_recent = |heard: &u64| probe.at < heard.saturating_add(recent.as_nanos() as u64);
        let fakes = self.fakes.iter().filter(|((of, _), at)| *of == probe.coordinator && is_recent(at));
        let fakes: Vec<&str> = fakes.map(|((_, worker), _)| worker.as_str()).collect();
        // Without room for all of them, any worker may be left out.
        if self.names.len() + fakes.len() > settings.max_workers as usize {
            return Ok(());
        }
        let offering: BTreeSet<WorkerId> =
            self.workers.iter().filter(|worker| offers(worker)).map(Worker::id).collect();
        let may_be_early = probe.policy.quorum.is_some() || learned.is_without_suspects;
        let is_early = may_be_early && learned.ending == Ending::Answer;
        if !is_early {
            for (name, _) in quick.iter().filter(|(_, is_quick)| **is_quick) {
                if !learned.answered.iter().any(|(answered, _)| answered == name) {
                    return Err(format!("{name} runs, but did not answer"));
                }
            }
            let is_offered = |name: &&String| offering.iter().any(|offers| offers.as_str() == name.as_str());
            let is_known = |name: &String| fakes.contains(&name.as_str()) || learned.absent.contains(name);
            let unknown = learned.missing.iter().find(|name| !is_offered(name) && !is_known(name));
            if let Some(unknown) = unknown {
                return Err(format!(
                    "{unknown} is listed as missing, but there is no such worker, or it does not offer the query"
                ));
            }
        }
        let is_sure = |name: &String| sure.get(name).is_some_and(|is_sure| *is_sure);
        if let Some((failed, _)) = learned.answered.iter().find(|(name, is_value)| !is_value && is_sure(name)) {
            return Err(format!("{failed} runs, but did not succeed"));
        }
        let certain = sure.values().filter(|is_sure| **is_sure).count();
        if !matches!(learned.ending, Ending::Answer | Ending::Disputed) {
            let usable = probe.usable(settings, certain);
            if usable >= probe.policy.min_responses as usize {
                return Err(format!("it failed, although at least {usable} values were usable"));
            }
        }
        let must_be_complete = learned.ending == Ending::Answer
            && !is_early
            && certain == offering.len()
            && fakes.is_empty()
            && probe.should == Expected::default();
        if must_be_complete && !(learned.is_complete && learned.missing.is_empty()) {
            return Err("the answer is not complete".to_owned());
        }
        Ok(())
    }
}

impl Checker for Recovery {
    fn event(&mut self, event: &Event<'_>) -> Result<(), String> {
        match event.what {
            What::Started { .. } => drop(self.running.insert(event.host, true)),
            What::Crashed | What::Stopping | What::Stopped => drop(self.running.insert(event.host, false)),
            What::Healed => self.healed = true,
            What::CoordinatorInput(_, Input::Presence(presence)) => {
                self.heard(event.at, event.host, &presence.worker, Some(&presence.offer));
            }
            What::CoordinatorInput(_, Input::Result(result)) => self.heard(event.at, event.host, &result.worker, None),
            What::CoordinatorSettled(_, machine) if self.healed => {
                let proven = machine.workers().filter(|(_, worker)| worker.proven);
                self.proven.insert(event.host, proven.map(|(id, _)| id.clone()).collect());
            }
            What::Asked(asked) => self.asked(event.at, asked),
            What::Replied(number, reply) => return self.replied(event.at, number, reply),
            What::Vanished(number) => drop(self.open.remove(&number)),
            What::Ended => {
                if let Some(number) = self.open.keys().next() {
                    return Err(format!("the faults have healed, but question {number} was never answered"));
                }
            }
            _ => {}
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
