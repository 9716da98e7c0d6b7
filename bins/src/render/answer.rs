//! An answer, or the error in its place, with the answers of the workers.

use std::fmt::Write as _;

use super::{Align, Cell, Digits, Paint, Table, Tone, clean, time};
use crate::advice::about_refusal;
use quorate_client::body::WorkerFate;
use quorate_client::{Evidence, Outcome, Refusal, Status};

/// An answer with its worker breakdown.
pub fn answer(outcome: &Outcome, digits: Digits, paint: Paint) -> String {
    let Outcome { query, strategy, elapsed, .. } = outcome;
    let value = clean(&format!("{query} = {}", digits.answer(outcome)));
    let how = format!("({}, {})", clean(strategy), time(*elapsed));
    format!("{}  {}\n{}", paint.tint(Tone::Strong, &value), paint.tint(Tone::Faint, &how), grounds(outcome, paint))
}

/// What an answer rests on: the answer of each worker, and a sentence about them.
pub(super) fn grounds(outcome: &Outcome, paint: Paint) -> String {
    let evidence = &outcome.evidence;
    let mut sentence = evidence.reliability_note.clone();
    if let Some(spread) = &outcome.spread {
        let _ = write!(sentence, "; values from {} to {}", spread.min, spread.max);
    }
    if let Some(agreement) = outcome.agreement.as_ref().map(ToString::to_string).filter(|agreement| agreement != "1") {
        let _ = write!(sentence, "; agreement {agreement}");
    }
    format!("{}  {}\n", breakdown(evidence, paint), paint.tint(tone(outcome.status), &clean(&sentence)))
}

/// The coordinator's error in place of an answer, with the answers of the workers if they were asked.
pub fn refusal(query: &str, refusal: &Refusal, paint: Paint) -> String {
    let evidence = &refusal.answer.body.evidence;
    let headline = paint.tint(Tone::Bad, &clean(&format!("{query}: {refusal}")));
    let asked = !evidence.worker_responses.is_empty() || !evidence.missing.is_empty();
    let breakdown = if asked { breakdown(evidence, paint) } else { String::new() };
    format!("{headline}\n{breakdown}  {}\n", clean(&format!("What to do: {}", about_refusal(refusal))))
}

/// All answers of a session, one per line: the query and its outcome.
pub fn summary(asked: &[(&str, Result<Outcome, Refusal>)], digits: Digits, paint: Paint) -> String {
    let head = [
        ("query", Align::Left),
        ("answer", Align::Right),
        ("workers", Align::Right),
        ("time", Align::Right),
        ("note", Align::Left),
    ];
    let mut table = Table::new(head);
    for (query, result) in asked {
        table.row(match result {
            Ok(outcome) => [
                query.into(),
                Cell::new(&digits.answer(outcome), Tone::Strong),
                share(&outcome.evidence).into(),
                time(outcome.elapsed).into(),
                Cell::new(&outcome.evidence.reliability_note, tone(outcome.status)),
            ],
            Err(refusal) => [
                query.into(),
                "-".into(),
                share(&refusal.answer.body.evidence).into(),
                "-".into(),
                Cell::new(&refusal.to_string(), Tone::Bad),
            ],
        });
    }
    table.draw(paint)
}

fn breakdown(evidence: &Evidence, paint: Paint) -> String {
    let head = [("worker", Align::Left), ("value", Align::Right), ("time", Align::Right), ("note", Align::Left)];
    let mut table = Table::new(head);
    for response in &evidence.worker_responses {
        let name = &response.worker_id;
        let took = time(response.response_time);
        let excluded = evidence.excluded.iter().find(|excluded| excluded.worker_id == *name);
        let age = fate(evidence, name).and_then(|fate| fate.age_ms);
        let value = response.value.as_ref().map_or_else(|| "-".to_owned(), ToString::to_string);
        table.row(match (response.err.as_deref().filter(|err| !err.is_empty()), excluded) {
            (Some(err), _) => [name.into(), "-".into(), took.into(), Cell::new(&format!("failed: {err}"), Tone::Bad)],
            (None, Some(excluded)) => {
                let age = age.map(|age| format!(", {} old", millis(age))).unwrap_or_default();
                let note = Cell::new(&format!("not used: {}{age}", excluded.reason), Tone::Doubtful);
                [name.into(), value.into(), took.into(), note]
            }
            (None, None) => {
                let note = age.map(|age| format!("{} old", millis(age))).unwrap_or_default();
                [name.into(), value.into(), took.into(), note.as_str().into()]
            }
        });
    }
    for name in &evidence.missing {
        let (why, tone) = silence(evidence, name);
        table.row([name.into(), "-".into(), "-".into(), Cell::new(why, tone)]);
    }
    table.draw(paint)
}

