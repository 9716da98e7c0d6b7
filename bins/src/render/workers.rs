//! The workers that a coordinator knows, with their scores and counts.

use super::{Align, Cell, Paint, Table, Tone, clean, time};
use crate::api::{Worker, Workers};

/// A line for each worker, and the counters that are not zero.
pub fn workers(known: &Workers, paint: Paint) -> String {
    let mut shown = if known.workers.is_empty() {
        "No worker is known. Start one with: worker\n".to_owned()
    } else {
        list(&known.workers, paint)
    };
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
    match known.workers.len() {
        0 => "no workers".to_owned(),
        1 => format!("1 worker: {}", states.join(", ")),
        count => format!("{count} workers: {}", states.join(", ")),
    }
}

fn list(workers: &[Worker], paint: Paint) -> String {
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
    ]);
    for worker in workers {
        let times = worker.response_time.map(|times| [times.p50, times.p90, times.p99].map(time));
        let [p50, p90, p99] = times.unwrap_or_else(|| ["-", "-", "-"].map(str::to_owned));
        let heard = worker.last_heard_ms.map(|ms| format!("{} ago", time(ms.saturating_mul(1_000_000))));
        let count = |count: u64| Cell::from(count.to_string());
        let alarming = |count: u64| match count {
            0 => Cell::from("0"),
            _ => Cell::new(&count.to_string(), Tone::Bad),
        };
        table.row([
            Cell::from(&worker.worker_id),
            state(worker),
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
            heard.unwrap_or_else(|| "-".to_owned()).into(),
        ]);
    }
    table.draw(paint)
}

fn state(worker: &Worker) -> Cell {
    let mut text = clean(&worker.state);
    if !worker.announced {
        text += ", unannounced";
    }
    if worker.quarantined {
        text += ", quarantined";
    }
    let tone = match worker.state.as_str() {
        _ if worker.quarantined => Tone::Bad,
        "live" => Tone::Good,
        _ => Tone::Doubtful,
    };
    Cell::new(&text, tone)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::Body;

    #[test]
    fn workers_and_counts_are_lines_of_two_tables() {
        let json = r#"{"workers": [
            {"worker_id": "w1", "state": "live", "announced": true, "score": 0.98, "quarantined": false, "successes": 7,
             "failures": 1, "timeouts": 0, "late": 2, "outliers": 0, "equivocations": 0,
             "response_time": {"p50": 1500000, "p90": 20000000, "p99": 30000000}, "last_heard_ms": 123},
            {"worker_id": "w\u0007", "state": "expired", "announced": false, "score": 0.1, "quarantined": true,
             "outliers": 4, "response_time": null}
        ], "counters": {"results_late": 2, "cancelled": 0}}"#;
        let expected = "\
\x20 worker  state                              score  ok  failed  timeouts  late  outliers  equivocations     p50    p90    p99  last heard
  w1      live                                0.98   7       1         0     2         0              0  1.5 ms  20 ms  30 ms  123 ms ago
  w\\u{7}  expired, unannounced, quarantined    0.1   0       0         0     0         4              0       -      -      -           -

  count  event
      2  results late
";
        let known = Workers::read(json).expect("workers");
        assert_eq!(workers(&known, Paint::Off), expected);
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
