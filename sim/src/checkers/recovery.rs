//! Once the faults have healed, every request is answered in time with every admitted worker that runs.
//!
//! Judged by the requests that are made for it, when everything has had the time to find itself again. What the scenario
//! itself makes impossible is not asked for: a worker that takes too long or fails of its own, a quorum that does not
//! wait, more workers than there is room for, more values required than there are.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use quorate_core::aggregate::Strategy;
use quorate_core::coordinator::{Input, Refusal};
use quorate_core::id::WorkerId;
use quorate_core::outcome::{Failure, Outcome, Status};

use super::terms::Terms;
use super::{Checker, Context};
use crate::event::{Asked, Event, Reply, What};
use crate::host::Host;
use crate::scenario::{QUERIES, Settings, Truth, Worker, worker_name};

/// What scheduling may add to a way of several messages.
const PAUSE: Duration = Duration::from_millis(20);

#[derive(Debug)]
pub(super) struct Recovery {
    settings: Settings,
    terms: Terms,
    workers: Vec<Worker>,
    latency: Duration,
    running: BTreeMap<Host, bool>,
    /// The names that some process has.
    names: BTreeSet<WorkerId>,
    /// When a coordinator last heard of a worker that no process is.
    fakes: BTreeMap<(Host, WorkerId), u64>,
    healed: bool,
    open: BTreeMap<u32, Probe>,
}

/// A request that must be answered.
#[derive(Debug)]
struct Probe {
    at: u64,
    coordinator: Host,
    query: usize,
    terms: Terms,
    is_valid: bool,
    /// The processes that ran when it was made.
    processes: Vec<Worker>,
    /// How many such requests were open at once.
    at_once: usize,
}

/// What a client learned.
#[derive(Debug, Default)]
struct Learned {
    ending: Ending,
    is_complete: bool,
    /// Who answered, and whether with a value.
    answered: Vec<(String, bool)>,
    missing: Vec<String>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Ending {
    Answer,
    Insufficient,
    Deadline,
    NoWorkers,
    Limited,
    Invalid,
    #[default]
    Other,
}

pub(super) fn new(context: &Context<'_>) -> Recovery {
    let cluster = &context.scenario.cluster;
    Recovery {
        settings: cluster.settings.clone(),
        terms: Terms::of_settings(&cluster.settings),
        workers: cluster.workers.clone(),
        latency: Duration::from_micros(cluster.network.latency_us.1),
        running: BTreeMap::new(),
        names: cluster.workers.iter().map(Worker::id).collect(),
        fakes: BTreeMap::new(),
        healed: false,
        open: BTreeMap::new(),
    }
}

impl Learned {
    fn of(reply: &Reply) -> Self {
        match reply {
            Reply::Ended(Ok(outcome)) => Self::of_outcome(outcome),
            Reply::Ended(Err(Refusal::Policy(_))) => Self { ending: Ending::Invalid, ..Self::default() },
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
                Err(Failure::NoWorkers) => Ending::NoWorkers,
                Err(Failure::BusDown | Failure::Overloaded) => Ending::Other,
            },
            is_complete: outcome
                .verdict
                .as_ref()
                .is_ok_and(|answer| matches!(answer.status, Status::Complete | Status::Disputed)),
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
                (504, _) => Ending::Deadline,
                (503, Some("no_workers")) => Ending::NoWorkers,
                (429, _) => Ending::Limited,
                (400, _) => Ending::Invalid,
                _ => Ending::Other,
            },
            is_complete: matches!(body["status"].as_str(), Some("complete" | "disputed")),
            answered: list("worker_responses").iter().map(|said| (name(&said["worker_id"]), said["err"].is_null())).collect(),
            missing: list("missing").iter().map(name).collect(),
        }
    }
}

