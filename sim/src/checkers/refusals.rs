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

use super::ledger::{Asking, Book, Caller, Fact, Source, Told};
use super::terms::{Faults, Terms};
use super::{Checker, Context};
use crate::Depth;
use crate::event::{Asked, Event, Reply, What};
use crate::host::Host;
use crate::scenario::Settings;

const NANOS_PER_SECOND: u128 = 1_000_000_000;

#[derive(Debug)]
pub(super) struct Refusals {
    terms: Terms,
    settings: Settings,
    rates: Option<Rates>,
}

pub(super) fn new(context: &Context<'_>) -> Refusals {
    let settings = &context.scenario.cluster.settings;
    let limit = settings.rate_limit.filter(|_| context.depth == Depth::Network);
    Refusals {
        terms: Terms::of_settings(settings),
        settings: settings.clone(),
        rates: limit.map(Rates::new),
    }
}

/// What a request is to be judged by.
struct Case<'a> {
    terms: Terms,
    settings: &'a Settings,
    book: &'a Book,
}

impl Case<'_> {
    fn faults(&self, caller: &Caller) -> Faults {
        self.terms.with(&caller.overrides).faults(self.settings)
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
            Refusal::Policy(error) => is_fault(error, faults, self.terms.with(&caller.overrides), self.settings),
            Refusal::Conflict => self.conflict(caller).is_some(),
            Refusal::Overloaded => match caller.id.as_ref().and_then(|id| self.book.asking(id)) {
                Some(asking) => asking.callers.len() >= self.settings.max_waiting,
                None => self.book.in_flight() >= self.settings.max_in_flight,
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
        PolicyError::Quorum { min, max } => {
            faults.quorum && min == terms.min_responses && max == settings.max_workers
        }
        PolicyError::Precision => faults.precision,
        PolicyError::MaxDeviation => faults.max_deviation,
    }
}

/// What the clients were allowed.
#[derive(Debug)]
struct Rates {
    per_second: u128,
    burst: u128,
    /// Who asked whom, and when.
    open: BTreeMap<u32, (Host, Host, u64)>,
    /// What each client asked of each coordinator since that began: when it asked and when it had its answer. In
    /// between its allowance was looked at.
    asked: BTreeMap<(Host, Host), Vec<(u64, u64)>>,
}

impl Rates {
    fn new((per_second, burst): (u32, u32)) -> Self {
        Self {
            per_second: per_second.into(),
            burst: burst.into(),
            open: BTreeMap::new(),
            asked: BTreeMap::new(),
        }
    }

    /// How many requests come to be allowed in so many nanoseconds, in 10^-9 requests.
    fn earned(&self, nanos: u64) -> u128 {
        self.per_second * u128::from(nanos)
    }

