//! Shrinks a failing scenario for as long as it fails in the same way, so that what is left is what matters.
//!
//! Delta debugging removes faults and requests, in chunks and then one by one, and after them hosts; then the rest is
//! simplified. This repeats until nothing more can be removed or simplified.

use std::collections::HashSet;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::time::{Duration, Instant};

use crate::checkers::Violation;
use crate::host::Host;
use crate::scenario::{FaultKind, Forgery, Policy, Request, Scenario};

/// How much the search may spend.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Budget {
    /// The maximum number of runs.
    pub runs: u32,
    /// The maximum time; a run in progress at its end is finished.
    pub time: Duration,
}

impl Budget {
    /// No limit.
    pub const UNLIMITED: Self = Self { runs: u32::MAX, time: Duration::MAX };

    /// As many runs as fit into `time`.
    pub fn time(time: Duration) -> Self {
        Self { time, ..Self::UNLIMITED }
    }
}

/// The result of shrinking a scenario.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Shrunk {
    /// The smallest scenario found that fails.
    pub scenario: Scenario,
    /// How it fails: the same checker objects as to the original.
    pub violation: Violation,
    /// The number of scenarios tried.
    pub runs: u32,
    /// Whether nothing more can be removed; otherwise the budget ran out.
    pub minimal: bool,
}

/// Shrinks a scenario. `run` returns how a scenario fails, if it does, and must be deterministic. `None` if the
/// scenario does not fail.
pub fn shrink(
    scenario: &Scenario,
    budget: Budget,
    mut run: impl FnMut(&Scenario) -> Option<Violation>,
) -> Option<Shrunk> {
    let violation = run(scenario)?;
    let mut search = Search {
        best: scenario.clone(),
        violation,
        refused: HashSet::new(),
        runs: 1,
        runs_left: budget.runs.saturating_sub(1),
        until: Instant::now().checked_add(budget.time),
        exhausted: false,
        run: &mut run,
    };
    // Each round begins with what removes most, so that later runs are short.
    while !search.exhausted {
        let before = search.best.clone();
        search.leave_out();
        search.simplify();
        if search.best == before {
            break;
        }
    }
    let Search { best, violation, runs, exhausted, .. } = search;
    Some(Shrunk { scenario: best, violation, runs, minimal: !exhausted })
}

/// The size of a scenario.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Size {
    /// The number of faults.
    pub faults: usize,
    /// The number of requests.
    pub requests: usize,
    /// The number of hosts.
    pub hosts: usize,
    /// When the faults end, in milliseconds.
    pub heal_ms: u64,
}

impl Size {
    /// The size of `scenario`.
    pub fn of(scenario: &Scenario) -> Self {
        Self {
            faults: scenario.faults.len(),
            requests: scenario.requests.len(),
            hosts: scenario.hosts().count(),
            heal_ms: scenario.heal_ms,
        }
    }
}

/// The smallest failing scenario so far, and the remaining budget.
struct Search<'a> {
    best: Scenario,
    violation: Violation,
    /// Hashes of the scenarios that did not fail in the same way, so that none is run twice.
    refused: HashSet<u64>,
    runs: u32,
    runs_left: u32,
    /// When the time runs out; `None` for never.
    until: Option<Instant>,
    exhausted: bool,
    run: &'a mut dyn FnMut(&Scenario) -> Option<Violation>,
}

