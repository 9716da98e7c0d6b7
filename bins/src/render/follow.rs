//! Outcomes one after the other, each on a line.

use quorate_client::{ErrorBody, Outcome};
use unicode_width::UnicodeWidthStr as _;

use super::answer::tone;
use super::{Digits, Paint, Tone, clean, cut};

/// Initial widths of the columns: query, value and status.
const WIDTHS: [usize; 3] = [7, 9, 8];
/// What stands for a value or a query that there is not.
const NONE: &str = "-";

/// Lines of outcomes, in columns that grow as needed.
#[derive(Clone, Copy, Debug)]
pub struct OutcomeLines {
    digits: Digits,
    paint: Paint,
    widths: [usize; WIDTHS.len()],
}

impl OutcomeLines {
    /// Lines in `paint`.
    pub fn new(digits: Digits, paint: Paint) -> Self {
        Self { digits, paint, widths: WIDTHS }
    }

    /// The line of an answer given at the time `at`. If a terminal has this `width`, a note that does not fit is cut.
    pub fn answered(&mut self, at: &str, outcome: &Outcome, width: Option<usize>) -> String {
        let value = self.digits.answer(outcome);
        let cells =
            [(&*outcome.query, Tone::Plain), (&value, Tone::Strong), (outcome.status.name(), tone(outcome.status))];
        self.line(at, cells, &outcome.evidence.reliability_note, width)
    }

    /// The line of a request that ended without an answer.
    pub fn unanswered(&mut self, at: &str, error: &ErrorBody, width: Option<usize>) -> String {
        let query = error.query.as_deref().unwrap_or(NONE);
        let cells = [(query, Tone::Plain), (NONE, Tone::Plain), (&*error.error, Tone::Bad)];
        self.line(at, cells, error.details.as_deref().unwrap_or_default(), width)
    }

    /// The line in place of events that are missing.
    pub fn missed(&self, at: &str, count: Option<u64>) -> String {
        let what = match count {
            Some(1) => "1 event is missing here".to_owned(),
            Some(count) => format!("{count} events are missing here"),
            None => "events may be missing here".to_owned(),
        };
        format!("{}  {}", self.paint.tint(Tone::Faint, at), self.paint.tint(Tone::Doubtful, &what))
    }

    fn line(&mut self, at: &str, cells: [(&str, Tone); WIDTHS.len()], note: &str, width: Option<usize>) -> String {
        let mut line = self.paint.tint(Tone::Faint, at);
        let mut columns = at.width();
        for ((text, tone), column) in cells.into_iter().zip(&mut self.widths) {
            let text = clean(text);
            *column = text.width().max(*column);
            line.push_str("  ");
            line.push_str(&self.paint.tint(tone, &text));
            line.extend(std::iter::repeat_n(' ', *column - text.width()));
            columns += 2 + *column;
        }
        let note = clean(note);
        let note = match width {
            Some(width) => cut(note, width.saturating_sub(columns + 2)),
            None => note,
        };
        if note.is_empty() { line.trim_end().to_owned() } else { line + "  " + &note }
    }
}

#[cfg(test)]
mod tests {
    use quorate_client::Body as _;

    use super::*;

    fn outcome(query: &str, value: &str) -> Outcome {
        let json = format!(
            r#"{{"request_id": "r", "query": "{query}", "final_value": {value}, "status": "partial",
            "reliability_note": "Partial response: 2/3 workers succeeded",
            "worker_responses": [{{"worker_id": "w1", "value": 1.25}}]}}"#
        );
        Outcome::read(&json).expect("an outcome")
    }

    #[test]
    fn each_outcome_is_a_line_and_columns_grow() {
        let mut lines = OutcomeLines::new(Digits::Few, Paint::Off);
        let note = "Partial response: 2/3 workers succeeded";
        let line = lines.answered("now", &outcome("q\\u001b[2J", "1.333333333333"), None);
        assert_eq!(line, format!("now  q\\u{{1b}}[2J  1.3333     partial   {note}"));
        let json = r#"{"error": "deadline_exceeded", "query": "q", "details": "no\nvalue"}"#;
        let error = ErrorBody::read(json).expect("an error");
        let line = lines.unanswered("now", &error, None);
        assert_eq!(line, "now  q           -          deadline_exceeded  no\\u{a}value");
        let nothing = ErrorBody::read(r#"{"error": "overloaded"}"#).expect("an error");
        assert_eq!(lines.unanswered("now", &nothing, None), "now  -           -          overloaded");
        assert_eq!(lines.missed("now", Some(12)), "now  12 events are missing here");
    }

    #[test]
    fn a_note_is_cut_at_the_edge_of_a_terminal_and_digits_are_shown_on_demand() {
        let mut lines = OutcomeLines::new(Digits::All, Paint::Off);
        let line = lines.answered("now", &outcome("q", "1.333333333333"), Some(60));
        assert_eq!((line.as_str(), line.width()), ("now  q        1.333333333333  partial   Partial response:...", 60));
    }
}
