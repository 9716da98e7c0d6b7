//! A record is of a round that was asked, and of no other: it says what the workers answered. A report has a right to be
//! one: it is the first, or the heartbeat has passed, or the value has moved by the deviation. What is disputed or has no
//! answer is recorded, and not reported.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use quorate_core::feed::Definition;
use quorate_core::outcome::{Outcome, Status};
use quorate_core::value::Value;
use quorate_runtime::store::{Entry, Log};
use rust_decimal::Decimal;
use rust_decimal::prelude::ToPrimitive as _;

use super::record::Record;
use crate::checkers::{Checker, Context};
use crate::event::{Event, StoreEvent, What};
use crate::host::Host;
use crate::scenario::Keeper;
use crate::store::event::Happened;

pub(crate) struct Right {
    coordinators: Vec<Keeper>,
    /// Whatever each coordinator was told of its feeds: a paused one learns it later.
    defined: BTreeMap<Host, Vec<Arc<Definition>>>,
    rounds: BTreeMap<u64, Round>,
    recorded: BTreeSet<u64>,
    /// The last report of each feed.
    reports: BTreeMap<String, Report>,
    /// The feeds of which the store has lost a record: nobody but its author knows the report before the next one.
    lossy: BTreeSet<String>,
}

struct Round {
    host: Host,
    asked: u64,
    outcome: Option<Arc<Outcome>>,
}

#[derive(Clone, Copy)]
struct Report {
    round: u64,
    value: Decimal,
    host: Host,
    asked: u64,
}

pub(crate) fn new(context: &Context<'_>) -> Right {
    Right {
        coordinators: context.scenario.stored.coordinators.clone(),
        defined: BTreeMap::new(),
        rounds: BTreeMap::new(),
        recorded: BTreeSet::new(),
        reports: BTreeMap::new(),
        lossy: BTreeSet::new(),
    }
}

/// A fraction that has at most six decimal places, in millionths.
pub(super) fn millionths(fraction: Decimal) -> i128 {
    (fraction * Decimal::from(1_000_000)).to_i128().expect("it is a small number")
}

/// Whether a value has moved by a fraction, given in millionths, with whole numbers only.
pub(super) fn has_moved(old: Decimal, new: Decimal, millionths: i128) -> bool {
    let scale = old.scale().max(new.scale());
    let whole = |number: Decimal| number.mantissa() * 10_i128.pow(scale - number.scale());
    let (old, new) = (whole(old), whole(new));
    if old == 0 { new != 0 } else { (new - old).abs() * 1_000_000 >= millionths * old.abs() }
}

impl Right {
    fn ahead(&self, host: Host) -> i64 {
        let spec = self.coordinators.iter().find(|spec| Host::Coordinator(spec.number) == host);
        spec.map_or(0, |spec| spec.ahead_ms)
    }

    fn stored(&mut self, entry: &Entry) -> Result<(), String> {
        let record = Record::read(&entry.body)?;
        let number = record.asked()?;
        let named = format!("round {} of {}", record.round, record.feed);
        let round = self.rounds.get(&number).ok_or_else(|| format!("{named} was never asked"))?;
        let outcome = round.outcome.as_ref().ok_or_else(|| format!("{named} is recorded before its answer"))?;
        // An author stores again what the store has lost before it said that it was stored.
        if !self.recorded.insert(number) && !self.lossy.contains(record.feed) {
            return Err(format!("{named} records again what was recorded"));
        }
        let answer = outcome.verdict.as_ref().ok().filter(|answer| answer.status != Status::Disputed);
        let value = answer.map(|answer| match answer.value {
            Value::Number(number) => number,
            Value::Text(_) => unreachable!("every value of this stage is a number"),
        });
        if record.value() != value || value.is_some() != record.reason.is_some() {
            let shown = (record.value(), record.status, record.reason);
            return Err(format!("{named} says {shown:?} of {:?}", outcome.verdict));
        }
        let last = self.last_report(&record)?;
        let (Some(value), Some(reason)) = (value, record.reason) else { return Ok(()) };
        let (host, asked) = (round.host, round.asked);
        let may = |definition: &Arc<Definition>| match (reason, last) {
            ("first", last) => last.is_none(),
            ("heartbeat", Some(last)) => self.is_due(definition, host, asked, last),
            ("deviation", Some(last)) => {
                definition.deviation.is_some_and(|fraction| has_moved(last.value, value, millionths(fraction)))
            }
            _ => false,
        };
        let mut definitions = self.defined.get(&host).into_iter().flatten();
        if !definitions.any(|definition| definition.name.as_str() == record.feed && may(definition)) {
            let last = last.map(|last| (last.round, last.value));
            return Err(format!("{named} is reported as {reason} with {value} after {last:?}"));
        }
        let report = Report { round: record.round, value, host, asked };
        self.reports.insert(record.feed.to_owned(), report);
        Ok(())
    }

