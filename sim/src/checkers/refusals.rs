//! A request is refused for a true reason, and whatever must be refused is.
//!
//! An invalid policy, an id that stands for another query, too much in flight or too many who wait, a coordinator that
//! drains, a bus that is down; and over HTTP, a client that asks more often than it may, which never gets more than its
//! rate.

use std::collections::BTreeMap;

use quorate_core::coordinator::Refusal;
use quorate_core::id::RequestId;
use quorate_core::policy::PolicyError;
use quorate_core::query::Query;

use super::connections::is_one_too_many;
use super::ledger::{Asking, Book, Caller, Fact, Source, Told};
use super::terms::{Faults, Policies, Terms};
use super::{Checker, Context};
use crate::Depth;
use crate::event::{Asked, Event, Reply, What};
use crate::host::Host;
use crate::scenario::{Proxy, Settings, forwarded_for};

const NANOS_PER_SECOND: u128 = 1_000_000_000;

#[derive(Debug)]
pub(super) struct Refusals {
    policies: Policies,
    settings: Settings,
    rates: Option<Rates>,
}

pub(super) fn new(context: &Context<'_>) -> Refusals {
    let settings = &context.scenario.cluster.settings;
    let is_proxied = context.scenario.edges.proxy == Some(Proxy::Trusted);
    let limit = settings.rate_limit.filter(|_| context.depth == Depth::Network);
    Refusals {
        policies: Policies::of_settings(settings),
        settings: settings.clone(),
        rates: limit.map(|limit| Rates::new(limit, is_proxied, context.scenario.edges.clients.is_some())),
    }
}

/// What a request is to be judged by.
struct Case<'a> {
    policies: &'a Policies,
    settings: &'a Settings,
    book: &'a Book,
}

impl Case<'_> {
    fn terms(&self, caller: &Caller) -> Terms {
        self.policies.of(caller.query.as_str()).with(&caller.overrides)
    }

    fn faults(&self, caller: &Caller) -> Faults {
        self.terms(caller).faults(self.settings)
    }

    /// The query for which the id of a caller stands already, if it is another.
    fn conflict(&self, caller: &Caller) -> Option<&Query> {
        let id = caller.id.as_ref()?;
        let query = match self.book.asking(id) {
            Some(asking) => &asking.query,
            None => &self.book.remembered(id, caller.submitted)?.query,
        };
        Some(query).filter(|query| **query != caller.query)
    }

    fn check_refused(&self, caller: &Caller, refusal: &Refusal) -> Result<(), String> {
        let faults = self.faults(caller);
        let is_true = match refusal {
            Refusal::Policy(error) => is_fault(error, faults, self.terms(caller), self.settings),
            Refusal::Conflict => self.conflict(caller).is_some(),
            Refusal::Overloaded => match caller.id.as_ref().and_then(|id| self.book.asking(id)) {
                Some(asking) => asking.callers.len() >= self.settings.max_waiting,
                // What all weigh that is in flight, only the model knows.
                None => {
                    self.book.in_flight() >= self.settings.max_in_flight
                        || self.settings.knobs.max_in_flight_bytes.is_some()
                }
            },
            Refusal::Draining => self.book.is_draining(),
            Refusal::BusDown => !self.book.is_bus_up(),
        };
        if !is_true {
            return Err(format!("{:?} ({:?}) is refused without a reason: {refusal}", caller.query, caller.id));
        }
        // What is known of an id goes before whether there is room, and a bad policy before everything.
        if faults.any() && !matches!(refusal, Refusal::Policy(_)) {
            return Err(format!("{:?} has a bad policy and is refused for something else: {refusal}", caller.query));
        }
        if matches!(refusal, Refusal::Overloaded | Refusal::Draining | Refusal::BusDown)
            && let Some(query) = self.conflict(caller)
        {
            return Err(format!("{:?} stands for {query:?}, and that is not the reason: {refusal}", caller.id));
        }
        Ok(())
    }

    /// A request is accepted.
    fn check_asked(&self, caller: &Caller, request: &RequestId) -> Result<(), String> {
        let faults = self.faults(caller);
        if faults.any() {
            return Err(format!("{request} is asked with a bad policy: {faults:?}"));
        }
        let in_flight = self.book.in_flight() + 1;
        if in_flight > self.settings.max_in_flight {
            return Err(format!("{request} is asked, with which {in_flight} are in flight"));
        }
        if self.book.is_draining() {
            return Err(format!("{request} is asked while draining"));
        }
        if !self.book.is_bus_up() {
            return Err(format!("{request} is asked while the bus is down"));
        }
        if let Some(query) = self.conflict(caller) {
            return Err(format!("{request} is asked, but its id stands for {query:?}"));
        }
        if self.book.remembered(request, caller.submitted).is_some_and(|remembered| remembered.outcome.is_some()) {
            return Err(format!("{request} is asked again, but how it ended is remembered"));
        }
        Ok(())
    }

    /// Not more wait for a request than may.
    fn check_joined(&self, asking: &Asking) -> Result<(), String> {
        let (waiting, most) = (asking.callers.len(), self.settings.max_waiting.max(1));
        if waiting > most {
            return Err(format!("{waiting} wait for {}, and {most} may", asking.request));
        }
        Ok(())
    }

    fn check_told(&self, caller: &Caller, request: &RequestId, source: &Source) -> Result<(), String> {
        if self.faults(caller).any() {
            return Err(format!("{request} is answered to one with a bad policy"));
        }
        if matches!(source, Source::Replayed(_)) && self.book.remembered(request, caller.submitted).is_none() {
            return Err(format!("{request} is told from memory, but was to be forgotten"));
        }
        Ok(())
    }
}

