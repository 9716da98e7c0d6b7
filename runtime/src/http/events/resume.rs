//! Where a subscriber begins to read.

use quorate_core::pattern::Pattern;

use super::event::Event;
use super::ring::Ring;

/// Where a subscriber wants to begin.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Resume {
    /// With the next event.
    Now,
    /// With this many of the last events that it wants.
    Recent(u64),
    /// After the event with this id.
    After(String),
}

/// Where a subscriber can begin.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Start {
    /// The number of its first event.
    pub(super) cursor: u64,
    /// What it must be told first.
    pub(super) missed: Missed,
}

/// How many events are lost between where a subscriber wants to begin and where it can.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Missed {
    /// None.
    Nothing,
    /// This many.
    Events(u64),
    /// An unknown number: the id is invalid, or not of this process.
    Unknown,
}

impl Resume {
    /// Finds the place in the ring of the process named `process`. `queries` are those whose events are wanted, if not
    /// all events are.
    pub(super) fn start(&self, process: &str, ring: &Ring, queries: Option<&Pattern>) -> Start {
        let (oldest, next) = (ring.oldest(), ring.next());
        let at = |cursor, missed| Start { cursor, missed };
        match self {
            Self::Now => at(next, Missed::Nothing),
            Self::Recent(count) => {
                let is_wanted = |event: &Event| queries.is_none_or(|queries| event.is_of(queries));
                at(ring.first_of_last(*count, is_wanted), Missed::Nothing)
            }
            Self::After(id) => match number(process, id) {
                Some(last) if last < next => match oldest.saturating_sub(last + 1) {
                    0 => at(last + 1, Missed::Nothing),
                    missed => at(oldest, Missed::Events(missed)),
                },
                _ => at(oldest, Missed::Unknown),
            },
        }
    }
}

/// The number in an id of this process.
fn number(process: &str, id: &str) -> Option<u64> {
    id.strip_prefix(process)?.strip_prefix('-')?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::super::event::tests::outcome;
    use super::*;

    #[test]
    fn a_subscriber_begins_where_it_wants_or_is_told_what_it_missed() {
        let mut ring = Ring::new(1024);
        for _ in 0..1024 + 100 {
            ring.push(outcome("q"));
        }
        assert_eq!((ring.oldest(), ring.next()), (101, 1125));
        let after = |id: &str| Resume::After(id.to_owned());
        for (resume, cursor, missed) in [
            (Resume::Now, 1125, Missed::Nothing),
            (Resume::Recent(0), 1125, Missed::Nothing),
            (Resume::Recent(25), 1100, Missed::Nothing),
            (Resume::Recent(u64::MAX), 101, Missed::Nothing),
            (after("c1-1124"), 1125, Missed::Nothing),
            (after("c1-1123"), 1124, Missed::Nothing),
            (after("c1-100"), 101, Missed::Nothing),
            (after("c1-99"), 101, Missed::Events(1)),
            (after("c1-0"), 101, Missed::Events(100)),
            (after("c1-1125"), 101, Missed::Unknown),
            (after("c1-18446744073709551615"), 101, Missed::Unknown),
            (after("c2-1124"), 101, Missed::Unknown),
            (after("c1-"), 101, Missed::Unknown),
            (after("c1--1"), 101, Missed::Unknown),
            (after("1124"), 101, Missed::Unknown),
            (after(""), 101, Missed::Unknown),
        ] {
            assert_eq!(resume.start("c1", &ring, None), Start { cursor, missed }, "{resume:?}");
        }
    }
}