impl Search<'_> {
    /// Keeps a candidate if it fails in the same way.
    fn take(&mut self, candidate: Scenario) -> bool {
        if self.exhausted || candidate == self.best {
            return false;
        }
        let hash = hash(&candidate);
        if self.refused.contains(&hash) {
            return false;
        }
        if self.runs_left == 0 || self.until.is_some_and(|until| Instant::now() >= until) {
            self.exhausted = true;
            return false;
        }
        self.runs_left -= 1;
        self.runs += 1;
        match (self.run)(&candidate) {
            Some(violation) if violation.checker == self.violation.checker => {
                self.violation = violation;
                self.best = candidate;
                true
            }
            _ => {
                self.refused.insert(hash);
                false
            }
        }
    }

    /// Tries the best scenario with a change, and keeps it if it fails in the same way.
    fn take_with(&mut self, change: impl FnOnce(&mut Scenario)) -> bool {
        let mut candidate = self.best.clone();
        change(&mut candidate);
        self.take(candidate)
    }

    /// Delta debugging over a list: removes chunks of half its length, then of a quarter, and so on down to single
    /// items, which are tried until none can be removed.
    fn thin<T>(&mut self, list: fn(&mut Scenario) -> &mut Vec<T>) {
        let mut chunk = list(&mut self.best).len().div_ceil(2);
        while chunk > 0 {
            let mut thinned = false;
            let mut at = 0;
            while at < list(&mut self.best).len() && !self.exhausted {
                let end = (at + chunk).min(list(&mut self.best).len());
                if self.take_with(|scenario| drop(list(scenario).drain(at..end))) {
                    // The next chunk has moved to the same index.
                    thinned = true;
                } else {
                    at = end;
                }
            }
            if chunk > 1 {
                chunk = chunk.div_ceil(2).min(chunk - 1);
            } else if !thinned || self.exhausted {
                break;
            }
        }
    }

    fn leave_out(&mut self) {
        self.thin(|scenario| &mut scenario.faults);
        self.thin(|scenario| &mut scenario.requests);
        let hosts: Vec<_> = self.best.hosts().collect();
        for host in hosts.into_iter().rev() {
            if let Some(candidate) = without(&self.best, host) {
                self.take(candidate);
            }
        }
    }

    fn simplify(&mut self) {
        for place in 0..self.best.requests.len() {
            self.simplify_request(place);
        }
        for place in 0..self.best.faults.len() {
            self.simplify_fault(place);
        }
        for place in 0..self.best.cluster.workers.len() {
            self.take_with(|scenario| scenario.cluster.workers[place].fail_permille = 0);
            self.take_with(|scenario| {
                let worker = &mut scenario.cluster.workers[place];
                (worker.dated_permille, worker.age_ms) = (0, (0, 0));
            });
            self.take_with(|scenario| {
                let worker = &mut scenario.cluster.workers[place];
                (worker.observed_at, worker.jump) = (false, None);
            });
            self.take_with(|scenario| scenario.cluster.workers[place].offers.clear());
            self.take_with(|scenario| scenario.cluster.workers[place].clock_ms = 0);
        }
        for place in 0..self.best.cluster.coordinators.len() {
            self.take_with(|scenario| scenario.cluster.coordinators[place].jump = None);
            self.take_with(|scenario| scenario.cluster.coordinators[place].clock_ms = 0);
        }
        self.take_with(|scenario| scenario.cluster.settings.policy = Policy::default());
        self.thin(|scenario| &mut scenario.cluster.settings.policies);
        self.take_with(|scenario| scenario.cluster.settings.weights.clear());
        self.take_with(|scenario| scenario.cluster.settings.admitted = None);
        self.take_with(|scenario| scenario.cluster.settings.quarantine_below = None);
        self.take_with(|scenario| scenario.cluster.settings.rate_limit = None);
        self.take_with(|scenario| {
            let latency = &mut scenario.cluster.network.latency_us;
            latency.1 = latency.0;
        });
        self.heal_sooner();
    }

    fn simplify_request(&mut self, place: usize) {
        fn change(place: usize, change: impl FnOnce(&mut Request)) -> impl FnOnce(&mut Scenario) {
            move |scenario| change(&mut scenario.requests[place])
        }
        self.take_with(change(place, |request| request.retries = 0));
        self.take_with(change(place, |request| request.gives_up_ms = None));
        if !self.take_with(change(place, |request| request.policy = Policy::default())) {
            let parts: [fn(&mut Policy); 13] = [
                |policy| policy.strategy = None,
                |policy| policy.precision = None,
                |policy| policy.trim_share_permille = None,
                |policy| policy.max_deviation_permille = None,
                |policy| policy.outliers = None,
                |policy| policy.tolerance_permille = None,
                |policy| policy.min_agreement_permille = None,
                |policy| policy.max_age_ms = None,
                |policy| policy.rejects_disputes = None,
                |policy| policy.min_responses = None,
                |policy| policy.quorum = None,
                |policy| policy.timeout_ms = None,
                |policy| policy.decimals = None,
            ];
            for part in parts {
                self.take_with(change(place, |request| part(&mut request.policy)));
            }
        }
        self.take_with(change(place, |request| request.id = None));
    }

    fn simplify_fault(&mut self, place: usize) {
        // Halve the duration for as long as the scenario still fails.
        while self.best.faults[place].for_ms > 1
            && self.take_with(|scenario| scenario.faults[place].for_ms = scenario.faults[place].for_ms.div_ceil(2))
        {
        }
        match &self.best.faults[place].kind {
            FaultKind::ReconnectStorm(_) => {
                self.take_with(|scenario| scenario.faults[place].kind = FaultKind::ReconnectStorm(1));
            }
            FaultKind::Forge(forgery, _) => {
                let once = FaultKind::Forge(*forgery, 1);
                self.take_with(|scenario| scenario.faults[place].kind = once);
                while let FaultKind::Forge(Forgery::Flood(flood, names @ 2..), times) = self.best.faults[place].kind
                    && self.take_with(|scenario| {
                        scenario.faults[place].kind = FaultKind::Forge(Forgery::Flood(flood, names / 2), times);
                    })
                {}
            }
            FaultKind::Lie(hosts, permille) => {
                let permille = *permille;
                for liar in hosts.clone() {
                    self.take_with(|scenario| {
                        if let FaultKind::Lie(hosts, _) = &scenario.faults[place].kind
                            && hosts.len() > 1
                        {
                            let fewer = hosts.iter().copied().filter(|host| *host != liar).collect();
                            scenario.faults[place].kind = FaultKind::Lie(fewer, permille);
                        }
                    });
                }
            }
            _ => {}
        }
    }

    /// Heals as soon as the last request has begun and the last fault has ended, or else halves the time beyond that
    /// for as long as the scenario still fails.
    fn heal_sooner(&mut self) {
        let faults = self.best.faults.iter().map(|fault| fault.at_ms.saturating_add(fault.for_ms));
        let requests = self.best.requests.iter().map(|request| request.at_ms.saturating_add(1));
        let soonest = faults.chain(requests).max().unwrap_or(1).max(1);
        if soonest >= self.best.heal_ms || self.take_with(|scenario| scenario.heal_ms = soonest) {
            return;
        }
        while self.best.heal_ms > soonest
            && self.take_with(|scenario| scenario.heal_ms = soonest.midpoint(scenario.heal_ms))
        {}
    }
}