impl Probe {
    /// Whether a process answers in time, whatever else it has to do.
    fn is_quick(&self, worker: &Worker, latency: Duration) -> bool {
        let rounds = self.at_once.div_ceil(worker.max_concurrent.max(1));
        let observing = Duration::from_millis(worker.observe_ms.1) * u32::try_from(rounds).unwrap_or(u32::MAX);
        self.has_room(worker) && observing + 6 * latency + PAUSE < self.terms.timeout
    }

    fn has_room(&self, worker: &Worker) -> bool {
        worker.max_concurrent.saturating_add(worker.max_queued) >= self.at_once
    }

    /// The admitted names that run, and whether all their processes are like this.
    fn names(&self, settings: &Settings, all: impl Fn(&Worker) -> bool) -> BTreeMap<String, bool> {
        let mut names = BTreeMap::new();
        for worker in &self.processes {
            if settings.admitted.as_ref().is_none_or(|admitted| admitted.contains(&worker.name)) {
                *names.entry(worker_name(worker.name).as_str().to_owned()).or_insert(true) &= all(worker);
            }
        }
        names
    }

    /// How many values are usable for certain.
    fn usable(&self, settings: &Settings, sure: usize) -> usize {
        let Some(question) = QUERIES.get(self.query) else { return 0 };
        let is_of_use = match question.truth {
            Truth::Number { .. } => true,
            Truth::Text(_) => self.terms.strategy == Strategy::Majority,
        };
        if !is_of_use || settings.cordon_below.is_some() {
            0
        } else if self.terms.max_deviation.is_some() {
            // Fewer than half are ever excluded.
            sure / 2 + sure % 2
        } else {
            sure
        }
    }
}

impl Recovery {
    fn asked(&mut self, at: u64, asked: &Asked) {
        if !self.healed || asked.place.is_some() || !self.is_running(asked.coordinator) {
            return;
        }
        let at_once = self.open.len() + 1;
        for probe in self.open.values_mut() {
            probe.at_once = probe.at_once.max(at_once);
        }
        let terms = self.terms.with_request(&asked.request.policy);
        let runs = |worker: &&Worker| self.is_running(Host::Worker(worker.number));
        let probe = Probe {
            at,
            coordinator: asked.coordinator,
            query: asked.request.query.into(),
            terms,
            is_valid: !terms.faults(&self.settings).any(),
            processes: self.workers.iter().filter(runs).cloned().collect(),
            at_once,
        };
        self.open.insert(asked.number, probe);
    }

    fn is_running(&self, host: Host) -> bool {
        self.running.get(&host).copied().unwrap_or(false)
    }

    fn heard(&mut self, at: u64, coordinator: Host, worker: &WorkerId) {
        if !self.names.contains(worker) {
            self.fakes.insert((coordinator, worker.clone()), at);
        }
    }

    fn replied(&mut self, at: u64, number: u32, reply: &Reply) -> Result<(), String> {
        let Some(probe) = self.open.remove(&number) else { return Ok(()) };
        let took = Duration::from_nanos(at.saturating_sub(probe.at));
        if took > probe.terms.timeout + 8 * self.latency + PAUSE {
            return Err(format!("all is well again, and question {number} took {took:?}"));
        }
        self.check(&probe, &Learned::of(reply)).map_err(|why| {
            format!("all is well again, and question {number} to {} ends so: {why}; {reply:?}", probe.coordinator)
        })
    }

