//! A repeated question: a line for each answer, and a summary.

use rust_decimal::Decimal;
use unicode_width::UnicodeWidthStr;

use super::answer::{silence, tone};
use super::{Charset, Digits, Paint, Tone, clean, cut, time};
use crate::advice::sentence;
use quorate_client::{Error, Evidence, Outcome, Value};

/// The decimals of a change in percent.
const PERCENT_DECIMALS: u32 = 3;
/// Initial widths of the columns, which most lines fit, so that columns rarely grow.
const WIDTHS: [usize; 5] = [0, 18, 8, 0, 7];
/// The characters for the heights of a trend's columns.
const HEIGHTS: [char; 8] = ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];

/// How an answer differs from the one before.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Change {
    /// A value is missing, or one is a number and the other is not, or the difference is out of range.
    #[default]
    Unknown,
    /// The difference of two numbers.
    By {
        /// The difference, exact.
        difference: Decimal,
        /// The difference as a fraction of the previous answer; `None` if that is zero.
        share: Option<Decimal>,
    },
    /// Both are texts.
    Text {
        /// Whether they are the same.
        same: bool,
    },
}

impl Change {
    /// The change from one answer's value to the next.
    pub fn between(before: Option<&Value>, after: Option<&Value>) -> Self {
        match (before, after) {
            (Some(Value::Number(before)), Some(Value::Number(after))) => match after.checked_sub(*before) {
                Some(difference) => Self::By { difference, share: difference.checked_div(before.abs()) },
                None => Self::Unknown,
            },
            (Some(Value::Text(before)), Some(Value::Text(after))) => Self::Text { same: before == after },
            _ => Self::Unknown,
        }
    }

    /// A short text for people. `evidence` is that of the answer after the change.
    fn shown(&self, digits: Digits, evidence: &Evidence) -> String {
        match self {
            Self::Unknown => "-".to_owned(),
            Self::Text { same: true } => "same".to_owned(),
            Self::Text { same: false } => "changed".to_owned(),
            Self::By { difference, .. } if difference.is_zero() => "same".to_owned(),
            Self::By { difference, share } => {
                let rounded = digits.difference(*difference, evidence);
                let percent = share.and_then(|share| share.checked_mul(Decimal::ONE_HUNDRED));
                let percent =
                    percent.map(|percent| format!(" ({:+}%)", percent.round_dp(PERCENT_DECIMALS).normalize()));
                format!("{rounded:+}{}", percent.unwrap_or_default())
            }
        }
    }
}

/// Lines that are shown one after the other, in columns that grow as needed.
#[derive(Clone, Copy, Debug)]
pub struct AnswerLines {
    digits: Digits,
    paint: Paint,
    widths: [usize; WIDTHS.len()],
}

impl AnswerLines {
    /// Lines in `paint`.
    pub fn new(digits: Digits, paint: Paint) -> Self {
        Self { digits, paint, widths: WIDTHS }
    }

    /// The line of an answer that came at the time `at`. If a terminal has this `width`, notes that do not fit are cut.
    pub fn answer(&mut self, at: &str, outcome: &Outcome, change: &Change, width: Option<usize>) -> String {
        let Outcome { status, elapsed, evidence, .. } = outcome;
        let tone = tone(*status);
        let cells = [
            (self.digits.answer(outcome), Tone::Strong),
            (change.shown(self.digits, evidence), Tone::Plain),
            (status.name().to_owned(), tone),
            (format!("{}/{} workers", evidence.succeeded, evidence.expected), Tone::Plain),
            (time(*elapsed), Tone::Faint),
        ];
        let mut line = self.paint.tint(Tone::Faint, at);
        for ((text, tone), width) in cells.iter().zip(&mut self.widths) {
            let text = clean(text);
            *width = text.width().max(*width);
            line.push_str("  ");
            line.push_str(&self.paint.tint(*tone, &text));
            line.extend(std::iter::repeat_n(' ', *width - text.width()));
        }
        let columns = at.width() + self.widths.iter().map(|width| width + 2).sum::<usize>() + 2;
        let notes = notes(outcome);
        let notes = match width {
            Some(width) => cut(notes, width.saturating_sub(columns)),
            None => notes,
        };
        if notes.is_empty() {
            return line.trim_end().to_owned();
        }
        line + "  " + &self.paint.tint(tone, &notes)
    }