/// A scenario without a host and its faults; its requests move to another host. `None` if the host cannot be removed: a
/// scenario has a broker and at least one coordinator, worker and client.
fn without(scenario: &Scenario, host: Host) -> Option<Scenario> {
    let mut smaller = scenario.clone();
    let cluster = &mut smaller.cluster;
    match host {
        Host::Broker => return None,
        Host::Adversary => cluster.adversary = false,
        Host::Worker(number) => cluster.workers.retain(|worker| worker.number != number),
        Host::Coordinator(number) => {
            cluster.coordinators.retain(|coordinator| coordinator.number != number);
            let other = cluster.coordinators.first()?.number;
            // Its requests move to another coordinator: those that are not needed can be removed one by one.
            for request in smaller.requests.iter_mut().filter(|request| request.coordinator == number) {
                request.coordinator = other;
            }
        }
        Host::Client(number) => {
            cluster.clients.retain(|client| *client != number);
            let other = *cluster.clients.first()?;
            for request in smaller.requests.iter_mut().filter(|request| request.client == number) {
                request.client = other;
            }
        }
    }
    if smaller.cluster.workers.is_empty() {
        return None;
    }
    let left: Vec<_> = smaller.hosts().collect();
    smaller.faults.retain_mut(|fault| match &mut fault.kind {
        FaultKind::Lie(liars, _) => {
            liars.retain(|liar| left.contains(liar));
            !liars.is_empty()
        }
        kind => kind.hosts().iter().all(|host| left.contains(host)),
    });
    Some(smaller)
}

fn hash(scenario: &Scenario) -> u64 {
    let mut hasher = DefaultHasher::new();
    serde_json::to_vec(scenario).expect("a scenario has only texts, numbers and lists").hash(&mut hasher);
    hasher.finish()
}

#[cfg(test)]
mod tests;
