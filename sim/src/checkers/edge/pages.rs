//! A coordinator's pages say what its machine counted and knew at most 400 ms ago, and no counter decreases.
//!
//! The numbers of a page must lie between what was true [`MAX_AGE_NS`] before and what is true when it has been read.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use quorate_core::coordinator::{Coordinator, Staffing, WorkerState};
use serde_json::Value as Json;

use super::touched::Touched;
use crate::checkers::{Checker, Context};
use crate::edge::Edge;
use crate::event::{Event, Read, What};
use crate::host::Host;
use crate::scenario::{Page, Visit, VisitKind};

/// How old a page may be, in nanoseconds, besides the time that reading it takes.
const MAX_AGE_NS: u64 = 400_000_000;

/// The state and the counts of one worker at one moment.
type Seen = (&'static str, [u64; 6]);

/// What a machine had counted and knew at one moment.
#[derive(Debug)]
struct MachineState {
    at: u64,
    counters: BTreeMap<&'static str, u64>,
    workers: BTreeMap<String, Seen>,
    in_flight: u64,
    is_live: bool,
    /// Whether enough workers are there for some policy.
    can_serve: bool,
    is_draining: bool,
}

/// The state of one coordinator process.
#[derive(Debug, Default)]
struct Process {
    began: u64,
    states: VecDeque<MachineState>,
    /// The recent changes of its bus, each with its time and whether the bus was then connected.
    bus: VecDeque<(u64, bool)>,
    /// The samples that were last read, and when.
    metrics: (u64, BTreeMap<String, f64>),
}

#[derive(Debug)]
pub(crate) struct Pages {
    visits: Vec<Visit>,
    touched: Touched,
    processes: BTreeMap<Host, Process>,
    /// The visits under way, each with its start.
    open: BTreeSet<(u64, usize)>,
}

pub(crate) fn new(context: &Context<'_>) -> Pages {
    let visits = context.scenario.edges.visits.clone();
    let read: BTreeSet<u8> =
        visits.iter().filter(|visit| matches!(visit.kind, VisitKind::Read(_))).map(|visit| visit.coordinator).collect();
    let processes = read.into_iter().map(|number| (Host::Coordinator(number), Process::default())).collect();
    Pages { visits, touched: Touched::new(context), processes, open: BTreeSet::new() }
}

/// The name of a state in a page.
fn state(state: WorkerState) -> &'static str {
    match state {
        WorkerState::Live => "live",
        WorkerState::Draining => "draining",
        WorkerState::Left => "left",
        WorkerState::Expired => "expired",
    }
}

/// The names of a worker's counts, in a page.
const COUNTS: [&str; 6] = ["successes", "failures", "timeouts", "late", "outliers", "equivocations"];

impl MachineState {
    fn new(at: u64, machine: &Coordinator) -> Self {
        let workers = machine.workers().map(|(id, worker)| {
            let record = &worker.reliability;
            let counts = [
                record.successes,
                record.failures,
                record.timeouts,
                record.late,
                record.outliers,
                record.equivocations,
            ];
            (id.to_string(), (state(worker.state), counts))
        });
        Self {
            at,
            counters: machine.counters().iter().collect(),
            workers: workers.collect(),
            in_flight: machine.in_flight() as u64,
            is_live: machine.live_workers() > 0,
            can_serve: machine.staffing().iter().any(Staffing::can_serve),
            is_draining: machine.is_draining(),
        }
    }
}

impl Process {
    /// Forgets what is too old for any page, except the last moment before `before`.
    fn forget(&mut self, before: u64) {
        while self.states.len() > 1 && self.states[1].at <= before {
            self.states.pop_front();
        }
        while self.bus.len() > 1 && self.bus[1].0 <= before {
            self.bus.pop_front();
        }
    }

    /// The moments that a page requested at `since` may describe: from the last one that is older by at least
    /// [`MAX_AGE_NS`].
    fn since(&self, since: u64) -> impl Iterator<Item = &MachineState> + Clone {
        let earliest = since.saturating_sub(MAX_AGE_NS);
        let first = self.states.iter().rposition(|state| state.at <= earliest).unwrap_or(0);
        self.states.iter().skip(first)
    }

    /// Whether a number lies between the least and the most that it was at these moments.
    fn is_between(&self, since: u64, number: u64, of: impl Fn(&MachineState) -> u64 + Clone) -> bool {
        let all = self.since(since).map(of);
        let least = all.clone().min().unwrap_or(0);
        // There is no earlier moment: nothing had been counted.
        let least = if self.since(since).next().is_none_or(|state| state.at > since) { 0 } else { least };
        (least..=all.max().unwrap_or(0)).contains(&number)
    }

