//! The rounds of feeds: pages of a table, or lines as they come.

use quorate_client::Record;
use unicode_width::UnicodeWidthStr as _;

use super::feeds::{NONE, note, reason, tone, value};
use super::{Align, Cell, Digits, Paint, Table, Tone, clean, cut};

/// The history of a feed, which comes in pages.
#[derive(Clone, Copy, Debug)]
pub struct RecordTable {
    digits: Digits,
    paint: Paint,
    /// The last round that was shown.
    last: Option<u64>,
}

impl RecordTable {
    /// A table in `paint`.
    pub fn new(digits: Digits, paint: Paint) -> Self {
        Self { digits, paint, last: None }
    }

    /// The next records, each with the time of its round. Rounds that are missing between them have a line.
    pub fn page(&mut self, records: &[(String, &Record)]) -> String {
        let mut table = Table::new([
            ("round", Align::Right),
            ("time", Align::Left),
            ("value", Align::Right),
            ("status", Align::Left),
            ("reported", Align::Left),
            ("coordinator", Align::Left),
            ("note", Align::Left),
        ]);
        for (at, record) in records {
            if let Some(missing) = self.missing(record.round) {
                let mut row = [(); 7].map(|()| Cell::from(NONE));
                (row[0], row[3]) = (missing.into(), Cell::new("missing", Tone::Bad));
                row[6] = "lost by the store".into();
                table.row(row);
            }
            self.last = Some(record.round);
            let (reason, reason_tone) = reason(record);
            table.row([
                record.round.to_string().into(),
                at.into(),
                Cell::new(&value(record, self.digits), Tone::Strong),
                Cell::new(&record.status, tone(&record.status)),
                Cell::new(reason, reason_tone),
                (&record.coordinator).into(),
                note(record).into(),
            ]);
        }
        table.draw(self.paint)
    }

    /// The rounds between the last one and this one, if any are missing.
    fn missing(&self, round: u64) -> Option<String> {
        let first = self.last?.saturating_add(1);
        let last = round.checked_sub(1).filter(|last| *last >= first)?;
        Some(if first == last { first.to_string() } else { format!("{first}-{last}") })
    }
}

/// Initial widths of the columns: feed, round, value, status, and why the value was reported.
const WIDTHS: [usize; 5] = [7, 5, 9, 8, 9];

/// Lines of records, in columns that grow as needed.
#[derive(Clone, Copy, Debug)]
pub struct RecordLines {
    digits: Digits,
    paint: Paint,
    widths: [usize; WIDTHS.len()],
}

impl RecordLines {
    /// Lines in `paint`.
    pub fn new(digits: Digits, paint: Paint) -> Self {
        Self { digits, paint, widths: WIDTHS }
    }

    /// The line of a round that ended at the time `at`. If a terminal has this `width`, a note that does not fit is cut.
    pub fn recorded(&mut self, at: &str, record: &Record, width: Option<usize>) -> String {
        let cells = [
            (&*record.feed, Tone::Plain),
            (&record.round.to_string(), Tone::Faint),
            (&value(record, self.digits), Tone::Strong),
            (&record.status, tone(&record.status)),
            reason(record),
        ];
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
        let note = clean(note(record));
        let note = match width {
            Some(width) => cut(note, width.saturating_sub(columns + 2)),
            None => note,
        };
        if note.is_empty() { line.trim_end().to_owned() } else { line + "  " + &note }
    }

    /// The line in place of rounds that may be missing.
    pub fn missed(&self, at: &str) -> String {
        let what = self.paint.tint(Tone::Doubtful, "rounds may be missing here");
        format!("{}  {what}", self.paint.tint(Tone::Faint, at))
    }
}

#[cfg(test)]
mod tests {
    use quorate_client::Body as _;

    use super::*;

    fn reported(round: u64) -> Record {
        let json = format!(
            r#"{{"feed": "BTC-USD", "round": {round}, "value": 1.333333333333, "status": "partial",
            "reason": "heartbeat", "coordinator": "c1", "lease": 1, "outcome": {{"request_id": "r",
            "final_value": 1.333333333333, "reliability_note": "2 of 3 workers",
            "worker_responses": [{{"worker_id": "w1", "value": 1.25}}]}}}}"#
        );
        Record::read(&json).expect("a record")
    }

    fn insufficient(round: u64) -> Record {
        let json = format!(
            r#"{{"feed": "BTC-USD", "round": {round}, "value": null, "status": "insufficient_responses",
            "reason": null, "coordinator": "c2\u001b", "outcome": {{"error": "insufficient_responses",
            "details": "1 of 2\nare usable"}}}}"#
        );
        Record::read(&json).expect("a record")
    }

    #[test]
    fn each_round_is_a_line_and_so_are_rounds_that_are_missing() {
        let mut table = RecordTable::new(Digits::Few, Paint::Off);
        let at = |text: &str| text.to_owned();
        let expected = "\
\x20 round  time   value  status                  reported      coordinator  note
      7  a     1.3333  partial                 heartbeat     c1           2 of 3 workers
      8  b          -  insufficient_responses  not reported  c2\\u{1b}     1 of 2\\u{a}are usable
";
        let shown = table.page(&[(at("a"), &reported(7)), (at("b"), &insufficient(8))]);
        assert_eq!(shown, expected);
        let expected = "\
\x20 round  time   value  status   reported   coordinator  note
   9-11  -          -  missing  -          -            lost by the store
     12  c     1.3333  partial  heartbeat  c1           2 of 3 workers
     13  -          -  missing  -          -            lost by the store
     14  d     1.3333  partial  heartbeat  c1           2 of 3 workers
";
        assert_eq!(table.page(&[(at("c"), &reported(12)), (at("d"), &reported(14))]), expected);
        assert_eq!(table.missing(14), None, "a record that is sent twice is no gap");
    }

    #[test]
    fn rounds_are_lines_as_they_come_and_notes_are_cut_at_the_edge_of_a_terminal() {
        let mut lines = RecordLines::new(Digits::Few, Paint::Off);
        let line = lines.recorded("now", &reported(7), None);
        assert_eq!(line, "now  BTC-USD  7      1.3333     partial   heartbeat  2 of 3 workers");
        let line = lines.recorded("now", &reported(8), Some(60));
        assert!(line.ends_with("...") && line.width() <= 60, "{line}");
        let line = lines.recorded("now", &insufficient(9), None);
        assert!(line.ends_with("insufficient_responses  not reported  1 of 2\\u{a}are usable"), "{line}");
        assert_eq!(lines.missed("now"), "now  rounds may be missing here");
    }
}