    fn check(&self, probe: &Probe, learned: &Learned) -> Result<(), String> {
        let settings = &self.settings;
        match learned.ending {
            Ending::Limited if settings.rate_limit.is_some() => return Ok(()),
            Ending::Invalid if !probe.is_valid => return Ok(()),
            Ending::Limited | Ending::Invalid | Ending::Other => return Err("it is not answered".to_owned()),
            Ending::NoWorkers if probe.processes.is_empty() => return Ok(()),
            Ending::NoWorkers => return Err("there are workers".to_owned()),
            Ending::Answer | Ending::Insufficient | Ending::Deadline => {}
        }
        let quick = probe.names(settings, |worker| probe.is_quick(worker, self.latency));
        let knows_it = probe.query < QUERIES.len();
        let sure =
            probe.names(settings, |worker| {
                knows_it && worker.fail_permille == 0 && probe.is_quick(worker, self.latency)
            });
        let recent = Duration::from_millis(settings.presence_ms) + PAUSE;
        let is_recent = |heard: &u64| probe.at < heard.saturating_add(recent.as_nanos() as u64);
        let fakes = self.fakes.iter().filter(|((of, _), at)| *of == probe.coordinator && is_recent(at));
        let fakes: Vec<&str> = fakes.map(|((_, worker), _)| worker.as_str()).collect();
        // Without room for all of them, anybody may be left out.
        if self.names.len() + fakes.len() > settings.max_workers as usize {
            return Ok(());
        }
        let is_early = probe.terms.quorum.is_some() && learned.ending == Ending::Answer;
        if !is_early {
            for (name, _) in quick.iter().filter(|(_, is_quick)| **is_quick) {
                if !learned.answered.iter().any(|(answered, _)| answered == name) {
                    return Err(format!("{name} runs and is not heard"));
                }
            }
            let is_no_process = |name: &&String| self.names.iter().all(|known| known.as_str() != name.as_str());
            let unknown = learned.missing.iter().filter(is_no_process).find(|name| !fakes.contains(&name.as_str()));
            if let Some(unknown) = unknown {
                return Err(format!("{unknown} is missing, and there is no such worker"));
            }
        }
        let is_sure = |name: &String| sure.get(name).is_some_and(|is_sure| *is_sure);
        if let Some((failed, _)) = learned.answered.iter().find(|(name, is_value)| !is_value && is_sure(name)) {
            return Err(format!("{failed} runs and does not succeed"));
        }
        let certain = sure.values().filter(|is_sure| **is_sure).count();
        if learned.ending != Ending::Answer {
            let usable = probe.usable(settings, certain);
            if usable >= probe.terms.min_responses as usize {
                return Err(format!("{usable} values or more are of use"));
            }
        }
        let must_be_complete =
            learned.ending == Ending::Answer && !is_early && certain == self.names.len() && fakes.is_empty();
        if must_be_complete && !(learned.is_complete && learned.missing.is_empty()) {
            return Err("it is not complete".to_owned());
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
            What::CoordinatorInput(_, Input::Presence(presence)) => self.heard(event.at, event.host, &presence.worker),
            What::CoordinatorInput(_, Input::Result(result)) => self.heard(event.at, event.host, &result.worker),
            What::Asked(asked) => self.asked(event.at, asked),
            What::Replied(number, reply) => return self.replied(event.at, number, reply),
            What::Vanished(number) => drop(self.open.remove(&number)),
            What::Ended => {
                if let Some(number) = self.open.keys().next() {
                    return Err(format!("all is well again, and question {number} was never answered"));
                }
            }
            _ => {}
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use quorate_core::coordinator::PresenceState;
    use quorate_core::outcome::Cause;
    use serde_json::json;

    use super::super::support::{COORDINATOR, Run, number, presence, request, scenario};
    use super::*;
    use crate::Depth;
    use crate::scenario::{Policy, Scenario};

    fn run_of(scenario: &Scenario) -> Run {
        let mut run = Run::new(scenario, Depth::Machines, new);
        run.at(COORDINATOR, What::Started { incarnation: 1 });
        for worker in &scenario.cluster.workers {
            run.at(Host::Worker(worker.number), What::Started { incarnation: 1 });
        }
        run.at(Host::Broker, What::Healed);
        run
    }

    /// What these workers observed, as the core would have it.
    fn outcome(observed: &[(u8, Result<&str, &str>)], missing: &[u8]) -> Outcome {
        let mut machine = quorate_core::Coordinator::new(scenario().cluster.settings.config(), 1);
        let now = quorate_core::time::Timestamp::from_millis;
        machine.handle_input(now(0), Input::BusUp);
        for worker in observed.iter().map(|(worker, _)| worker).chain(missing) {
            machine.handle_input(now(0), presence(*worker, PresenceState::Live));
        }
        machine.handle_input(now(0), super::super::support::submit(1, "request-1"));
        for (worker, observed) in observed {
            let observed = observed.map(number).map_err(Arc::from);
            let result = super::super::support::result(*worker, "request-1", observed);
            machine.handle_input(now(0), Input::Result(result));
        }
        machine.handle_timeout(now(1000));
        std::iter::from_fn(|| machine.poll_output())
            .find_map(|output| match output {
                quorate_core::coordinator::Output::Answer { reply: Ok(outcome), .. } => Some((*outcome).clone()),
                _ => None,
            })
            .expect("an outcome")
    }

    const ALL: [(u8, Result<&str, &str>); 3] = [(1, Ok("1")), (2, Ok("1")), (3, Ok("1"))];

    fn ends(scenario: &Scenario, outcome: Outcome) -> Run {
        let mut run = run_of(scenario);
        run.asked(1, None, request());
        run.replied(1, &Reply::Ended(Ok(Arc::new(outcome))));
        run.end();
        run
    }

    #[test]
    fn an_answer_with_all_workers_finds_nothing() {
        ends(&scenario(), outcome(&ALL, &[])).finds_nothing();
    }

    #[test]
    fn every_worker_must_be_heard_and_succeed() {
        ends(&scenario(), outcome(&ALL[..2], &[3])).objects("w3 runs and is not heard");
        ends(&scenario(), outcome(&ALL[..2], &[])).objects("w3 runs and is not heard");
        let failed = [ALL[0], ALL[1], (3, Err("no"))];
        ends(&scenario(), outcome(&failed, &[])).objects("w3 runs and does not succeed");
        ends(&scenario(), outcome(&ALL, &[9])).objects("no such worker");
        let mut partial = outcome(&ALL, &[]);
        partial.verdict.as_mut().expect("an answer").status = Status::Partial;
        ends(&scenario(), partial).objects("not complete");
    }

    #[test]
    fn whoever_does_not_run_or_is_not_admitted_need_not_be_heard() {
        let mut stopped = run_of(&scenario());
        stopped.at(Host::Worker(3), What::Crashed);
        stopped.asked(1, None, request());
        stopped.replied(1, &Reply::Ended(Ok(Arc::new(outcome(&ALL[..2], &[])))));
        stopped.finds_nothing();
        let mut two = scenario();
        two.cluster.settings.admitted = Some(vec![1, 2]);
        ends(&two, outcome(&ALL[..2], &[])).finds_nothing();
    }

    #[test]
    fn what_the_scenario_makes_impossible_is_not_asked_for() {
        let spoiled: [fn(&mut Scenario); 4] = [
            |scenario| scenario.cluster.workers[2].observe_ms.1 = 1000,
            |scenario| (scenario.cluster.workers[2].max_queued, scenario.cluster.workers[2].max_concurrent) = (0, 0),
            |scenario| scenario.cluster.settings.max_workers = 2,
            |scenario| scenario.cluster.settings.policy.quorum = Some(2),
        ];
        for spoil in spoiled {
            let mut scenario = scenario();
            spoil(&mut scenario);
            ends(&scenario, outcome(&ALL[..2], &[3])).finds_nothing();
        }
        let mut failing = scenario();
        failing.cluster.workers[2].fail_permille = 1;
        ends(&failing, outcome(&[ALL[0], ALL[1], (3, Err("no"))], &[])).finds_nothing();
        ends(&failing, outcome(&ALL[..2], &[3])).objects("is not heard");
    }

    #[test]
    fn a_name_that_was_forged_lately_may_be_missing() {
        for (ms, is_fine) in [(5000, true), (5021, false)] {
            let mut run = run_of(&scenario());
            run.input(&presence(9, PresenceState::Live));
            run.pass(ms);
            run.asked(1, None, request());
            run.replied(1, &Reply::Ended(Ok(Arc::new(outcome(&ALL, &[9])))));
            if is_fine { run.finds_nothing() } else { run.objects("no such worker") }
        }
    }

    #[test]
    fn no_failure_is_fine_that_has_no_reason() {
        for failure in [
            Failure::InsufficientResponses { usable: 0, required: 1 },
            Failure::DeadlineExceeded,
            Failure::NoWorkers,
            Failure::BusDown,
            Failure::Overloaded,
        ] {
            let mut failed = outcome(&ALL, &[]);
            (failed.verdict, failed.cause) = (Err(failure), Cause::DeadlinePassed);
            let run = ends(&scenario(), failed);
            match failure {
                Failure::NoWorkers => run.objects("there are workers"),
                Failure::BusDown | Failure::Overloaded => run.objects("not answered"),
                _ => run.objects("are of use"),
            }
        }
        for refusal in [Refusal::Draining, Refusal::BusDown, Refusal::Overloaded, Refusal::Conflict] {
            let mut refused = run_of(&scenario());
            refused.asked(1, None, request());
            refused.replied(1, &Reply::Ended(Err(refusal)));
            refused.objects("not answered");
        }
        let mut lost = run_of(&scenario());
        lost.asked(1, None, request());
        lost.replied(1, &Reply::Lost);
        lost.objects("not answered");
    }

    #[test]
    fn fewer_workers_than_required_are_a_reason() {
        let mut failed = outcome(&ALL, &[]);
        failed.verdict = Err(Failure::InsufficientResponses { usable: 3, required: 4 });
        let mut run = run_of(&scenario());
        let policy = Policy { min_responses: Some(4), ..Policy::default() };
        run.asked(1, None, crate::scenario::Request { policy, ..request() });
        run.replied(1, &Reply::Ended(Ok(Arc::new(failed))));
        run.finds_nothing();
    }

    #[test]
    fn an_answer_comes_in_time_and_comes_at_all() {
        for (ms, words) in [(1028, None), (1029, Some("took"))] {
            let mut run = run_of(&scenario());
            run.asked(1, None, request());
            run.pass(ms);
            run.replied(1, &Reply::Ended(Ok(Arc::new(outcome(&ALL, &[])))));
            match words {
                None => run.finds_nothing(),
                Some(words) => run.objects(words),
            }
        }
        let mut silent = run_of(&scenario());
        silent.asked(1, None, request());
        silent.end();
        silent.objects("never answered");
    }

    #[test]
    fn requests_of_the_workload_are_not_judged() {
        let mut run = run_of(&scenario());
        run.asked(1, Some(0), request());
        run.replied(1, &Reply::Lost);
        run.end();
        run.finds_nothing();
    }

    #[test]
    fn a_body_says_the_same_as_an_outcome() {
        let said = |worker: &str| json!({"worker_id": worker, "value": 1});
        let body = |workers: &[&str], missing: &[&str], status: &str| {
            let said: Vec<_> = workers.iter().map(|worker| said(worker)).collect();
            Reply::Http {
                status: 200,
                retry_after: None,
                body: json!({"worker_responses": said, "missing": missing, "status": status}).to_string(),
            }
        };
        for (reply, words) in [
            (body(&["w1", "w2", "w3"], &[], "complete"), None),
            (body(&["w1", "w2"], &["w3"], "partial"), Some("w3 runs and is not heard")),
            (body(&["w1", "w2", "w3"], &[], "partial"), Some("not complete")),
            (
                Reply::Http { status: 503, retry_after: Some(1), body: json!({"error": "bus_down"}).to_string() },
                Some("not answered"),
            ),
            (Reply::Http { status: 429, retry_after: Some(1), body: "{}".to_owned() }, Some("not answered")),
        ] {
            let mut run = run_of(&scenario());
            run.asked(1, None, request());
            run.replied(1, &reply);
            match words {
                None => run.finds_nothing(),
                Some(words) => run.objects(words),
            }
        }
    }
}