    fn asked(&mut self, at: u64, client: Host, asked: &Asked) {
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
        let Reply::Http { status, .. } = reply else {
            self.gone(number);
            return Ok(());
        };
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
        let mut perhaps: Vec<(u64, u64)> = self.asked.get(&(client, coordinator)).cloned().unwrap_or_default();
        let open = self.open.values().filter(|(by, of, _)| *by == client && *of == coordinator);
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
        let case = Case { terms: self.terms, settings: &self.settings, book: fact.book };
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
mod tests {
    use std::time::Duration;

    use quorate_core::coordinator::{Input, Output};
    use quorate_core::id::Ticket;
    use quorate_core::policy::Overrides;
    use rust_decimal::Decimal;

    use super::super::support::{COORDINATOR, Run, number, request, scenario, submit, submit_with};
    use super::*;

    fn small() -> crate::Scenario {
        let mut scenario = scenario();
        let settings = &mut scenario.cluster.settings;
        (settings.max_in_flight, settings.max_waiting, settings.max_remembered) = (2, 2, 2);
        scenario
    }

    fn run_of(judged: &crate::Scenario) -> Run {
        let mut run = Run::new(judged, Depth::Machines, new);
        run.begin(&[1]);
        run
    }

    fn refuse(run: &mut Run, refusal: Refusal) {
        run.tamper(move |output| match output {
            Output::Publish(_) => vec![Output::Answer { ticket: Ticket(1), reply: Err(refusal) }],
            output => vec![output],
        });
    }

    #[test]
    fn what_the_machine_refuses_finds_nothing() {
        let mut run = run_of(&small());
        run.drive(submit(1, "a"));
        run.drive(submit(2, "a"));
        run.drive(submit(3, "a"));
        run.drive(submit_with(4, "a", "ETH/USD as text", Overrides::default()));
        run.drive(submit(5, "b"));
        run.drive(submit(6, "c"));
        run.result(1, "a", Ok(number("1")));
        run.result(1, "b", Ok(number("1")));
        run.drive(submit(7, "a"));
        for (ticket, id) in (8..).zip(["d", "e", "a"]) {
            run.drive(submit(ticket, id));
            run.result(1, id, Ok(number("1")));
        }
        run.pass(10_000);
        run.drive(submit(20, "a"));
        run.drive(Input::Cancel(Ticket(20)));
        run.drive(submit_with(21, "a", "ETH/USD as text", Overrides::default()));
        run.drive(Input::BusDown);
        run.drive(submit(22, "g"));
        run.drive(Input::Drain);
        run.drive(submit(23, "h"));
        run.finds_nothing();
    }

    #[test]
    fn a_refusal_needs_its_reason() {
        let max = Duration::from_mins(1);
        for refusal in [
            Refusal::Policy(PolicyError::Timeout { max }),
            Refusal::Policy(PolicyError::Precision),
            Refusal::Conflict,
            Refusal::Overloaded,
            Refusal::Draining,
            Refusal::BusDown,
        ] {
            let mut run = run_of(&scenario());
            refuse(&mut run, refusal);
            run.drive(submit(1, "a"));
            run.objects("without a reason");
        }
    }

    #[test]
    fn every_bad_policy_is_refused_for_its_fault() {
        let set = Overrides::default;
        let bad = [
            Overrides { timeout: Some(Duration::ZERO), ..set() },
            Overrides { timeout: Some(Duration::from_secs(61)), ..set() },
            Overrides { min_responses: Some(0), ..set() },
            Overrides { quorum: Some(1), min_responses: Some(2), ..set() },
            Overrides { quorum: Some(101), ..set() },
            Overrides { precision: Some(29), ..set() },
            Overrides { max_deviation: Some(Decimal::NEGATIVE_ONE), ..set() },
        ];
        for overrides in bad {
            let mut fine = run_of(&scenario());
            fine.drive(submit_with(1, "a", "BTC/USD", overrides));
            fine.finds_nothing();

            let mut wrong = run_of(&scenario());
            wrong.tamper(|_| vec![Output::Answer { ticket: Ticket(1), reply: Err(Refusal::Draining) }]);
            wrong.drive(Input::Drain);
            wrong.drive(submit_with(1, "a", "BTC/USD", overrides));
            wrong.objects("bad policy");

            let mut other = run_of(&scenario());
            other.input(&submit_with(1, "a", "BTC/USD", overrides));
            let error = if overrides.precision.is_some() { PolicyError::MaxDeviation } else { PolicyError::Precision };
            other.output(&Output::Answer { ticket: Ticket(1), reply: Err(Refusal::Policy(error)) });
            other.objects("without a reason");
        }
    }

    /// A machine that is set up otherwise accepts what it must refuse.
    fn accepts(spoil: fn(&mut Settings), inputs: &[Input], words: &str) {
        let mut other = small();
        spoil(&mut other.cluster.settings);
        let mut run = Run::with_machine_of(&other, &small(), Depth::Machines, new);
        run.begin(&[1]);
        for input in inputs {
            run.drive(input.clone());
        }
        run.objects(words);
    }

    #[test]
    fn what_must_be_refused_is() {
        let long = Overrides { timeout: Some(Duration::from_secs(61)), ..Overrides::default() };
        let late = submit_with(1, "a", "BTC/USD", long);
        accepts(|settings| settings.max_timeout_ms = 90_000, &[late], "bad policy");
        let three = [submit(1, "a"), submit(2, "b"), submit(3, "c")];
        accepts(|settings| settings.max_in_flight = 9, &three, "3 are in flight");
        let joined = [submit(1, "a"), submit(2, "a"), submit(3, "a")];
        accepts(|settings| settings.max_waiting = 9, &joined, "3 wait for a");
        let cancelled = |other: &str| {
            [submit(1, "a"), Input::Cancel(Ticket(1)), submit_with(2, "a", other, Overrides::default())]
        };
        accepts(|settings| settings.remember_ms = 0, &cancelled("ETH/USD as text"), "its id stands for");
    }

    #[test]
    fn nothing_is_asked_while_draining_or_without_a_bus() {
        for (input, words) in [(Input::Drain, "while draining"), (Input::BusDown, "while the bus is down")] {
            let mut run = run_of(&scenario());
            run.input(&input);
            run.drive(submit(1, "a"));
            run.objects(words);
        }
    }

    #[test]
    fn what_is_remembered_is_told_and_what_is_forgotten_is_not() {
        let mut scenarios = [small(), small()];
        scenarios[1].cluster.settings.remember_ms = 20_000;
        for (machine, judged, words) in [(0, 1, "is remembered"), (1, 0, "was to be forgotten")] {
            let mut run = Run::with_machine_of(&scenarios[machine], &scenarios[judged], Depth::Machines, new);
            run.begin(&[1]);
            run.drive(submit(1, "a"));
            run.result(1, "a", Ok(number("1")));
            run.pass(10_000);
            run.drive(submit(2, "a"));
            run.objects(words);
        }
    }

    fn http(status: u16) -> Reply {
        Reply::Http { status, retry_after: None, body: String::new() }
    }

    /// A client that asks every `pause_ms`, five times, at a rate of ten per second and three at once.
    fn rated(pause_ms: u64, statuses: [u16; 5], restarts: bool) -> Run {
        let mut scenario = scenario();
        scenario.cluster.settings.rate_limit = Some((10, 3));
        let mut run = Run::new(&scenario, Depth::Network, new);
        for (number, status) in (1..).zip(statuses) {
            run.asked(number, None, request());
            run.pass(1);
            run.replied(number, &http(status));
            run.pass(pause_ms);
            if restarts {
                run.at(COORDINATOR, What::Started { incarnation: 2 });
            }
        }
        run
    }

    #[test]
    fn a_client_gets_its_rate_and_no_more() {
        rated(1, [200, 200, 200, 429, 429], false).finds_nothing();
        rated(100, [200; 5], false).finds_nothing();
        rated(1, [200; 5], true).finds_nothing();
        rated(1, [200; 5], false).objects("got 5 requests");
        rated(1, [503; 5], false).objects("got 5 requests");
    }

    #[test]
    fn a_client_within_its_rate_is_not_limited() {
        rated(1, [200, 429, 200, 200, 200], false).objects("within its rate");
        rated(400, [200, 200, 200, 200, 429], false).objects("within its rate");
    }

    #[test]
    fn a_request_without_an_answer_may_have_counted() {
        let mut scenario = scenario();
        scenario.cluster.settings.rate_limit = Some((1, 3));
        for vanish in [false, true] {
            let mut run = Run::new(&scenario, Depth::Network, new);
            for number in 1..=3 {
                run.asked(number, None, request());
                if vanish {
                    run.at(Host::Client(1), What::Vanished(number));
                } else {
                    run.replied(number, &Reply::Lost);
                }
            }
            run.asked(4, None, request());
            run.replied(4, &http(429));
            run.finds_nothing();
        }
    }
}