    fn was_connected(&self, since: u64, connected: bool) -> bool {
        let earliest = since.saturating_sub(MAX_AGE_NS);
        let first = self.bus.iter().rposition(|(at, _)| *at <= earliest);
        let at_first = first.is_none() && !connected;
        at_first || self.bus.iter().skip(first.unwrap_or(0)).any(|(_, was)| *was == connected)
    }

    fn check_counter(&self, since: u64, name: &str, said: u64) -> Result<(), String> {
        let of = |state: &MachineState| state.counters.get(name).copied().unwrap_or(0);
        if self.is_between(since, said, of) {
            return Ok(());
        }
        let was: BTreeSet<u64> = self.since(since).map(of).collect();
        Err(format!("the page shows {name} = {said}, but it was one of {was:?}"))
    }

    fn check_workers(&self, since: u64, read: &Read) -> Result<(), String> {
        let page: Json = serde_json::from_str(&read.body).map_err(|error| error.to_string())?;
        if read.status != 200 {
            return Err(format!("the workers page is wrong: {read:?}"));
        }
        let counters = page["counters"].as_object().ok_or("the page has no counters")?;
        for name in self.states.back().into_iter().flat_map(|state| state.counters.keys()) {
            let said = counters.get(*name).and_then(Json::as_u64);
            self.check_counter(since, name, said.ok_or_else(|| format!("the page lacks {name}"))?)?;
        }
        let in_flight = page["in_flight"].as_u64().unwrap_or(u64::MAX);
        if !self.is_between(since, in_flight, |state| state.in_flight) {
            return Err(format!("the page shows {in_flight} requests in flight"));
        }
        let workers = page["workers"].as_array().ok_or("the page has no list of workers")?;
        for worker in workers {
            let name = worker["worker_id"].as_str().unwrap_or_default();
            let was = || self.since(since).filter_map(|state| state.workers.get(name));
            if !was().any(|(state, _)| worker["state"] == *state) {
                return Err(format!("the page shows worker {name} as {}", worker["state"]));
            }
            for (place, count) in COUNTS.iter().enumerate() {
                let said = worker[count].as_u64().unwrap_or(u64::MAX);
                let of = |state: &MachineState| state.workers.get(name).map_or(0, |(_, counts)| counts[place]);
                if !self.is_between(since, said, of) {
                    return Err(format!("the page shows {count} = {said} for worker {name}"));
                }
            }
        }
        let all = |state: &MachineState| state.workers.len() as u64;
        if !self.is_between(since, workers.len() as u64, all) {
            return Err(format!("the page lists {} workers", workers.len()));
        }
        Ok(())
    }

    fn check_metrics(&mut self, since: u64, now: u64, read: &Read) -> Result<(), String> {
        let samples = samples(&read.body).ok_or_else(|| format!("the metrics page is malformed: {read:?}"))?;
        if read.status != 200 || samples.is_empty() {
            return Err(format!("the metrics page has status {} and {} samples", read.status, samples.len()));
        }
        for (sample, name) in COUNTED {
            let said = samples.get(*sample).ok_or_else(|| format!("the page lacks {sample}"))?;
            self.check_counter(since, name, whole(*said))?;
        }
        let in_flight = samples.get("quorate_requests_in_flight").map_or(u64::MAX, |said| whole(*said));
        if !self.is_between(since, in_flight, |state| state.in_flight) {
            return Err(format!("the page shows {in_flight} requests in flight"));
        }
        let (read_at, before) = &self.metrics;
        if *read_at <= since {
            for (sample, count) in before {
                let now = samples.get(sample).copied().unwrap_or(0.0);
                if is_counter(sample) && now < *count {
                    return Err(format!("{sample} decreased from {count} to {now}"));
                }
            }
            self.metrics = (now, samples);
        }
        Ok(())
    }

    fn check_health(&self, since: u64, read: &Read) -> Result<(), String> {
        let page: Json = serde_json::from_str(&read.body).unwrap_or_default();
        let connected = page["nats"].as_bool();
        let is_right = read.status == 200 && page["status"] == "healthy" && page["port"] == 8080;
        if is_right && connected.is_some_and(|connected| self.was_connected(since, connected)) {
            return Ok(());
        }
        Err(format!("the health page is wrong: {read:?}"))
    }

