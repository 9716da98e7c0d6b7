//! Feeds: the list of them, and the last report of one.

use std::fmt::Write as _;

use quorate_client::{Feed, FeedState, Feeds, Record, RoundOutcome};

use super::answer::grounds;
use super::{Align, Cell, Digits, Paint, Table, Tone, clean, time};

/// What stands for what there is not.
pub(super) const NONE: &str = "-";

/// A line for each feed.
pub fn feeds(kept: &Feeds, paint: Paint) -> String {
    if kept.feeds.is_empty() {
        return "The coordinator keeps no feed. Name some in a file, and start it with: coordinator --feeds FILE\n"
            .to_owned();
    }
    let mut table = Table::new([
        ("feed", Align::Left),
        ("query", Align::Left),
        ("value", Align::Right),
        ("round", Align::Right),
        ("age", Align::Right),
        ("status", Align::Left),
        ("heartbeat", Align::Right),
        ("deviation", Align::Right),
    ]);
    for feed in &kept.feeds {
        let text = |text: Option<String>| text.unwrap_or_else(|| NONE.to_owned());
        let tone = if feed.stale { Tone::Bad } else { Tone::Plain };
        table.row([
            Cell::from(&feed.name),
            Cell::from(&feed.query),
            Cell::new(&text(feed.value.as_ref().map(ToString::to_string)), Tone::Strong),
            text(feed.round.map(|round| round.to_string())).into(),
            Cell::new(&text(feed.age_ms.map(millis)), tone),
            state(feed),
            millis(feed.heartbeat_ms).into(),
            text(feed.deviation.as_ref().map(ToString::to_string)).into(),
        ]);
    }
    table.draw(paint)
}

/// The status of the newest round, and what is wrong with the feed.
fn state(feed: &FeedState) -> Cell {
    let Some(status) = feed.newest_status.as_deref() else {
        return Cell::new("no round yet", Tone::Doubtful);
    };
    let mut text = status.to_owned();
    if let Some(round) = feed.newest_round.filter(|round| feed.round != Some(*round)) {
        let _ = write!(text, ", round {round} not reported");
    }
    if feed.stale {
        text += ", stale";
    }
    Cell::new(&text, if feed.stale { Tone::Bad } else { tone(status) })
}

/// The last report of a feed with its evidence.
pub fn feed(feed: &Feed, digits: Digits, paint: Paint) -> String {
    let record = &feed.record;
    let headline = clean(&format!("{} = {}", record.feed, value(record, digits)));
    let age = clean(&format!("(round {}, {}, {} old)", record.round, record.status, millis(feed.age_ms)));
    let mut shown = format!("{}  {}\n", paint.tint(Tone::Strong, &headline), paint.tint(Tone::Faint, &age));
    let mut line = |tone, text: &str| {
        let _ = writeln!(shown, "  {}", paint.tint(tone, &clean(text)));
    };
    let how = match &record.outcome {
        Some(RoundOutcome::Answered(outcome)) => {
            let how = format!("; {} by {} in {}", outcome.query, outcome.strategy, time(outcome.elapsed));
            Some((grounds(outcome, paint), how))
        }
        _ => None,
    };
    let reason = reason(record).0;
    let (evidence, how) = how.unwrap_or_default();
    line(Tone::Plain, &format!("reported by {} under lease {}: {reason}{how}", record.coordinator, record.lease));
    if feed.newest_round > record.round {
        let since = feed.newest_at.zip(record.answered_at).map(|(newest, report)| newest - report);
        let since = since.and_then(|since| u64::try_from(since.whole_milliseconds()).ok());
        let ago =
            since.map_or_else(String::new, |since| format!(", {} ago", millis(feed.age_ms.saturating_sub(since))));
        line(Tone::Bad, &format!("round {} was not reported: {}{ago}", feed.newest_round, feed.newest_status));
    }
    if feed.stale {
        line(Tone::Bad, "stale: the report is older than the feed's max_staleness");
    }
    shown + &evidence
}

/// The reported value; `-` if there is none.
pub(super) fn value(record: &Record, digits: Digits) -> String {
    match (&record.value, &record.outcome) {
        (Some(value), Some(RoundOutcome::Answered(outcome))) if *value == outcome.final_value => digits.answer(outcome),
        (Some(value), _) => value.to_string(),
        (None, _) => NONE.to_owned(),
    }
}

/// Why a value was reported, or that it was not.
pub(super) fn reason(record: &Record) -> (&str, Tone) {
    match record.reason.as_deref() {
        Some(reason) => (reason, Tone::Plain),
        None => ("not reported", Tone::Bad),
    }
}

