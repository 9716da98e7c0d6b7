//! The feeds, as metrics: each by its name, up to a bound, and what became of the rounds that this coordinator asked.

use std::sync::Arc;

use quorate_core::feed::Counters;
use quorate_core::time::UnixTime;

use super::page::Page;
use crate::feeds::{Board, Latest, State};

/// How many feeds have series of their own. The page is written by a thread that also serves callers.
pub(super) const MAX_LABELLED: usize = 1000;

/// All feeds of a board. Without any, nothing.
pub(super) fn feeds(page: &mut Page, board: &Board, now: UnixTime) {
    let feeds = board.feeds();
    if !feeds.is_empty() {
        show(page, feeds, board.state(), now);
    }
}

fn show(page: &mut Page, feeds: Vec<Arc<Latest>>, state: State, now: UnixTime) {
    let (late, fresh): (Vec<_>, Vec<_>) = feeds.into_iter().partition(|feed| feed.is_stale(now));
    page.gauges(
        "quorate_feeds",
        "Feeds, by whether their last report is fresh or stale.",
        "state",
        [("fresh", fresh.len() as f64), ("stale", late.len() as f64)],
    );
    page.gauge("quorate_feeds_driven", "Feeds that this coordinator drives.", state.driven as f64);
    rounds(page, state.counters);
    page.counter(
        "quorate_feed_foreign_entries_total",
        "Entries on the subjects of feeds that are no records.",
        state.foreign,
    );
    let unlabelled = (late.len() + fresh.len()).saturating_sub(MAX_LABELLED);
    page.gauge("quorate_feeds_unlabelled", "Feeds without series of their own.", unlabelled as f64);
    // A stale feed is looked for by its name.
    let labelled: Vec<_> = late.into_iter().chain(fresh).take(MAX_LABELLED).collect();
    each(page, &labelled, now);
}

/// What became of the rounds.
fn rounds(page: &mut Page, counters: Counters) {
    // Without `..`: a counter added to the machine must be shown here, or this does not compile.
    let Counters { rounds, refused, quiet, reported, unreported, lost, unclear, given_up, leases_taken, failovers } =
        counters;
    page.counter("quorate_feed_rounds_asked_total", "Rounds of feeds that this coordinator asked.", rounds);
    page.counters(
        "quorate_feed_rounds_ended_total",
        "Rounds of feeds that ended here, by what became of them.",
        "end",
        [
            ("reported", reported),
            ("unreported", unreported),
            ("quiet", quiet),
            ("refused", refused),
            ("lost", lost),
            ("unclear", unclear),
            ("given_up", given_up),
        ],
    );
    page.counter("quorate_feed_leases_taken_total", "Leases of feeds that this coordinator took.", leases_taken);
    page.counter(
        "quorate_feed_failovers_total",
        "Leases of feeds that this coordinator took over because another one had stopped renewing them.",
        failovers,
    );
}

/// Each of these feeds, by its name.
fn each(page: &mut Page, feeds: &[Arc<Latest>], now: UnixTime) {
    let mut gauges = |name, help, value: fn(&Latest, UnixTime) -> Option<f64>| {
        let values = feeds.iter().filter_map(|feed| Some((feed.definition.name.as_str(), value(feed, now)?)));
        page.gauges(name, help, "feed", values);
    };
    gauges("quorate_feed_report_age_seconds", "The age of the last report of a feed.", |feed, now| {
        feed.reported_at().map(|at| now.since(at).as_secs_f64())
    });
    gauges("quorate_feed_max_staleness_seconds", "The age above which the last report is stale.", |feed, _| {
        Some(feed.definition.max_staleness.as_secs_f64())
    });
    gauges("quorate_feed_stale", "Whether the last report is stale, or there is none.", |feed, now| {
        Some(super::families::flag(feed.is_stale(now)))
    });
    gauges("quorate_feed_newest_round", "The number of the newest round on record.", |feed, _| {
        feed.newest.as_ref().map(|newest| newest.head.round as f64)
    });
    gauges("quorate_feed_unreported_rounds", "Rounds on record since the last report.", |feed, _| {
        feed.newest.as_ref().map(|newest| {
            let reported = newest.head.report.as_ref().map_or(0, |report| report.round);
            newest.head.round.saturating_sub(reported) as f64
        })
    });
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use quorate_core::feed::{Definition, FeedName};

    use super::*;
    use crate::http::example;

    /// A feed whose last report was made at the time of the example, and is stale after so many seconds.
    fn feed(name: &str, max_staleness: u64) -> Arc<Latest> {
        let latest = example::latest();
        let name = FeedName::new(name).expect("a name");
        let max_staleness = Duration::from_secs(max_staleness);
        let definition = Definition { name, max_staleness, ..(*latest.definition).clone() };
        Arc::new(Latest::new(definition.into(), latest.report.expect("the example has one")))
    }

    #[test]
    fn stale_feeds_come_first_where_not_every_feed_has_series_of_its_own() {
        let feeds = (0..MAX_LABELLED + 5).map(|n| feed(&format!("fresh-{n:04}"), 60)).chain([feed("stale", 20)]);
        let now = example::latest().reported_at().expect("a report").after(Duration::from_millis(20_500));
        let mut page = Page::default();
        show(&mut page, feeds.collect(), State { feeds: MAX_LABELLED + 6, driven: 3, ..State::default() }, now);
        let text = page.text();
        for line in [
            r#"quorate_feeds{state="fresh"} 1005"#,
            r#"quorate_feeds{state="stale"} 1"#,
            "quorate_feeds_driven 3",
            "quorate_feeds_unlabelled 6",
            r#"quorate_feed_stale{feed="stale"} 1"#,
            r#"quorate_feed_stale{feed="fresh-0000"} 0"#,
            r#"quorate_feed_report_age_seconds{feed="stale"} 20.5"#,
            r#"quorate_feed_max_staleness_seconds{feed="stale"} 20"#,
            r#"quorate_feed_unreported_rounds{feed="stale"} 0"#,
        ] {
            assert!(text.lines().any(|one| one == line), "{line}: {text}");
        }
        assert_eq!(text.lines().filter(|line| line.starts_with("quorate_feed_stale{")).count(), MAX_LABELLED);
    }

    #[test]
    fn a_coordinator_without_feeds_shows_nothing_of_them() {
        let mut page = Page::default();
        feeds(&mut page, &Board::default(), UnixTime::EPOCH);
        assert_eq!(page.text(), "");
    }
}
