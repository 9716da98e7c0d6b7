//! When nothing has gone wrong for a while, an answer that has moved by the deviation is recorded at once.

use std::collections::BTreeMap;

use quorate_core::feed::Definition;
use quorate_core::outcome::{Outcome, Status};
use quorate_core::value::Value;
use quorate_runtime::store::{Entry, Log};
use rust_decimal::Decimal;
use std::sync::Arc;

use super::calm::Calm;
use super::excuses::SECOND;
use super::record::Record;
use super::right::{has_moved, millionths};
use crate::checkers::{Checker, Context};
use crate::event::{Event, StoreEvent, What};
use crate::store::event::Happened;

/// How long it takes until the last lease has been taken over and everything that was unclear is settled.
const SETTLES: u64 = 45 * SECOND;
/// How long it takes to store a record: the store may take two seconds.
const STORES: u64 = 5 * SECOND;

#[derive(Default)]
pub(crate) struct Moved {
    calm: Calm,
    feeds: BTreeMap<String, Arc<Definition>>,
    asked: BTreeMap<u64, String>,
    reports: BTreeMap<String, Decimal>,
    /// By when a record of a feed must be stored.
    due: BTreeMap<String, (u64, Decimal)>,
}

pub(crate) fn new(_context: &Context<'_>) -> Moved {
    Moved::default()
}

impl Moved {
    fn answered(&mut self, at: u64, number: u64, outcome: &Outcome) {
        let Some(definition) =
            self.asked.remove(&number).and_then(|query| self.feeds.values().find(|feed| feed.query.as_str() == query))
        else {
            return;
        };
        let name = definition.name.as_str();
        let (Some(old), Some(fraction)) = (self.reports.get(name), definition.deviation) else { return };
        let Ok(answer) = &outcome.verdict else { return };
        let Value::Number(new) = answer.value else { return };
        let is_calm = self.calm.lasts(at).is_some_and(|calm| calm > SETTLES);
        if is_calm && answer.status != Status::Disputed && has_moved(*old, new, millionths(fraction)) {
            self.due.entry(name.to_owned()).or_insert((at + STORES, new));
        }
    }

    fn stored(&mut self, entry: &Entry) -> Result<(), String> {
        let record = Record::read(&entry.body)?;
        self.due.remove(record.feed);
        if let Some(value) = record.value() {
            self.reports.insert(record.feed.to_owned(), value);
        }
        Ok(())
    }
}

impl Checker for Moved {
    fn event(&mut self, event: &Event<'_>) -> Result<(), String> {
        self.calm.event(event);
        if self.calm.lasts(event.at).is_none() {
            self.due.clear();
        }
        if let Some((feed, (_, value))) = self.due.iter().find(|(_, (due, _))| *due < event.at) {
            return Err(format!("{feed} has moved to {value}, and that is not recorded"));
        }
        let What::Store(what) = event.what else { return Ok(()) };
        match what {
            StoreEvent::Defined(feeds) => {
                self.feeds = feeds.iter().map(|feed| (feed.name.as_str().to_owned(), Arc::clone(feed))).collect();
            }
            StoreEvent::Asked(number, query, None) => {
                self.asked.insert(*number, query.as_str().to_owned());
            }
            StoreEvent::Answered(number, Some(outcome)) => self.answered(event.at, *number, outcome),
            StoreEvent::Store(Happened::Stored(Log::Feeds, entry)) => self.stored(entry)?,
            _ => {}
        }
        Ok(())
    }
}
