//! The workers that a coordinator knows or expects, with their scores, counts and queries.

use std::fmt::Write as _;

use unicode_width::UnicodeWidthStr as _;

use super::{Align, Cell, Paint, Table, Tone, clean, cut, time};
use quorate_client::{Worker, Workers};

/// The most columns of a terminal that the queries of one worker take, besides the number of those not shown.
const QUERIES_WIDTH: usize = 40;
/// What is not known of a worker.
const UNKNOWN: &str = "-";

/// A line for each worker that is known or absent, and the counters that are not zero.
pub fn workers(known: &Workers, paint: Paint) -> String {
    let mut shown = if known.workers.is_empty() {
        "No worker is known. Start one with: worker\n".to_owned()
    } else {
        String::new()
    };
    if !known.workers.is_empty() || !known.absent.is_empty() {
        shown.push_str(&list(known, paint));
    }
    let mut counters = Table::new([("count", Align::Right), ("event", Align::Left)]);
    let counted: Vec<_> = known.counters.iter().filter(|(_, count)| **count > 0).collect();
    for (name, count) in &counted {
        counters.row([count.to_string().into(), name.replace('_', " ").into()]);
    }
    if !counted.is_empty() {
        shown.push('\n');
        shown.push_str(&counters.draw(paint));
    }
    shown
}

/// How many workers there are, by state.
pub fn workers_summary(known: &Workers) -> String {
    let mut states: Vec<(&str, usize)> = Vec::new();
    for worker in &known.workers {
        match states.iter_mut().find(|(state, _)| *state == worker.state) {
            Some((_, count)) => *count += 1,
            None => states.push((&worker.state, 1)),
        }
    }
    let states: Vec<_> = states.iter().map(|(state, count)| format!("{count} {}", clean(state))).collect();
    let mut summary = match known.workers.len() {
        0 => "no workers".to_owned(),
        1 => format!("1 worker: {}", states.join(", ")),
        count => format!("{count} workers: {}", states.join(", ")),
    };
    let suspect = known.workers.iter().filter(|worker| worker.suspect).count();
    for (count, what) in [(suspect, "suspect"), (known.absent.len(), "absent")] {
        if count > 0 {
            let _ = write!(summary, "; {count} {what}");
        }
    }
    summary
}

fn list(known: &Workers, paint: Paint) -> String {
    let right = Align::Right;
    let mut table = Table::new([
        ("worker", Align::Left),
        ("state", Align::Left),
        ("score", right),
        ("ok", right),
        ("failed", right),
        ("timeouts", right),
        ("late", right),
        ("outliers", right),
        ("equivocations", right),
        ("p50", right),
        ("p90", right),
        ("p99", right),
        ("last heard", right),
        ("queries", Align::Left),
    ]);
    for worker in &known.workers {
        let times = worker.response_time.map(|times| [times.p50, times.p90, times.p99].map(time));
        let [p50, p90, p99] = times.unwrap_or_else(|| [UNKNOWN; 3].map(str::to_owned));
        let heard = worker.last_heard_ms.map(|ms| format!("{} ago", time(ms.saturating_mul(1_000_000))));
        let count = |count: u64| Cell::from(count.to_string());
        let alarming = |count: u64| match count {
            0 => Cell::from("0"),
            _ => Cell::new(&count.to_string(), Tone::Bad),
        };
        table.row([
            Cell::from(&worker.worker_id),
            state(worker, known.absent.contains(&worker.worker_id)),
            Cell::from(worker.score.to_string()),
            count(worker.successes),
            count(worker.failures),
            count(worker.timeouts),
            count(worker.late),
            alarming(worker.outliers),
            alarming(worker.equivocations),
            p50.into(),
            p90.into(),
            p99.into(),
            heard.unwrap_or_else(|| UNKNOWN.to_owned()).into(),
            queries(&worker.queries).into(),
        ]);
    }
    for name in &known.absent {
        if known.workers.iter().all(|worker| worker.worker_id != *name) {
            let mut row = [(); 14].map(|()| Cell::from(UNKNOWN));
            row[0] = name.into();
            row[1] = Cell::new("absent", Tone::Bad);
            table.row(row);
        }
    }
    table.draw(paint)
}

/// As many of the queries as fit, and the number of the others.
fn queries(offered: &[String]) -> String {
    let mut shown = String::new();
    for (at, query) in offered.iter().enumerate() {
        let query = cut(clean(query), QUERIES_WIDTH);
        if at > 0 && shown.width() + 2 + query.width() > QUERIES_WIDTH {
            return format!("{shown}, {} more", offered.len() - at);
        }
        if at > 0 {
            shown.push_str(", ");
        }
        shown.push_str(&query);
    }
    if shown.is_empty() { UNKNOWN.to_owned() } else { shown }
}

