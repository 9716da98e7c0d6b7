//! In the end every coordinator serves the newest record of every feed, and the report that stands.

use std::collections::BTreeMap;

use quorate_runtime::store::{Entry, Log};

use super::excuses::SECOND;
use super::record::Record;
use crate::checkers::{Checker, Context};
use crate::event::{Event, StoreEvent, What};
use crate::host::Host;
use crate::store::event::Happened;

/// How much later than it is stored a record may be served.
const LATE: u64 = 10 * SECOND;

pub(crate) struct Fresh {
    coordinators: Vec<Host>,
    /// The records of each feed, with the time at which each was stored, its round, and whether it is a report.
    stored: BTreeMap<String, Vec<(u64, u64, bool)>>,
    /// The rounds of the newest record and of the newest report that a coordinator serves.
    served: BTreeMap<(Host, String), (u64, u64)>,
}

pub(crate) fn new(context: &Context<'_>) -> Fresh {
    let coordinators = context.scenario.stored.coordinators.iter();
    let coordinators = coordinators.map(|spec| Host::Coordinator(spec.number)).collect();
    Fresh { coordinators, stored: BTreeMap::new(), served: BTreeMap::new() }
}

impl Fresh {
    fn stored(&mut self, at: u64, entry: &Entry) -> Result<(), String> {
        let record = Record::read(&entry.body)?;
        let stored = self.stored.entry(record.feed.to_owned()).or_default();
        stored.push((at, record.round, record.reason.is_some()));
        Ok(())
    }

    fn ended(&self, now: u64) -> Result<(), String> {
        for (feed, stored) in &self.stored {
            let early = stored.iter().filter(|(at, ..)| at + LATE < now);
            let newest = early.clone().map(|(_, round, _)| *round).max().unwrap_or(0);
            let report = early.filter(|(_, _, is_report)| *is_report).map(|(_, round, _)| *round).max().unwrap_or(0);
            for host in &self.coordinators {
                let served = self.served.get(&(*host, feed.clone())).copied().unwrap_or_default();
                if served.0 < newest || served.1 < report {
                    return Err(format!("{host} serves {served:?} of {feed}, and ({newest}, {report}) is long stored"));
                }
            }
        }
        Ok(())
    }
}

impl Checker for Fresh {
    fn event(&mut self, event: &Event<'_>) -> Result<(), String> {
        match event.what {
            What::Store(StoreEvent::Store(Happened::Stored(Log::Feeds, entry))) => self.stored(event.at, entry),
            What::Store(StoreEvent::Store(Happened::Forgotten(Log::Feeds, entry))) => {
                let feed = entry.key.text().unwrap_or_default();
                self.stored.get_mut(&feed).map(Vec::pop);
                Ok(())
            }
            What::Store(StoreEvent::Served(feed, newest, report)) => {
                let round =
                    |shown: &Option<_>| shown.as_ref().map_or(0, |shown: &crate::store::event::Shown| shown.round);
                self.served.insert((event.host, feed.as_str().to_owned()), (round(newest), round(report)));
                Ok(())
            }
            What::Started { .. } => {
                self.served.retain(|(host, _), _| *host != event.host);
                Ok(())
            }
            What::Ended => self.ended(event.at),
            _ => Ok(()),
        }
    }
}
