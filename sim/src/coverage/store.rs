//! What a run on the stage with a store reaches.

use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;
use quorate_core::durable::Accepted;
use quorate_core::feed::Counters;
use quorate_runtime::store::{Append, AppendError, Entry, Key, Log};
use serde::Deserialize;

use super::Reached;
use super::sometimes::Sometimes as S;
use crate::event::{Event, StoreEvent, What};
use crate::host::Host;
use crate::scenario::StoreFaultKind;
use crate::store::event::Happened;

/// How long after a pause what a coordinator loses is due to the pause, in nanoseconds.
const AFTER_A_PAUSE: u64 = 20_000_000_000;

#[derive(Debug, Default)]
pub(super) struct StoreCoverage {
    counters: BTreeMap<Host, Counters>,
    /// When each coordinator was paused last.
    resumed: BTreeMap<Host, u64>,
    /// The newest sequence of each key.
    newest: BTreeMap<(Log, Key), u64>,
    /// The entries whose authors do not know what became of them.
    unclear: BTreeMap<(Host, Bytes), Log>,
    stored: BTreeSet<Bytes>,
    forgotten: BTreeSet<u64>,
    /// Who holds each durable request.
    holders: BTreeMap<Key, String>,
    is_healed: bool,
}

/// What coverage reads of an entry: a record, an open request, or a lease.
#[derive(Deserialize)]
struct Seen {
    holder: Option<String>,
    status: Option<String>,
    reason: Option<String>,
    previous: Option<Link>,
}

#[derive(Deserialize)]
struct Link {
    sequence: u64,
}

impl StoreCoverage {
    pub(super) fn event(&mut self, event: &Event<'_>, reached: &mut Reached) {
        let Event { at, host, what } = *event;
        match what {
            What::Healed => self.is_healed = true,
            What::Stopped => reached.insert(S::StoreStopped),
            What::Store(what) => self.store(at, host, what, reached),
            _ => {}
        }
    }

    fn store(&mut self, at: u64, host: Host, what: &StoreEvent, reached: &mut Reached) {
        match what {
            StoreEvent::FaultBegan(_, fault) => reached.insert(S::store_fault(fault.kind)),
            StoreEvent::FaultEnded(_, fault) => {
                if let StoreFaultKind::Pause(host) = fault.kind {
                    self.resumed.insert(host, at);
                }
            }
            StoreEvent::Counted(counters) => self.counted(at, host, *counters, reached),
            StoreEvent::Answered(_, None) => reached.insert(S::RoundRefused),
            StoreEvent::Published(_, shown) => {
                let was_unclear = self.unclear.remove(&(host, shown.body.clone())).is_some();
                reached.insert_if(S::SettledStored, was_unclear);
            }
            StoreEvent::Accepted(_, _, reply) => match reply {
                Some(Ok(Accepted::Open)) => reached.insert(S::DurableAccepted),
                Some(Ok(Accepted::Done)) => reached.insert(S::DurableDone),
                Some(Err(rejection)) => {
                    use quorate_core::durable::Rejection as R;
                    reached.insert_if(S::DurableConflict, *rejection == R::Conflict);
                    reached.insert_if(S::DurableUnclear, *rejection == R::Unclear);
                }
                None => {}
            },
            StoreEvent::Told(..) => reached.insert_if(S::DurableToldAfter, self.is_healed),
            StoreEvent::Store(happened) => self.happened(host, happened, reached),
            _ => {}
        }
    }

    fn counted(&mut self, at: u64, host: Host, counters: Counters, reached: &mut Reached) {
        let before = self.counters.insert(host, counters).unwrap_or_default();
        let paused = self.resumed.get(&host).is_some_and(|resumed| at - resumed < AFTER_A_PAUSE);
        reached.insert_if(S::Failover, counters.failovers > before.failovers);
        reached.insert_if(S::RoundLost, counters.lost > before.lost);
        reached.insert_if(S::PausedLost, counters.lost > before.lost && paused);
        reached.insert_if(S::RoundUnclear, counters.unclear > before.unclear);
        reached.insert_if(S::RoundQuiet, counters.quiet > before.quiet);
    }

    fn happened(&mut self, host: Host, happened: &Happened, reached: &mut Reached) {
        match happened {
            Happened::Stored(log, entry) => self.stored(*log, entry, reached),
            Happened::Forgotten(_, entry) => {
                self.forgotten.insert(entry.sequence);
            }
            Happened::StrangeForgotten(..) => {}
            Happened::Dropped(..) => reached.insert(S::ElectionDropped),
            Happened::Appended(log, key, append, end) => self.appended(host, (*log, key), append, end, reached),
            Happened::ReadBehind(_) => reached.insert(S::ReadBehind),
            Happened::WatchedAgain(_) => reached.insert(S::WatchedAgain),
        }
    }

    fn appended(
        &mut self,
        host: Host,
        (log, key): (Log, &Key),
        append: &Append,
        end: &Result<u64, AppendError>,
        reached: &mut Reached,
    ) {
        let author = (host, append.body.clone());
        match end {
            Ok(_) => reached.insert_if(S::SettledAgain, self.unclear.remove(&author).is_some()),
            Err(AppendError::Conflict) => {
                let newest = self.newest.get(&(log, key.clone())).copied().unwrap_or(0);
                reached.insert_if(S::ConflictWithNothing, newest == append.after);
                let is_lost = !self.stored.contains(&append.body) && newest != append.after;
                reached.insert_if(S::SettledLost, is_lost && self.unclear.remove(&author).is_some());
                reached.insert_if(S::OutcomeLost, log == Log::Outcomes && is_lost);
            }
            Err(AppendError::Unclear(_)) => {
                reached.insert_if(S::AnswerLost, self.stored.contains(&append.body));
                self.unclear.insert(author, log);
            }
            Err(AppendError::Refused(_)) => {}
        }
    }

    fn stored(&mut self, log: Log, entry: &Entry, reached: &mut Reached) {
        self.newest.insert((log, entry.key.clone()), entry.sequence);
        let is_late = self.unclear.keys().any(|(_, body)| *body == entry.body);
        reached.insert_if(S::StoredLate, is_late);
        self.stored.insert(entry.body.clone());
        let Ok(seen) = serde_json::from_slice::<Seen>(&entry.body) else { return };
        match log {
            Log::Feeds => {
                let reason = seen.reason.as_deref();
                reached.insert_if(S::ReportHeartbeat, reason == Some("heartbeat"));
                reached.insert_if(S::ReportDeviation, reason == Some("deviation"));
                reached.insert_if(S::RecordDisputed, seen.status.as_deref() == Some("disputed"));
                reached.insert_if(S::RecordFailed, seen.status.as_deref() == Some("insufficient_responses"));
                let follows = seen.previous.map(|link| link.sequence);
                reached.insert_if(S::FollowsForgotten, follows.is_some_and(|before| self.forgotten.contains(&before)));
            }
            Log::Leases => reached.insert_if(S::LeaseReleased, seen.holder.is_none()),
            Log::Open => {
                let Some(holder) = seen.holder else { return reached.insert(S::DurableReleased) };
                let before = self.holders.insert(entry.key.clone(), holder.clone());
                reached.insert_if(S::DurableTaken, before.is_some_and(|before| before != holder));
            }
            Log::Outcomes => {}
        }
    }
}
