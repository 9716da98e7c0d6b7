//! The workers that a request must ask.

use quorate_core::coordinator::Refusal;
use quorate_core::id::WorkerId;
use quorate_core::query::Query;
use quorate_core::time::Timestamp;

use super::{Known, Workers};

/// Whom a request asks.
pub(in super::super) struct Asked {
    pub(in super::super) workers: Vec<WorkerId>,
    /// Whether they are founders.
    pub(in super::super) founding: bool,
    /// Whether a record that is earned counts for the query only.
    pub(in super::super) local: bool,
    /// The number of others without a record that may join.
    pub(in super::super) places: usize,
}

impl Workers {
    /// Whom a request asks: live workers that offer its query.
    ///
    /// While none that offers it has a record, all are asked as founders. For a presence timeout after the first record,
    /// while fewer than three workers have one, so are those that have announced themselves. After that, a request asks
    /// those with a record and, in turn, some of the others: as many as those, but no more than `max_newcomers`. If no
    /// worker with a record is live, it asks as many others as there are records, or `max_newcomers` if that is more.
    ///
    /// While there are workers whose record counts for every query, a record that is earned without one of them counts
    /// for the query only.
    pub(in super::super) fn ask(&mut self, now: Timestamp, query: &Query, max_newcomers: usize) -> Asked {
        let kept = |known: &Known| !(known.is_gone() && known.last_heard.after(self.keep_gone) <= now);
        let anyone = self.known.values().any(|known| known.proven && kept(known));
        let offering: Vec<(&WorkerId, &Known)> = self.known.iter().filter(|(_, known)| known.offers(query)).collect();
        let recorded: Vec<&Known> =
            offering.iter().map(|(_, known)| *known).filter(|known| known.has_record(query) && kept(known)).collect();
        let records = recorded.len();
        self.founded_at = self.founded_at.filter(|_| anyone);
        let local = if records > 0 { recorded.iter().all(|known| !known.proven) } else { anyone };
        let first = if local { recorded.iter().filter_map(|it| it.founded_at(query)).min() } else { self.founded_at };
        let early = records < 3 && first.is_some_and(|at| now < at.after(self.presence));
        let founding = records == 0 || early;
        let live = offering.into_iter().filter(|(_, known)| known.is_live()).map(|(worker, _)| worker.clone());
        let (proven, mut others): (Vec<WorkerId>, Vec<WorkerId>) =
            live.partition(|worker| self.known[worker].has_record(query));
        let mut most = usize::MAX;
        if records > 0 {
            others.retain(|worker| if early { self.known[worker].announced } else { !self.known[worker].silent });
        }
        if !founding {
            most = if proven.is_empty() { records.max(max_newcomers) } else { proven.len().min(max_newcomers) };
            others.sort_by_key(|worker| (self.known[worker].tried, self.known[worker].since, worker.clone()));
            others.truncate(most);
        }
        for worker in &others {
            self.known.entry(worker.clone()).and_modify(|known| known.tried += 1);
        }
        let (joining, all) = (most - others.len(), proven.len() + others.len());
        let places = match all {
            0 => max_newcomers,
            all if founding => max_newcomers.min(all),
            _ => max_newcomers.min(joining),
        };
        Asked { workers: proven.into_iter().chain(others).collect(), founding, local, places }
    }

    /// Why no worker can answer a query although some are live; `None` if one can, or may.
    pub(in super::super) fn why_nobody_can(&self, query: &Query) -> Option<Refusal> {
        let offering: Vec<&Known> = self.known.values().filter(|known| known.offers(query)).collect();
        let may = offering.iter().any(|known| known.is_live() || !known.announced);
        match () {
            () if may || self.live().next().is_none() => None,
            () if offering.is_empty() => Some(Refusal::UnknownQuery),
            () => Some(Refusal::NoWorkers),
        }
    }
}