    /// The line of a question that has no answer.
    pub fn error(&self, at: &str, error: &Error) -> String {
        let said = match error {
            Error::Refused(refusal) => {
                let missed = missed(&refusal.answer.body.evidence);
                let missed = if missed.is_empty() { missed } else { format!("; {missed}") };
                clean(&refusal.to_string()) + &missed
            }
            error => clean(&sentence(error)),
        };
        format!("{}  {}", self.paint.tint(Tone::Faint, at), self.paint.tint(Tone::Bad, &said))
    }
}

/// How many of the values agree, unless all do, and the workers whose values were not used.
fn notes(outcome: &Outcome) -> String {
    let agreement = outcome.agreement.filter(|agreement| *agreement != Decimal::ONE);
    let agreement = agreement.map(|agreement| format!("agreement {agreement}"));
    let missed = Some(missed(&outcome.evidence)).filter(|missed| !missed.is_empty());
    agreement.into_iter().chain(missed).collect::<Vec<_>>().join("; ")
}

/// The workers whose values were not used, and why.
fn missed(evidence: &Evidence) -> String {
    let mut missed = Vec::new();
    for response in &evidence.worker_responses {
        if let Some(err) = response.err.as_deref().filter(|err| !err.is_empty()) {
            missed.push(format!("{} failed: {err}", response.worker_id));
        }
    }
    missed.extend(
        evidence.excluded.iter().map(|excluded| format!("{} not used: {}", excluded.worker_id, excluded.reason)),
    );
    for name in &evidence.missing {
        missed.push(format!("{name} {}", silence(evidence, name).0));
    }
    clean(&missed.join("; "))
}

/// Numbers, oldest first, as columns scaled between the smallest and the largest. Empty unless two of them differ, or
/// if the character set has no blocks.
pub fn trend(values: impl Iterator<Item = f64> + Clone, charset: Charset) -> String {
    let (min, max) =
        values.clone().fold((f64::INFINITY, f64::NEG_INFINITY), |(min, max), value| (value.min(min), value.max(max)));
    if charset == Charset::Ascii || max <= min {
        return String::new();
    }
    let highest = HEIGHTS.len() - 1;
    // From 0 to 1, so that the product is an index.
    let height = |value: f64| (((value - min) / (max - min)) * highest as f64).round().clamp(0.0, highest as f64);
    #[expect(clippy::cast_sign_loss, reason = "it is clamped to what is not negative")]
    values.map(|value| HEIGHTS[height(value) as usize]).collect()
}

#[cfg(test)]
mod tests {
    use reqwest::StatusCode;

    use super::*;
    use quorate_client::{Body, ErrorBody, Received, Refusal, WorkerResponse};

    fn number(text: &str) -> Value {
        serde_json::from_str(text).expect("a number")
    }

    /// The evidence of an answer that rests on one value.
    fn evidence(value: &Value) -> Evidence {
        let response =
            WorkerResponse { worker_id: "w1".to_owned(), value: Some(value.clone()), err: None, response_time: 0 };
        Evidence { worker_responses: vec![response], ..Evidence::default() }
    }