/// Whether an error names a field that is out of range, and its range.
fn is_fault(error: &PolicyError, faults: Faults, terms: Terms, settings: &Settings) -> bool {
    match *error {
        PolicyError::Timeout { max } => faults.timeout && max.as_millis() == u128::from(settings.max_timeout_ms),
        PolicyError::MinResponses { max } => faults.min_responses && max == settings.max_workers,
        PolicyError::Quorum { min, max } => faults.quorum && min == terms.min_responses && max == settings.max_workers,
        PolicyError::Precision => faults.precision,
        PolicyError::TrimShare => faults.trim_share,
        PolicyError::MaxDeviation => faults.max_deviation,
        PolicyError::Tolerance => faults.tolerance,
        PolicyError::MinAgreement => faults.min_agreement,
    }
}

/// What the clients were allowed.
#[derive(Debug)]
struct Rates {
    per_second: u128,
    burst: u128,
    /// Whether clients are believed when they say for whom they ask.
    is_proxied: bool,
    /// Whether some clients may share one allowance.
    is_shared: bool,
    /// Who asked whom, and when.
    open: BTreeMap<u32, (Host, Host, u64)>,
    /// What each client asked of each coordinator since that began: when it asked and when it had its answer. In
    /// between its allowance was looked at.
    asked: BTreeMap<(Host, Host), Vec<(u64, u64)>>,
}

impl Rates {
    fn new((per_second, burst): (u32, u32), is_proxied: bool, is_shared: bool) -> Self {
        Self {
            per_second: per_second.into(),
            burst: burst.into(),
            is_proxied,
            is_shared,
            open: BTreeMap::new(),
            asked: BTreeMap::new(),
        }
    }

    /// How many requests come to be allowed in so many nanoseconds, in 10^-9 requests.
    fn earned(&self, nanos: u64) -> u128 {
        self.per_second * u128::from(nanos)
    }

    fn asked(&mut self, at: u64, client: Host, asked: &Asked) {
        let client = if self.is_proxied { Host::Client(u8::MAX - forwarded_for(asked.number)) } else { client };
        self.open.insert(asked.number, (client, asked.coordinator, at));
    }

    /// A coordinator begins anew, and every client has its whole allowance.
    fn restarted(&mut self, coordinator: Host) {
        self.asked.retain(|(_, asked), _| *asked != coordinator);
        self.open.retain(|_, (_, asked, _)| *asked != coordinator);
    }