/// The state of a worker, and what else keeps its values from being used. `absent` says whether a policy lacks it.
fn state(worker: &Worker, absent: bool) -> Cell {
    let mut text = clean(&worker.state);
    if !worker.announced {
        text += ", unannounced";
    }
    if worker.quarantined {
        text += ", quarantined";
    }
    if worker.suspect {
        text += ", suspect";
    }
    if absent {
        text += ", absent";
    }
    let tone = match worker.state.as_str() {
        _ if worker.quarantined || absent => Tone::Bad,
        _ if worker.suspect => Tone::Doubtful,
        "live" => Tone::Good,
        _ => Tone::Doubtful,
    };
    Cell::new(&text, tone)
}

#[cfg(test)]
mod tests {
    use super::*;
    use quorate_client::Body;

    #[test]
    fn workers_and_counts_are_lines_of_two_tables() {
        let json = r#"{"workers": [
            {"worker_id": "w1", "state": "live", "announced": true, "score": 0.98, "quarantined": false, "successes": 7,
             "failures": 1, "timeouts": 0, "late": 2, "outliers": 0, "equivocations": 0,
             "response_time": {"p50": 1500000, "p90": 20000000, "p99": 30000000}, "last_heard_ms": 123,
             "queries": ["BTC/*", "ETH/USD"]},
            {"worker_id": "w\u0007", "state": "expired", "announced": false, "score": 0.1, "quarantined": true,
             "outliers": 4, "response_time": null}
        ], "counters": {"results_late": 2, "cancelled": 0}}"#;
        let expected = "\
\x20 worker  state                              score  ok  failed  timeouts  late  outliers  equivocations     p50    p90    p99  last heard  queries
  w1      live                                0.98   7       1         0     2         0              0  1.5 ms  20 ms  30 ms  123 ms ago  BTC/*, ETH/USD
  w\\u{7}  expired, unannounced, quarantined    0.1   0       0         0     0         4              0       -      -      -           -  -

  count  event
      2  results late
";
        let known = Workers::read(json).expect("workers");
        assert_eq!(workers(&known, Paint::Off), expected);
    }

    #[test]
    fn the_state_says_who_is_suspect_and_a_worker_that_is_only_expected_has_a_line() {
        let json = r#"{"workers": [
            {"worker_id": "w1", "state": "live", "announced": true, "score": 1, "suspect": true, "queries": ["*"]},
            {"worker_id": "w2", "state": "expired", "announced": true, "score": 1, "queries": ["*"]}
        ], "absent": ["kraken", "w2"]}"#;
        let known = Workers::read(json).expect("workers");
        let shown = workers(&known, Paint::On);
        for (worker, state, tone) in [
            ("w1", "live, suspect", Tone::Doubtful),
            ("w2", "expired, absent", Tone::Bad),
            ("kraken", "absent", Tone::Bad),
        ] {
            let line = shown.lines().find(|line| line.starts_with(&format!("  {worker} "))).expect(worker);
            assert!(line.contains(&Paint::On.tint(tone, state)), "{line:?}");
        }
        let last = workers(&known, Paint::Off);
        let last = last.lines().last().expect("a line").split_whitespace().collect::<Vec<_>>();
        assert_eq!(last, [&["kraken", "absent"][..], &["-"; 12]].concat());
        assert_eq!(workers_summary(&known), "2 workers: 1 live, 1 expired; 1 suspect; 2 absent");

        let nobody = Workers::read(r#"{"workers": [], "absent": ["kraken"]}"#).expect("workers");
        let shown = workers(&nobody, Paint::Off);
        assert!(shown.starts_with("No worker is known.") && shown.contains("\n  kraken  absent "), "{shown}");
    }

    #[test]
    fn many_queries_are_shortened() {
        let offered = |texts: &[&str]| queries(&texts.iter().map(|text| (*text).to_owned()).collect::<Vec<_>>());
        assert_eq!(offered(&[]), "-");
        assert_eq!(offered(&["*"]), "*");
        assert_eq!(offered(&["0123456789abcdef"; 2]), "0123456789abcdef, 0123456789abcdef");
        assert_eq!(offered(&["0123456789abcdef"; 5]), "0123456789abcdef, 0123456789abcdef, 3 more");
        assert_eq!(offered(&["価".repeat(30).as_str(), "b"]), format!("{}..., 1 more", "価".repeat(18)));
    }

    #[test]
    fn workers_are_counted_by_state() {
        let summary = |json: &str| workers_summary(&Workers::read(json).expect("workers"));
        let worker = |state: &str| format!(r#"{{"worker_id": "w", "state": "{state}", "score": 1}}"#);
        let (live, left) = (worker("live"), worker("left"));
        assert_eq!(summary(&format!(r#"{{"workers": [{live}, {left}, {live}]}}"#)), "3 workers: 2 live, 1 left");
        assert_eq!(summary(&format!(r#"{{"workers": [{live}]}}"#)), "1 worker: 1 live");
        assert_eq!(summary(r#"{"workers": []}"#), "no workers");
    }

    #[test]
    fn without_workers_it_says_how_to_start_one() {
        let known = Workers::read(r#"{"workers": []}"#).expect("workers");
        assert_eq!(workers(&known, Paint::Off), "No worker is known. Start one with: worker\n");
    }
}