/// What became of a worker's answer, if the coordinator says.
fn fate<'a>(evidence: &'a Evidence, worker: &str) -> Option<&'a WorkerFate> {
    evidence.workers.iter().find(|fate| fate.worker_id == worker)
}

/// Why there is no answer of a missing worker.
pub(super) fn silence(evidence: &Evidence, worker: &str) -> (&'static str, Tone) {
    let among = |workers: &[String]| workers.iter().any(|name| name == worker);
    if among(&evidence.absent) {
        ("not there", Tone::Bad)
    } else if among(&evidence.suspects) {
        ("silent for longer than usual", Tone::Bad)
    } else if fate(evidence, worker).is_some_and(|fate| fate.fate == "late") {
        ("not waited for", Tone::Faint)
    } else {
        ("no answer", Tone::Bad)
    }
}

fn millis(millis: u64) -> String {
    time(millis.saturating_mul(1_000_000))
}

fn share(evidence: &Evidence) -> String {
    format!("{}/{}", evidence.succeeded, evidence.expected)
}

pub(super) fn tone(status: Status) -> Tone {
    match status {
        Status::Complete => Tone::Good,
        Status::Partial => Tone::Doubtful,
        Status::LowReliability | Status::Disputed => Tone::Bad,
        Status::Unknown => Tone::Plain,
    }
}

#[cfg(test)]
mod tests {
    use reqwest::StatusCode;

    use super::*;
    use quorate_client::{Body, ErrorBody, Received};

    fn outcome(json: &str) -> Outcome {
        Outcome::read(json).expect("an outcome")
    }

    fn refused(status: u16, json: &str) -> Refusal {
        let answer = Received { body: ErrorBody::read(json).expect("an error"), json: json.to_owned() };
        Refusal { status: StatusCode::from_u16(status).expect("a status"), retry_after: Some(3), answer }
    }

    const PARTIAL: &str = r#"{
        "request_id": "r-1", "query": "BTC/USD", "final_value": 42000.100000000000000000000001,
        "strategy": "median", "status": "partial", "reliability_note": "Partial response: 2/4 workers succeeded",
        "expected": 4, "succeeded": 2, "failed": 1, "missing": ["w4"], "tie": false, "future": [1],
        "excluded": [{"worker_id": "w2", "reason": "outlier"}],
        "spread": {"min": 42000.10, "max": 42000.10}, "elapsed": 412345678,
        "worker_responses": [
            {"worker_id": "w1", "request_id": "r-1", "value": 42000.10, "response_time": 100200300},
            {"worker_id": "w2", "request_id": "r-1", "value": 9, "response_time": 5100000},
            {"worker_id": "w3\u001b[2J", "request_id": "r-1", "value": null, "err": "line\nbreak", "response_time": 1}
        ]}"#;

    #[test]
    fn an_answer_shows_every_worker_and_every_digit_on_demand() {
        let expected = "\
BTC/USD = 42000.1  (median, 412 ms)
  worker          value    time  note
  w1           42000.10  100 ms
  w2                  9  5.1 ms  not used: outlier
  w3\\u{1b}[2J         -    0 µs  failed: line\\u{a}break
  w4                  -       -  no answer
  Partial response: 2/4 workers succeeded; values from 42000.10 to 42000.10
";
        assert_eq!(answer(&outcome(PARTIAL), Digits::Few, Paint::Off), expected);
        let exact = answer(&outcome(PARTIAL), Digits::All, Paint::Off);
        assert_eq!(exact, expected.replace("= 42000.1 ", "= 42000.100000000000000000000001 "));
    }

    #[test]
    fn an_answer_shows_ages_and_agreement_and_who_was_not_waited_for() {
        let json = r#"{"request_id": "r", "query": "q", "final_value": 1, "strategy": "median", "status": "partial",
            "reliability_note": "Partial response: 3/4 workers succeeded", "elapsed": 1000000, "agreement": 0.5,
            "spread": {"min": 1, "max": 2, "interquartile": 0.5, "mad": 0.5}, "missing": ["w4"],
            "excluded": [{"worker_id": "w3", "reason": "stale"}],
            "workers": [{"worker_id": "w1", "fate": "used", "age_ms": 1500}, {"worker_id": "w2", "fate": "used"},
                {"worker_id": "w3", "fate": "excluded", "reason": "stale", "age_ms": 86400000},
                {"worker_id": "w4", "fate": "late"}],
            "worker_responses": [{"worker_id": "w1", "value": 1, "response_time": 1000},
                {"worker_id": "w2", "value": 2, "response_time": 1000},
                {"worker_id": "w3", "value": 3, "response_time": 1000}]}"#;
        let expected = "\
q = 1  (median, 1.0 ms)
  worker  value  time  note
  w1          1  1 µs  1500 ms old
  w2          2  1 µs
  w3          3  1 µs  not used: stale, 86400.0 s old
  w4          -     -  not waited for
  Partial response: 3/4 workers succeeded; values from 1 to 2; agreement 0.5
";
        assert_eq!(answer(&outcome(json), Digits::Few, Paint::Off), expected);
    }

    #[test]
    fn an_answer_says_why_a_worker_is_missing() {
        let json = r#"{"request_id": "r", "query": "q", "final_value": 1, "strategy": "median", "status": "low_reliability",
            "reliability_note": "Low reliability: only 1/4 workers succeeded; 1 not there", "elapsed": 1000000,
            "missing": ["w2", "w3", "w4"], "absent": ["w2"], "suspects": ["w3"],
            "worker_responses": [{"worker_id": "w1", "value": 1, "response_time": 1000}]}"#;
        let expected = "\
q = 1  (median, 1.0 ms)
  worker  value  time  note
  w1          1  1 µs
  w2          -     -  not there
  w3          -     -  silent for longer than usual
  w4          -     -  no answer
  Low reliability: only 1/4 workers succeeded; 1 not there
