//! The times in which something may be late, because of what goes wrong.

use std::time::Duration;

use crate::host::Host;
use crate::scenario::{StoreFault, StoreFaultKind, Stored};

/// A second, in nanoseconds.
pub(super) const SECOND: u64 = 1_000_000_000;
/// How long it takes until another coordinator drives what a dead one has driven: a lease, and the pauses around it.
const TAKEOVER: u64 = 19 * SECOND;
/// How long after a fault of the store something may still be unclear.
const UNCLEAR: u64 = 22 * SECOND;

/// Periods in order, none of which touches another.
#[derive(Debug, Default)]
pub(super) struct Excuses(Vec<(u64, u64)>);

impl Excuses {
    /// Why a feed may be late.
    pub(super) fn of_feed(stored: &Stored, feed: u8) -> Self {
        let mut periods = Vec::new();
        for fault in &stored.faults {
            let (from, until) = period(fault);
            match fault.kind {
                StoreFaultKind::Election
                | StoreFaultKind::LeaderPaused
                | StoreFaultKind::LostAnswers(_)
                | StoreFaultKind::Forget(_) => periods.push((from, until + UNCLEAR)),
                StoreFaultKind::LateRequests(_, ms) => periods.push((from, until + millis(ms) + UNCLEAR)),
                StoreFaultKind::Lag(ms) => periods.push((from, until + millis(ms))),
                StoreFaultKind::Without(of) | StoreFaultKind::Redefine(of) | StoreFaultKind::FailRounds(of)
                    if of == feed =>
                {
                    periods.push((from, until + TAKEOVER));
                }
                StoreFaultKind::SlowRounds(of, ms) if of == feed => periods.push((from, until + millis(ms) + UNCLEAR)),
                _ => {}
            }
            if disturbed(fault.kind).is_some() {
                periods.extend([(from, from + TAKEOVER), (until, until + TAKEOVER)]);
            }
        }
        periods.extend(all_disturbed(stored));
        Self::merged(periods)
    }

    fn merged(mut periods: Vec<(u64, u64)>) -> Self {
        periods.sort_unstable();
        let mut merged: Vec<(u64, u64)> = Vec::new();
        for (from, until) in periods {
            match merged.last_mut() {
                Some((_, end)) if from <= *end => *end = until.max(*end),
                _ => merged.push((from, until)),
            }
        }
        Self(merged)
    }

    /// How much of a period is excused.
    pub(super) fn between(&self, from: u64, until: u64) -> u64 {
        let overlap = |(begins, ends): &(u64, u64)| until.min(*ends).saturating_sub(from.max(*begins));
        self.0.iter().map(overlap).sum()
    }
}

fn millis(ms: u64) -> u64 {
    ms * 1_000_000
}

fn period(fault: &StoreFault) -> (u64, u64) {
    let nanos = |at: Duration| at.as_nanos() as u64;
    (nanos(fault.from()), nanos(fault.until()))
}

/// The coordinator that does not do its work during a fault.
fn disturbed(kind: StoreFaultKind) -> Option<Host> {
    match kind {
        StoreFaultKind::Cut(host)
        | StoreFaultKind::Minority(host)
        | StoreFaultKind::Crash(host)
        | StoreFaultKind::Pause(host)
        | StoreFaultKind::Stop(host) => Some(host),
        _ => None,
    }
}

/// When no coordinator does its work, and the time that it takes to begin again.
fn all_disturbed(stored: &Stored) -> Vec<(u64, u64)> {
    let disturbing: Vec<_> = stored.faults.iter().filter(|fault| disturbed(fault.kind).is_some()).collect();
    let mut bounds: Vec<u64> = disturbing.iter().flat_map(|fault| <[u64; 2]>::from(period(fault))).collect();
    bounds.sort_unstable();
    let is_disturbed = |host: Host, at: u64| {
        disturbing.iter().any(|fault| {
            let (from, until) = period(fault);
            disturbed(fault.kind) == Some(host) && from <= at && at < until
        })
    };
    let all = |at: u64| stored.coordinators.iter().all(|spec| is_disturbed(Host::Coordinator(spec.number), at));
    bounds.windows(2).filter(|pair| all(pair[0])).map(|pair| (pair[0], pair[1] + TAKEOVER)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn periods_that_overlap_excuse_once() {
        let excuses = Excuses::merged(vec![(5, 9), (1, 3), (2, 4), (8, 12)]);
        assert_eq!(excuses.0, [(1, 4), (5, 12)]);
        for (from, until, excused) in [(0, 20, 10), (2, 6, 3), (4, 5, 0), (13, 20, 0), (6, 7, 1)] {
            assert_eq!(excuses.between(from, until), excused, "{from} {until}");
        }
    }
}
