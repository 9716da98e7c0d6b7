//! Something is recorded of every feed within its heartbeat, as long as the store is there and a coordinator lives, and
//! when another coordinator has to take it over, within the time that this takes besides.

use std::collections::BTreeMap;

use quorate_runtime::store::Log;

use super::excuses::{Excuses, SECOND};
use crate::checkers::{Checker, Context};
use crate::event::{Event, StoreEvent, What};
use crate::scenario::{Feed, StoreFaultKind, Stored};
use crate::store::event::Happened;

pub(crate) struct Prompt {
    feeds: BTreeMap<String, Wait>,
    /// The feeds by the numbers of their rounds.
    asked: BTreeMap<u64, String>,
}

/// How long a feed may wait.
struct Wait {
    query: String,
    excuses: Excuses,
    /// How long at most, without an excuse.
    most: u64,
    /// Since when.
    since: u64,
}

pub(crate) fn new(context: &Context<'_>) -> Prompt {
    let stored = &context.scenario.stored;
    let feeds = stored.feeds.iter().map(|feed| (feed.name(), wait(stored, feed))).collect();
    Prompt { feeds, asked: BTreeMap::new() }
}

fn wait(stored: &Stored, feed: &Feed) -> Wait {
    let mut kinds = stored.faults.iter().map(|fault| fault.kind);
    let is_redefined = kinds.clone().any(|kind| kind == StoreFaultKind::Redefine(feed.number));
    // A record that comes after a stranger's entry is appended once more, when readings have reached that entry.
    let is_intruded = kinds.any(|kind| matches!(kind, StoreFaultKind::Strangers(number, _) if number == feed.number));
    let heartbeat = feed.heartbeat_ms * if is_redefined { 2 } else { 1 };
    let ahead = || stored.coordinators.iter().map(|spec| spec.ahead_ms);
    let skew = ahead().max().unwrap_or(0).abs_diff(ahead().min().unwrap_or(0));
    // A round that begins before the heartbeat has passed may leave nothing, and the next one begins when it has ended.
    let millis = heartbeat + feed.interval_ms + 2 * feed.round_ms.1 + skew;
    // A slow store takes its time for a lease and for a record.
    let slow = 3 * 1_000 * stored.engine.commit_us.1;
    let most = millis * 1_000_000 + slow + if is_intruded { 7 } else { 2 } * SECOND;
    Wait { query: feed.query(), excuses: Excuses::of_feed(stored, feed.number), most, since: 0 }
}

impl Checker for Prompt {
    fn event(&mut self, event: &Event<'_>) -> Result<(), String> {
        for (name, wait) in &self.feeds {
            let waited = event.at - wait.since;
            if waited > wait.most && waited - wait.excuses.between(wait.since, event.at) > wait.most {
                let seconds = |nanos| nanos as f64 / SECOND as f64;
                let (since, excused) = (wait.since, wait.excuses.between(wait.since, event.at));
                return Err(format!(
                    "{name} has waited since {} s, for more than {} s and {} s that are excused",
                    seconds(since),
                    seconds(wait.most),
                    seconds(excused)
                ));
            }
        }
        match event.what {
            What::Store(StoreEvent::Store(Happened::Stored(Log::Feeds, entry))) => {
                let name = entry.key.text().unwrap_or_default();
                if let Some(wait) = self.feeds.get_mut(&name) {
                    wait.since = event.at;
                }
            }
            What::Store(StoreEvent::Asked(number, query, None)) => {
                let of = self.feeds.iter().find(|(_, wait)| wait.query == query.as_str());
                self.asked.extend(of.map(|(name, _)| (*number, name.clone())));
            }
            // A round that is refused is asked again a second later.
            What::Store(StoreEvent::Answered(number, None)) => {
                if let Some(wait) = self.asked.get(number).and_then(|name| self.feeds.get_mut(name)) {
                    wait.since += (2 * SECOND).min(event.at - wait.since);
                }
            }
            _ => {}
        }
        Ok(())
    }
}