    fn check_ready(&self, since: u64, read: &Read) -> Result<(), String> {
        let page: Json = serde_json::from_str(&read.body).unwrap_or_default();
        let at_first = self.since(since).next().is_none_or(|state| state.at > since);
        let is_true = match (read.status, page["error"].as_str()) {
            (200, None) => {
                page["ready"] == true
                    && self.was_connected(since, true)
                    && self.since(since).any(|state| state.can_serve && !state.is_draining)
            }
            (503, Some("draining")) => self.since(since).any(|state| state.is_draining),
            (503, Some("bus_down")) => self.was_connected(since, false),
            (503, Some("too_few_workers")) => self.since(since).any(|state| state.is_live && !state.can_serve),
            (503, Some("no_workers")) => at_first || self.since(since).any(|state| !state.is_live),
            _ => false,
        };
        if is_true { Ok(()) } else { Err(format!("the readiness page is wrong: {read:?}")) }
    }
}

/// The samples of counters, each with the machine's name for it.
const COUNTED: &[(&str, &str)] = &[
    (r#"quorate_requests_submitted_total{admission="accepted"}"#, "requests_accepted"),
    (r#"quorate_requests_submitted_total{admission="joined"}"#, "requests_joined"),
    (r#"quorate_requests_submitted_total{admission="replayed"}"#, "requests_replayed"),
    (r#"quorate_requests_submitted_total{admission="refused_bus_down"}"#, "refused_bus_down"),
    (r#"quorate_requests_submitted_total{admission="refused_conflict"}"#, "refused_conflict"),
    (r#"quorate_requests_submitted_total{admission="refused_draining"}"#, "refused_draining"),
    (r#"quorate_requests_submitted_total{admission="refused_overloaded"}"#, "refused_overloaded"),
    (r#"quorate_requests_submitted_total{admission="refused_policy"}"#, "refused_policy"),
    (r#"quorate_requests_submitted_total{admission="refused_unknown_query"}"#, "refused_unknown_query"),
    (r#"quorate_requests_submitted_total{admission="refused_no_workers"}"#, "refused_no_workers"),
    (r#"quorate_requests_ended_total{outcome="complete"}"#, "answered_complete"),
    (r#"quorate_requests_ended_total{outcome="partial"}"#, "answered_partial"),
    (r#"quorate_requests_ended_total{outcome="low_reliability"}"#, "answered_low_reliability"),
    (r#"quorate_requests_ended_total{outcome="disputed"}"#, "answered_disputed"),
    (r#"quorate_requests_ended_total{outcome="failed_bus_down"}"#, "failed_bus_down"),
    (r#"quorate_requests_ended_total{outcome="failed_deadline_exceeded"}"#, "failed_deadline_exceeded"),
    (r#"quorate_requests_ended_total{outcome="failed_disputed"}"#, "failed_disputed"),
    (r#"quorate_requests_ended_total{outcome="failed_insufficient_responses"}"#, "failed_insufficient_responses"),
    (r#"quorate_requests_ended_total{outcome="failed_no_workers"}"#, "failed_no_workers"),
    (r#"quorate_requests_ended_total{outcome="failed_overloaded"}"#, "failed_overloaded"),
    (r#"quorate_requests_ended_total{outcome="cancelled"}"#, "cancelled"),
    ("quorate_requests_quorum_early_total", "quorum_early"),
    ("quorate_requests_suspects_early_total", "suspects_early"),
    ("quorate_workers_suspected_total", "workers_suspected"),
    (r#"quorate_dispatches_total{attempt="first"}"#, "requests_accepted"),
    (r#"quorate_dispatches_total{attempt="second"}"#, "redispatched"),
    ("quorate_tasks_undelivered_total", "tasks_undelivered"),
    (r#"quorate_results_total{fate="accepted"}"#, "results_accepted"),
    (r#"quorate_results_total{fate="late"}"#, "results_late"),
    (r#"quorate_results_total{fate="duplicate"}"#, "results_duplicate"),
    (r#"quorate_results_total{fate="equivocal"}"#, "results_equivocal"),
    (r#"quorate_results_total{fate="misdirected"}"#, "results_misdirected"),
    (r#"quorate_results_total{fate="unknown"}"#, "results_unknown"),
];

/// Whether a sample is of a counter, which never decreases.
fn is_counter(sample: &str) -> bool {
    let name = sample.split('{').next().unwrap_or_default();
    ["_total", "_count", "_sum", "_bucket"].iter().any(|end| name.ends_with(end))
}

/// The samples of a page, by name and labels; `None` if a line is malformed.
fn samples(page: &str) -> Option<BTreeMap<String, f64>> {
    let lines = page.lines().filter(|line| !line.is_empty() && !line.starts_with('#'));
    lines
        .map(|line| {
            let (sample, number) = line.rsplit_once(' ')?;
            Some((sample.to_owned(), number.parse().ok()?))
        })
        .collect()
}

impl Pages {
    fn check(&mut self, now: u64, place: usize, read: Option<&Read>) -> Result<(), String> {
        let Some(Visit { kind: VisitKind::Read(page), .. }) = self.visits.get(place).copied() else { return Ok(()) };
        let Some((coordinator, since)) = self.touched.visit(place) else { return Ok(()) };
        let Some(read) = read else { return self.touched.check_lost(place) };
        if self.touched.excuses_refusal(read) {
            return Ok(());
        }
        let Some(process) = self.processes.get_mut(&coordinator) else { return Ok(()) };
        // Around a restart, the previous process may have answered.
        if process.began > since || self.touched.excuses(coordinator, coordinator, since) {
            return Ok(());
        }
        let checked = match page {
            Page::Workers => process.check_workers(since, read),
            Page::Metrics => process.check_metrics(since, now, read),
            Page::Health => process.check_health(since, read),
            Page::Ready => process.check_ready(since, read),
        };
        checked.map_err(|why| format!("visit {place} to {coordinator}: {why}"))
    }
}

impl Checker for Pages {
    fn event(&mut self, event: &Event<'_>) -> Result<(), String> {
        if self.processes.is_empty() {
            return Ok(());
        }
        self.touched.event(event);
        match event.what {
            What::Visited(place, _) => drop(self.open.insert((event.at, place))),
            What::VisitEnded(place, read) => {
                self.open.retain(|(_, open)| *open != place);
                return self.check(event.at, place, read);
            }
            _ => {}
        }
        let Some(process) = self.processes.get_mut(&event.host) else { return Ok(()) };
        match event.what {
            What::Started { .. } => *process = Process { began: event.at, ..Process::default() },
            What::CoordinatorSettled(_, machine) => {
                process.states.push_back(MachineState::new(event.at, machine));
                let open = self.open.first().map_or(event.at, |(since, _)| *since);
                process.forget(open.saturating_sub(MAX_AGE_NS));
            }
            What::Edge(Edge::Bus { connected, .. }) => process.bus.push_back((event.at, connected)),
            _ => {}
        }
        Ok(())
    }
}

/// A sample as a count; `u64::MAX`, which is always wrong, if it is not a whole number.
fn whole(sample: f64) -> u64 {
    sample.to_string().parse().unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Depth;
    use crate::checkers::testing::inputs::submit;
    use crate::checkers::testing::rig::{COORDINATOR, Rig};
    use crate::scenario::Scenario;

    const CLIENT: Host = Host::Client(1);

    /// A coordinator knows one worker and has one request in flight, and its page has this status and body.
    fn page(page: Page, status: u16, body: &str) -> Rig {
        let mut scenario = Scenario::quiet();
        let visit = Visit { at_ms: 100, client: 1, coordinator: 1, kind: VisitKind::Read(page) };
        scenario.edges.visits = vec![visit];
        let mut run = Rig::at(&scenario, Depth::Network, new);
        run.begin(&[1]);
        run.tell(COORDINATOR, What::Edge(Edge::Bus { connected: true, connections: 1 }));
        run.drive(&submit(1, "a"));
        run.pass(1000);
        run.tell(CLIENT, What::Visited(0, &visit));
        run.pass(10);
        let read = Read { status, content_type: String::new(), body: body.to_owned() };
        run.tell(CLIENT, What::VisitEnded(0, Some(&read)));
        run
    }

    #[test]
    fn a_true_page_is_fine() {
        page(Page::Health, 200, r#"{"status": "healthy", "port": 8080, "nats": true}"#).expect_fine();
        page(Page::Ready, 200, r#"{"ready": true, "workers": 1, "in_flight": 1}"#).expect_fine();
    }

    #[test]
    fn a_false_page_is_found() {
        page(Page::Health, 200, r#"{"status": "healthy", "port": 8080, "nats": false}"#)
            .expect_violation("the health page");
        page(Page::Ready, 503, r#"{"error": "no_workers"}"#).expect_violation("the readiness page");
        page(Page::Ready, 503, r#"{"error": "draining"}"#).expect_violation("the readiness page");
        page(Page::Ready, 503, r#"{"error": "too_few_workers"}"#).expect_violation("the readiness page");
        let counters = r#"{"counters": {"requests_accepted": 2}}"#;
        page(Page::Workers, 200, counters).expect_violation("the page lacks");
        page(Page::Metrics, 200, "a 1\nb").expect_violation("the metrics page");
        page(Page::Metrics, 200, "a 1").expect_violation("the page lacks");
    }

    #[test]
    fn samples_are_read_and_counters_known() {
        let read = samples("# HELP a b\na{b=\"c d\"} 1.5\n\nb_total 2\n").expect("samples");
        assert_eq!(read["a{b=\"c d\"}"].to_bits(), 1.5_f64.to_bits());
        assert!(is_counter("b_total") && is_counter("c_bucket{le=\"1\"}") && !is_counter("a{b=\"c d\"}"));
    }
}