    #[test]
    fn a_change_is_the_exact_difference_and_is_shown_like_the_values() {
        let text = |text: &str| Value::Text(text.to_owned());
        for (before, after, shown) in [
            (number("42000.50"), number("42010.50"), "+10.00 (+0.024%)"),
            (number("1.0"), number("0.3333"), "-0.6667 (-66.67%)"),
            (number("-10"), number("-5"), "+5 (+50%)"),
            (number("0"), number("5"), "+5"),
            (number("1.50"), number("1.5"), "same"),
            (number("7.9e28"), number("-7.9e28"), "-"),
            (text("a"), text("a"), "same"),
            (text("a"), text("b"), "changed"),
            (number("1"), text("1"), "-"),
        ] {
            let change = Change::between(Some(&before), Some(&after));
            assert_eq!(change.shown(Digits::Few, &evidence(&after)), shown, "{before} to {after}");
        }
        assert_eq!(Change::between(None, Some(&number("1"))), Change::Unknown);
        let exact = Change::between(Some(&number("1")), Some(&number("0.333333333333333333")));
        assert!(matches!(exact, Change::By { difference, .. } if difference.to_string() == "-0.666666666666666667"));
        assert_eq!(exact.shown(Digits::All, &evidence(&number("1"))), "-0.666666666666666667 (-66.667%)");
        assert_eq!(exact.shown(Digits::Few, &evidence(&number("1.5"))), "-0.667 (-66.667%)");
    }

    #[test]
    fn a_line_says_who_failed_was_left_out_or_silent_and_columns_grow() {
        let mut lines = AnswerLines::new(Digits::Few, Paint::Off);
        let json = |value: &str| {
            format!(
                r#"{{"request_id": "r", "query": "q", "final_value": {value}, "strategy": "median", "status": "partial",
                "expected": 7, "succeeded": 2, "elapsed": 1000000, "agreement": 0.5,
                "missing": ["w4", "w5", "w6", "w7"], "absent": ["w6"], "suspects": ["w7"],
                "excluded": [{{"worker_id": "w3", "reason": "outlier"}}],
                "workers": [{{"worker_id": "w5", "fate": "late"}}],
                "worker_responses": [{{"worker_id": "w1", "value": 1}}, {{"worker_id": "w2", "err": "no\nroute"}},
                    {{"worker_id": "w3", "value": 9}}]}}"#
            )
        };
        let mut line = |value: &str, width| {
            lines.answer("now", &Outcome::read(&json(value)).expect("an outcome"), &Change::Unknown, width)
        };
        let missed = "w2 failed: no\\u{a}route; w3 not used: outlier; w4 no answer; w5 not waited for; w6 not there; w7 \
                      silent for longer than usual";
        let rest = format!("-                   partial   2/7 workers  1.0 ms   agreement 0.5; {missed}");
        assert_eq!(line("1", None), format!("now  1  {rest}"));
        assert_eq!(line("1.25", None), format!("now  1.25  {rest}"));
        assert_eq!(line("7", None), format!("now  7     {rest}"));
        let narrow = "now  7     -                   partial   2/7 workers  1.0 ms   agreement 0.5;...";
        assert_eq!((line("7", Some(80)).as_str(), narrow.len()), (narrow, 80));
    }

    #[test]
    fn a_line_of_an_error_has_the_coordinators_details_and_the_silent_workers() {
        let json = r#"{"error": "deadline_exceeded", "code": 504, "details": "no value", "missing": ["w1"]}"#;
        let answer = Received { body: ErrorBody::read(json).expect("an error"), json: json.to_owned() };
        let refusal = Refusal { status: StatusCode::GATEWAY_TIMEOUT, retry_after: None, answer };
        let line = AnswerLines::new(Digits::Few, Paint::Off).error("now", &Error::Refused(Box::new(refusal)));
        assert_eq!(line, "now  the coordinator answered 504 Gateway Timeout: no value; w1 no answer");
    }

    #[test]
    fn a_trend_has_a_column_for_each_number() {
        let drawn = |values: &[f64], charset| trend(values.iter().copied(), charset);
        assert_eq!(drawn(&[1.0, 2.0, 8.0, 4.5], Charset::Unicode), "▁▂█▅");
        assert_eq!(drawn(&[-1e300, 1e300], Charset::Unicode), "▁█");
        for flat in [&[] as &[f64], &[1.0], &[3.0, 3.0]] {
            assert_eq!(drawn(flat, Charset::Unicode), "");
        }
        assert_eq!(drawn(&[1.0, 2.0], Charset::Ascii), "");
    }
}