    fn gone(&mut self, number: u32) {
        if let Some((client, coordinator, from)) = self.open.remove(&number) {
            self.asked.entry((client, coordinator)).or_default().push((from, u64::MAX));
        }
    }

    fn replied(&mut self, at: u64, number: u32, reply: &Reply) -> Result<(), String> {
        let Reply::Http { status, body, .. } = reply else {
            self.gone(number);
            return Ok(());
        };
        // Before it is looked at whose question it is.
        if is_one_too_many(*status, body) {
            self.open.remove(&number);
            return Ok(());
        }
        let Some((client, coordinator, from)) = self.open.remove(&number) else { return Ok(()) };
        if *status == 429 {
            return self.check_limited(client, coordinator, from, at);
        }
        let asked = self.asked.entry((client, coordinator)).or_default();
        asked.push((from, at));
        self.check_allowed(client, coordinator, at)
    }

    /// In no window did a client get more than its rate.
    fn check_allowed(&self, client: Host, coordinator: Host, until: u64) -> Result<(), String> {
        let asked = &self.asked[&(client, coordinator)];
        for (from, _) in asked {
            let inside = asked.iter().filter(|(asked, answered)| asked >= from && *answered <= until).count();
            let allowed = self.earned(until - from) + (self.burst + 1) * NANOS_PER_SECOND;
            if inside as u128 * NANOS_PER_SECOND > allowed {
                let window = until - from;
                return Err(format!("{client} got {inside} requests in {window} ns from {coordinator}"));
            }
        }
        Ok(())
    }

    /// There is a window before a refusal in which a client may have used up its allowance.
    fn check_limited(&self, client: Host, coordinator: Host, from: u64, until: u64) -> Result<(), String> {
        let counts = |by: Host, of: Host| of == coordinator && (by == client || self.is_shared);
        let asked = self.asked.iter().filter(|((by, of), _)| counts(*by, *of));
        let mut perhaps: Vec<(u64, u64)> = asked.flat_map(|(_, asked)| asked.iter().copied()).collect();
        let open = self.open.values().filter(|(by, of, _)| counts(*by, *of));
        perhaps.extend(open.map(|(_, _, asked)| (*asked, u64::MAX)));
        perhaps.retain(|(asked, _)| *asked <= until);
        let begins = perhaps.iter().map(|(_, answered)| *answered).chain([from]);
        let is_used_up = begins.into_iter().any(|begin| {
            let inside = perhaps.iter().filter(|(_, answered)| *answered >= begin).count();
            let least = (self.burst - 1) * NANOS_PER_SECOND + self.earned(from.saturating_sub(begin));
            inside as u128 * NANOS_PER_SECOND >= least
        });
        // One that was asked but is not known of may have been the one too many.
        if is_used_up { Ok(()) } else { Err(format!("{client} is refused by {coordinator} within its rate")) }
    }
}

impl Refusals {
    fn check_rate(&mut self, event: &Event<'_>) -> Result<(), String> {
        let Some(rates) = &mut self.rates else { return Ok(()) };
        match event.what {
            What::Asked(asked) => rates.asked(event.at, event.host, asked),
            What::Replied(number, reply) => return rates.replied(event.at, number, reply),
            What::Vanished(number) => rates.gone(number),
            What::Started { .. } | What::Crashed if matches!(event.host, Host::Coordinator(_)) => {
                rates.restarted(event.host);
            }
            _ => {}
        }
        Ok(())
    }
}

impl Checker for Refusals {
    fn event(&mut self, event: &Event<'_>) -> Result<(), String> {
        self.check_rate(event)
    }

    fn fact(&mut self, fact: &Fact<'_>) -> Result<(), String> {
        let case = Case { policies: &self.policies, settings: &self.settings, book: fact.book };
        match fact.what {
            Told::Refused { to: Some(caller), at_once: true, refusal } => case.check_refused(caller, refusal),
            Told::Answered { to: Some(caller), source, outcome } => case.check_told(caller, &outcome.request, source),
            Told::Asked { by, task } => case.check_asked(by, &task.request),
            Told::Joined(asking) => case.check_joined(asking),
            _ => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests;
