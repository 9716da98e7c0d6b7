//! The results of a batch of runs.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::time::Duration;

use quorate_sim::checkers::Violation;
use quorate_sim::coverage::Sometimes;
use quorate_sim::explain::words;
use quorate_sim::{Depth, Report};

use super::command;

/// The maximum number of failures that are printed.
const SHOWN: usize = 10;

/// The results of a batch of runs, which do not depend on the order of the runs.
#[derive(Clone, Debug, Default)]
pub(super) struct Tally {
    pub(super) seeds: u64,
    events: u64,
    messages: u64,
    /// The sum of the times of all runs.
    busy: Duration,
    /// How many seeds reached each of [`Sometimes::ALL`].
    reached: Vec<u64>,
    /// The failures, by seed.
    pub(super) failures: BTreeMap<u64, Violation>,
}

impl Tally {
    /// Adds a run that took `time`.
    pub(super) fn add(&mut self, seed: u64, report: Report, time: Duration) {
        self.seeds += 1;
        self.events += report.events;
        self.messages += report.messages;
        self.busy += time;
        self.reached.resize(Sometimes::ALL.len(), 0);
        for (count, what) in self.reached.iter_mut().zip(Sometimes::ALL) {
            *count += u64::from(report.reached.contains(*what));
        }
        if let Some(violation) = report.violation {
            self.failures.insert(seed, violation);
        }
    }

    /// What no run reached, of what is possible at this depth.
    pub(super) fn never(&self, depth: Depth) -> Vec<Sometimes> {
        let never = |what: &&Sometimes| what.is_possible(depth) && self.seeds_that_reached(**what) == 0;
        Sometimes::ALL.iter().filter(never).copied().collect()
    }

    fn seeds_that_reached(&self, what: Sometimes) -> u64 {
        let place = Sometimes::ALL.iter().position(|other| *other == what);
        place.and_then(|place| self.reached.get(place)).copied().unwrap_or(0)
    }

    /// The totals, and how many seeds reached each thing.
    pub(super) fn summary(&self, depth: Depth, wall: Duration) -> String {
        let per = |count: u64, time: Duration| count as f64 / time.as_secs_f64().max(1e-9);
        let mut text = String::new();
        for (name, value) in [
            ("seeds", self.seeds.to_string()),
            ("failures", self.failures.len().to_string()),
            ("events", self.events.to_string()),
            ("events/s/core", format!("{:.0}", per(self.events, self.busy))),
            ("messages/s", format!("{:.0}", per(self.messages, wall))),
            ("wall time", format!("{:.1} s, {:.1} seeds/s", wall.as_secs_f64(), per(self.seeds, wall))),
        ] {
            let _ = writeln!(text, "{name:<14} {value}");
        }
        text.push_str("\nreached by\n");
        let width = self.seeds.to_string().len().max("never".len());
        for what in Sometimes::ALL {
            let count = match self.seeds_that_reached(*what) {
                0 if what.is_possible(depth) => "NEVER".to_owned(),
                0 => "-".to_owned(),
                count => count.to_string(),
            };
            let _ = writeln!(text, "  {count:>width$}  {}", what.text());
        }
        text
    }

    /// The first failures, each with the command that replays it.
    pub(super) fn failures(&self, depth: Depth) -> String {
        let mut text = String::new();
        for (seed, violation) in self.failures.iter().take(SHOWN) {
            let Violation { checker, at, text: how } = violation;
            let again = command(&["--seed".to_owned(), seed.to_string()], depth);
            let (at, how) = (words::time(*at), words::clean(how));
            let _ = writeln!(text, "\nFAILED seed {seed}: {checker} at {at}\n  {how}\n  {again}");
        }
        if self.failures.len() > SHOWN {
            let _ = writeln!(text, "\nand {} more seeds failed", self.failures.len() - SHOWN);
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use quorate_sim::coverage::Reached;

    use super::*;

    fn report(reached: &[Sometimes], violation: Option<&str>) -> Report {
        let mut set = Reached::default();
        for what in reached {
            set.insert(*what);
        }
        let violation =
            violation.map(|text| Violation { checker: "answers", at: 1_500_000_000, text: text.to_owned() });
        Report { hash: 0, events: 10, steps: 5, messages: 3, bytes: 0, reached: set, violation }
    }

    #[test]
    fn a_summary_has_the_totals_and_marks_what_no_run_reached() {
        let what = Sometimes::ALL[0];
        let depth = if what.is_possible(Depth::Network) { Depth::Network } else { Depth::Machines };
        let second = Duration::from_secs(1);
        let mut tally = Tally::default();
        tally.add(1, report(&[], None), second);
        let marked = |tally: &Tally, count: &str| {
            let row = format!("  {count:>5}  {}", what.text());
            tally.summary(depth, second).lines().any(|line| line == row)
        };
        assert!(marked(&tally, "NEVER") && tally.never(depth).contains(&what));
        tally.add(2, report(&[what], None), second);
        assert!(marked(&tally, "1") && !tally.never(depth).contains(&what));
        let summary = tally.summary(depth, second);
        for line in
            ["seeds          2", "failures       0", "events         20", "events/s/core  10", "messages/s     6"]
        {
            assert!(summary.lines().any(|other| other == line), "{line}\n{summary}");
        }
    }

    #[test]
    fn failures_are_ordered_by_seed_and_bounded_in_number() {
        let mut tally = Tally::default();
        for seed in (1..=12).rev() {
            tally.add(seed, report(&[], Some("two answers\x1b")), Duration::ZERO);
        }
        let text = tally.failures(Depth::Machines);
        let expected = "\nFAILED seed 1: answers at 1.500000 s\n  two answers\\u{1b}\n  \
            cargo run --release -p quorate-sim -- run --seed 1 --depth machines\n\nFAILED seed 2: ";
        assert!(text.starts_with(expected), "{text}");
        assert!(text.contains("seed 10:") && !text.contains("seed 11:"), "{text}");
        assert!(text.ends_with("\nand 2 more seeds failed\n"), "{text}");
    }
}
