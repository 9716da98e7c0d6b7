//! The records of a feed count up by one, and each names the one before by its sequence and its hash. A hole has a
//! reason: a record that the store has lost.

use std::collections::{BTreeMap, BTreeSet};

use quorate_runtime::store::{Entry, Log};

use super::record::{Record, sha256};
use crate::checkers::{Checker, Context};
use crate::event::{Event, StoreEvent, What};
use crate::store::event::Happened;

#[derive(Default)]
pub(crate) struct Chain(BTreeMap<String, History>);

/// The records of a feed.
#[derive(Default)]
struct History {
    /// The sequence, the round and the hash of each, in order.
    stored: Vec<(u64, u64, String)>,
    lost: BTreeSet<(u64, u64, String)>,
    /// The greatest sequence that was lost.
    lost_until: u64,
}

pub(crate) fn new(_context: &Context<'_>) -> Chain {
    Chain::default()
}

impl Chain {
    fn stored(&mut self, entry: &Entry) -> Result<(), String> {
        let record = Record::read(&entry.body)?;
        if entry.key.text().as_deref() != Some(record.feed) {
            return Err(format!("a record of {} is stored as one of {:?}", record.feed, entry.key));
        }
        let history = self.0.entry(record.feed.to_owned()).or_default();
        let round = record.round;
        let (before, last) = history
            .stored
            .last()
            .map_or((None, 0), |(sequence, round, hash)| (Some((*sequence, hash.clone())), *round));
        let named = record.previous.as_ref().map(|link| (link.sequence, link.sha256.to_owned()));
        let continues = named == before && round == last + 1;
        // A store that has lost its end, and gives the sequences again, may accept a record whose predecessor is not the
        // newest. Each still names one that was there.
        let continues_what_was_there = || {
            named.clone().is_some_and(|(sequence, hash)| {
                let named = (sequence, round - 1, hash);
                history.lost.contains(&named) || (history.stored.contains(&named) && sequence <= history.lost_until)
            })
        };
        if !continues && !continues_what_was_there() {
            let text = format!("round {round} of {} after {named:?} follows round {last} at {before:?}", record.feed);
            return Err(text);
        }
        history.stored.push((entry.sequence, round, sha256(&entry.body)));
        Ok(())
    }

    fn forgotten(&mut self, entry: &Entry) -> Result<(), String> {
        let record = Record::read(&entry.body)?;
        let history = self.0.entry(record.feed.to_owned()).or_default();
        let lost = history.stored.pop().expect("only what is stored can be lost");
        assert_eq!(lost.0, entry.sequence, "the newest is lost first");
        history.lost_until = history.lost_until.max(entry.sequence);
        history.lost.insert(lost);
        Ok(())
    }
}

impl Checker for Chain {
    fn event(&mut self, event: &Event<'_>) -> Result<(), String> {
        match event.what {
            What::Store(StoreEvent::Store(Happened::Stored(Log::Feeds, entry))) => self.stored(entry),
            What::Store(StoreEvent::Store(Happened::Forgotten(Log::Feeds, entry))) => self.forgotten(entry),
            What::Store(StoreEvent::Store(Happened::StrangeForgotten(feed, sequence))) => {
                let history = self.0.entry(feed.text().unwrap_or_default()).or_default();
                history.lost_until = history.lost_until.max(*sequence);
                Ok(())
            }
            _ => Ok(()),
        }
    }
}
