//! Descriptions of what happens on the stage with a store.

use std::time::Duration;

use quorate_runtime::store::{Entry, Log};

use super::{millis, short};
use crate::event::StoreEvent;
use crate::scenario::{StoreFault, StoreFaultKind};
use crate::store::event::{Happened, Shown};

pub(super) fn event(event: &StoreEvent) -> String {
    match event {
        StoreEvent::FaultBegan(place, what) => format!("fault {place} begins: {}", fault(what)),
        StoreEvent::FaultEnded(place, what) => format!("fault {place} ends: {}", fault(what)),
        StoreEvent::Store(happened) => self::happened(happened),
        StoreEvent::Defined(feeds) => format!("has {} feeds", feeds.len()),
        StoreEvent::Asked(number, query, None) => format!("asks #{number}: {}", short(query.as_str())),
        StoreEvent::Asked(number, query, Some(id)) => {
            format!("asks #{number}: {} for {}", short(query.as_str()), short(id.as_str()))
        }
        StoreEvent::Answered(number, None) => format!("refuses to ask #{number}"),
        StoreEvent::Answered(number, Some(outcome)) => format!("answer to #{number}: {}", super::outcome(outcome)),
        StoreEvent::Published(feed, shown) => format!("publishes {feed} {}", record(shown)),
        StoreEvent::Served(feed, newest, report) => {
            let words = |shown: &Option<Shown>| shown.as_ref().map_or("nothing".to_owned(), record);
            format!("serves {feed}: newest {}, report {}", words(newest), words(report))
        }
        StoreEvent::Counted(counters) => format!("{counters:?}"),
        StoreEvent::Submitted(place, id, query) => {
            format!("request {place} is submitted: {} as {}", short(query.as_str()), short(id.as_str()))
        }
        StoreEvent::Accepted(place, _, None) => format!("request {place} is not answered"),
        StoreEvent::Accepted(place, _, Some(Ok(accepted))) => format!("request {place} is accepted: {accepted:?}"),
        StoreEvent::Accepted(place, _, Some(Err(rejection))) => format!("request {place} is rejected: {rejection}"),
        StoreEvent::Told(place, _, body) => {
            format!("request {place} ends: {}", short(&String::from_utf8_lossy(body)))
        }
    }
}

fn record(shown: &Shown) -> String {
    format!("round {} at {}", shown.round, shown.sequence)
}

fn happened(happened: &Happened) -> String {
    let entry = |log: &Log, Entry { key, sequence, body, .. }: &Entry| {
        format!("{log:?} {} {sequence}: {}", key.token(), short(&String::from_utf8_lossy(body)))
    };
    match happened {
        Happened::Stored(log, stored) => format!("stores {}", entry(log, stored)),
        Happened::Forgotten(log, lost) => format!("forgets {}", entry(log, lost)),
        Happened::StrangeForgotten(feed, sequence) => {
            format!("forgets what a stranger wrote on the subject of {feed:?} at {sequence}")
        }
        Happened::Dropped(log, key, _) => format!("drops an entry of {log:?} {}", key.token()),
        Happened::Appended(log, key, append, Ok(sequence)) => {
            format!("is told that {log:?} {} is stored after {} as {sequence}", key.token(), append.after)
        }
        Happened::Appended(log, key, append, Err(error)) => {
            format!("is told of {log:?} {} after {}: {error}", key.token(), append.after)
        }
        Happened::ReadBehind(log) => format!("reads {log:?} as it was"),
        Happened::WatchedAgain(log) => format!("watches {log:?} again"),
    }
}

/// A fault of the store or of a coordinator.
pub(super) fn fault(fault: &StoreFault) -> String {
    let time = |ms: u64| format!("{:?}", Duration::from_millis(ms));
    match fault.kind {
        StoreFaultKind::Election => "the leader of the store dies".to_owned(),
        StoreFaultKind::LeaderPaused => "the leader of the store is paused".to_owned(),
        StoreFaultKind::Cut(host) => format!("the store and {host} are cut off from each other"),
        StoreFaultKind::Minority(host) => format!("{host} reaches only a replica without a leader"),
        StoreFaultKind::LostAnswers(permille) => format!("{permille} of 1,000 answers of the store are lost"),
        StoreFaultKind::LateRequests(permille, ms) => {
            format!("{permille} of 1,000 messages to the store are up to {} late", time(ms))
        }
        StoreFaultKind::Lag(ms) => format!("readings are up to {} behind", time(ms)),
        StoreFaultKind::Forget(count) => format!("the store loses its {count} newest records"),
        StoreFaultKind::Crash(host) => format!("{host} is down"),
        StoreFaultKind::Pause(host) => format!("{host} is paused"),
        StoreFaultKind::Stop(host) => format!("{host} stops"),
        StoreFaultKind::Without(feed) => format!("feed-{feed} is not in the file"),
        StoreFaultKind::Redefine(feed) => format!("feed-{feed} is defined otherwise"),
        StoreFaultKind::SlowRounds(feed, ms) => format!("the rounds of feed-{feed} take {} longer", time(ms)),
        StoreFaultKind::FailRounds(feed) => format!("the rounds of feed-{feed} fail"),
        StoreFaultKind::Strangers(feed, ms) => {
            format!("a stranger writes on the subject of feed-{feed}, every {}", time(ms))
        }
    }
}

/// The schedule of faults, with a line per fault.
pub(super) fn schedule(faults: &[StoreFault]) -> impl Iterator<Item = String> {
    faults.iter().map(|fault| {
        let end = fault.at_ms.saturating_add(fault.for_ms);
        format!("{} to {}: {}", millis(fault.at_ms), millis(end), self::fault(fault))
    })
}