";
        assert_eq!(answer(&outcome(json), Digits::Few, Paint::Off), expected);
    }

    #[test]
    fn an_answer_in_text_leaves_ties_and_disputes_to_the_note() {
        let text = r#"{"request_id": "r", "query": "q", "final_value": "o\u0007k", "strategy": "majority", "tie": true,
            "status": "disputed", "reliability_note": "All workers responded successfully; values disagree",
            "elapsed": 1000000,
            "worker_responses": [{"worker_id": "w1", "value": "ok", "response_time": 1000}]}"#;
        let expected = "\
q = o\\u{7}k  (majority, 1.0 ms)
  worker  value  time  note
  w1         ok  1 µs
  All workers responded successfully; values disagree
";
        assert_eq!(answer(&outcome(text), Digits::Few, Paint::Off), expected);
    }

    #[test]
    fn a_status_of_a_later_version_is_shown_without_a_colour() {
        let later = PARTIAL.replace("\"partial\"", "\"serene\"");
        assert_eq!(outcome(&later).status, Status::Unknown);
        assert!(answer(&outcome(&later), Digits::Few, Paint::On).contains("  Partial response"));
    }

    #[test]
    fn an_error_shows_what_the_workers_said_and_what_to_do() {
        let json = r#"{"error": "not enough responses", "code": 422, "details": "0 of 1 are usable", "missing": ["w2"],
            "worker_responses": [{"worker_id": "w1", "value": null, "err": "down", "response_time": 2000000}]}"#;
        let expected = "\
q: the coordinator answered 422 Unprocessable Entity: 0 of 1 are usable
  worker  value    time  note
  w1          -  2.0 ms  failed: down
  w2          -       -  no answer
  What to do: ask again, lower --min-responses, or list the workers with: quorate workers
";
        assert_eq!(refusal("q", &refused(422, json), Paint::Off), expected);
        let json = r#"{"error": "too many requests", "code": 429}"#;
        let expected = "\
q: the coordinator answered 429 Too Many Requests: too many requests
  What to do: ask again in 3 s
";
        assert_eq!(refusal("q", &refused(429, json), Paint::Off), expected);
    }

    #[test]
    fn a_session_ends_with_a_line_for_each_question() {
        let error = r#"{"error": "deadline exceeded", "code": 504, "expected": 3, "succeeded": 0}"#;
        let asked = [("BTC/USD", Ok(outcome(PARTIAL))), ("ETH/USD", Err(refused(504, error)))];
        let expected = "\
\x20 query     answer  workers    time  note
  BTC/USD  42000.1      2/4  412 ms  Partial response: 2/4 workers succeeded
  ETH/USD        -      0/3       -  the coordinator answered 504 Gateway Timeout: deadline exceeded
";
        assert_eq!(summary(&asked, Digits::Few, Paint::Off), expected);
    }
}