/// What the coordinator or the workers say about a round.
pub(super) fn note(record: &Record) -> &str {
    match &record.outcome {
        Some(RoundOutcome::Answered(outcome)) => &outcome.evidence.reliability_note,
        Some(RoundOutcome::Unanswered(error)) => error.details.as_deref().unwrap_or_default(),
        None => "",
    }
}

pub(super) fn tone(status: &str) -> Tone {
    match status {
        "complete" => Tone::Good,
        "partial" => Tone::Doubtful,
        _ => Tone::Bad,
    }
}

fn millis(millis: u64) -> String {
    time(millis.saturating_mul(1_000_000))
}

#[cfg(test)]
mod tests {
    use quorate_client::Body as _;

    use super::*;

    #[test]
    fn each_feed_is_a_line_and_says_what_is_wrong_with_it() {
        let json = r#"{"feeds": [
            {"name": "BTC-USD", "query": "BTC/USD", "heartbeat_ms": 10000, "deviation": 0.0050, "round": 4711,
             "value": 41945.3750, "age_ms": 1200, "stale": false, "newest_round": 4711, "newest_status": "partial"},
            {"name": "b", "query": "x\u0007", "heartbeat_ms": 1000, "deviation": null, "round": 7, "value": "ok",
             "age_ms": 65000, "stale": true, "newest_round": 9, "newest_status": "disputed"},
            {"name": "new", "query": "q", "heartbeat_ms": 1000, "deviation": null, "round": null, "value": null,
             "age_ms": null, "stale": true, "newest_round": null, "newest_status": null}
        ]}"#;
        let expected = "\
\x20 feed     query         value  round      age  status                                 heartbeat  deviation
  BTC-USD  BTC/USD  41945.3750   4711  1200 ms  partial                                   10.0 s     0.0050
  b        x\\u{7}           ok      7   65.0 s  disputed, round 9 not reported, stale    1000 ms          -
  new      q                 -      -        -  no round yet                             1000 ms          -
";
        assert_eq!(feeds(&Feeds::read(json).expect("feeds"), Paint::Off), expected);
        let none = feeds(&Feeds::read(r#"{"feeds": []}"#).expect("feeds"), Paint::Off);
        assert!(none.starts_with("The coordinator keeps no feed."), "{none}");
    }

    const LATEST: &str = r#"{"age_ms": 61200, "stale": true, "newest_round": 4713, "newest_status": "disputed",
        "newest_at": "2026-11-30T08:01:00Z", "feed": "BTC-USD", "round": 4711, "value": 1.333333333333,
        "status": "partial", "reason": "deviation", "answered_at": "2026-11-30T08:00:00Z", "coordinator": "c1\u001b",
        "lease": 17, "outcome": {"request_id": "r", "query": "BTC/USD", "final_value": 1.333333333333,
        "strategy": "average", "status": "partial", "elapsed": 241000000, "reliability_note": "2 of 3 workers",
        "spread": {"min": 1.25, "max": 1.5}, "missing": ["w3"], "worker_responses": [
        {"worker_id": "w1", "value": 1.25, "response_time": 1500000},
        {"worker_id": "w2", "value": 1.5, "response_time": 2500000}]}}"#;

    #[test]
    fn a_report_has_its_age_its_author_and_its_evidence() {
        let expected = "\
BTC-USD = 1.3333  (round 4711, partial, 61.2 s old)
  reported by c1\\u{1b} under lease 17: deviation; BTC/USD by average in 241 ms
  round 4713 was not reported: disputed, 1200 ms ago
  stale: the report is older than the feed's max_staleness
  worker  value    time  note
  w1       1.25  1.5 ms
  w2        1.5  2.5 ms
  w3          -       -  no answer
  2 of 3 workers; values from 1.25 to 1.5
";
        let latest = Feed::read(LATEST).expect("a report");
        assert_eq!(feed(&latest, Digits::Few, Paint::Off), expected);
        assert!(feed(&latest, Digits::All, Paint::Off).starts_with("BTC-USD = 1.333333333333  (round 4711,"));
    }

    #[test]
    fn a_report_whose_evidence_was_too_long_is_shown_without() {
        let json = r#"{"age_ms": 5, "stale": false, "newest_round": 1, "feed": "f", "round": 1, "value": 1.50,
            "status": "complete", "reason": "first", "coordinator": "c", "lease": 1, "outcome": null}"#;
        let shown = feed(&Feed::read(json).expect("a report"), Digits::Few, Paint::Off);
        assert_eq!(shown, "f = 1.50  (round 1, complete, 5.0 ms old)\n  reported by c under lease 1: first\n");
    }
}