    /// The last report before a record, which the record must name. If the store has lost records, the record's word
    /// counts.
    fn last_report(&self, record: &Record<'_>) -> Result<Option<Report>, String> {
        let last = self.reports.get(record.feed).copied();
        let named = record.last_report.as_ref().map(|report| (report.round, report.value()));
        if self.lossy.contains(record.feed) {
            let nobody = Host::Broker;
            let asked = last.map_or(0, |last| last.asked);
            return Ok(named.map(|(round, value)| Report { round, value, host: nobody, asked }));
        }
        if named == last.map(|last| (last.round, last.value)) {
            Ok(last)
        } else {
            let last = last.map(|last| (last.round, last.value));
            Err(format!("round {} of {} names {named:?} as the report before, not {last:?}", record.round, record.feed))
        }
    }

    /// Whether the heartbeat may have passed since a report, by the clocks of both coordinators. A round that is late
    /// counts as begun when it was due.
    fn is_due(&self, definition: &Definition, host: Host, asked: u64, last: Report) -> bool {
        if last.host == Host::Broker {
            return true;
        }
        let skew = Duration::from_millis(self.ahead(host).abs_diff(self.ahead(last.host)));
        let passed = Duration::from_nanos(asked - last.asked);
        passed + skew + definition.min_interval >= definition.heartbeat
    }
}

impl Checker for Right {
    fn event(&mut self, event: &Event<'_>) -> Result<(), String> {
        let What::Store(what) = event.what else { return Ok(()) };
        match what {
            StoreEvent::Defined(feeds) => {
                self.defined.entry(event.host).or_default().extend(feeds.iter().cloned());
            }
            StoreEvent::Asked(number, _, None) => {
                let round = Round { host: event.host, asked: event.at, outcome: None };
                self.rounds.insert(*number, round);
            }
            StoreEvent::Answered(number, outcome) => {
                if let Some(round) = self.rounds.get_mut(number) {
                    round.outcome.clone_from(outcome);
                }
            }
            StoreEvent::Store(Happened::Stored(Log::Feeds, entry)) => self.stored(entry)?,
            StoreEvent::Store(Happened::Forgotten(Log::Feeds, entry)) => {
                self.lossy.insert(Record::read(&entry.body)?.feed.to_owned());
            }
            _ => {}
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_moves_by_a_fraction_of_what_it_was() {
        let number = |text: &str| Decimal::from_str_exact(text).expect("a number");
        for (old, new, millionths, moves) in [
            ("100", "100.5", 5_000, true),
            ("100", "100.49", 5_000, false),
            ("-100", "-99.5", 5_000, true),
            ("0", "0.00", 0, false),
            ("0", "0.01", 1_000_000, true),
            ("3", "3", 0, true),
        ] {
            assert_eq!(has_moved(number(old), number(new), millionths), moves, "{old} {new}");
        }
    }
}
