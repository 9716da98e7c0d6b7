//! Whatever a coordinator serves or publishes is stored, byte for byte, so that no two readers see two values for one
//! round; and a reader of one process never sees an earlier round after a later one.

use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;
use quorate_runtime::store::Log;

use crate::checkers::{Checker, Context};
use crate::event::{Event, StoreEvent, What};
use crate::host::Host;
use crate::store::event::{Happened, Shown as Record};

#[derive(Default)]
pub(crate) struct Shown {
    /// Everything that was ever stored, by feed and sequence: the store may lose an entry, and give its sequence again.
    stored: BTreeMap<(String, u64), Vec<Bytes>>,
    /// The newest round that each process has published, and served.
    newest: BTreeMap<(Host, String, bool), u64>,
    /// The feeds of each process.
    defined: BTreeMap<Host, BTreeSet<String>>,
}

pub(crate) fn new(_context: &Context<'_>) -> Shown {
    Shown::default()
}

impl Shown {
    fn shown(&mut self, host: Host, feed: &str, record: &Record, published: bool) -> Result<(), String> {
        let Record { sequence, round, body } = record;
        if !self.stored.get(&(feed.to_owned(), *sequence)).is_some_and(|stored| stored.contains(body)) {
            return Err(format!("round {round} of {feed} at {sequence} is shown and was never stored"));
        }
        let newest = self.newest.entry((host, feed.to_owned(), published)).or_default();
        if *round < *newest || published && *round == *newest {
            return Err(format!("round {round} of {feed} is shown after round {newest}"));
        }
        *newest = *round;
        Ok(())
    }
}

impl Checker for Shown {
    fn event(&mut self, event: &Event<'_>) -> Result<(), String> {
        match event.what {
            What::Store(StoreEvent::Store(Happened::Stored(Log::Feeds, entry))) => {
                let feed = entry.key.text().expect("a key is written from a text");
                self.stored.entry((feed, entry.sequence)).or_default().push(entry.body.clone());
            }
            What::Store(StoreEvent::Published(feed, record)) => {
                self.shown(event.host, feed.as_str(), record, true)?;
            }
            What::Store(StoreEvent::Served(feed, newest, report)) => {
                if let Some(record) = newest {
                    self.shown(event.host, feed.as_str(), record, false)?;
                }
                let stored = |report: &Record| {
                    let place = (feed.as_str().to_owned(), report.sequence);
                    self.stored.get(&place).is_some_and(|stored| stored.contains(&report.body))
                };
                if let Some(report) = report.as_ref().filter(|report| !stored(report)) {
                    return Err(format!(
                        "the report of round {} of {feed} is served and was never stored",
                        report.round
                    ));
                }
            }
            What::Store(StoreEvent::Defined(feeds)) => {
                let feeds: BTreeSet<_> = feeds.iter().map(|feed| feed.name.as_str().to_owned()).collect();
                let before = self.defined.insert(event.host, feeds).unwrap_or_default();
                // A feed that is new, or new again, begins with what there is.
                self.newest.retain(|(host, feed, _), _| *host != event.host || before.contains(feed));
            }
            What::Started { .. } => self.newest.retain(|(host, _, _), _| *host != event.host),
            _ => {}
        }
        Ok(())
    }
}
