//! A table of aligned columns.

use unicode_width::UnicodeWidthStr;

use super::{Paint, Tone, clean};

/// Where the texts of a column are aligned.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Align {
    /// At the left.
    Left,
    /// At the right.
    Right,
}

/// One text of a table. It has no control characters, whatever it is made from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cell {
    text: String,
    tone: Tone,
}

impl Cell {
    /// A text in a tone.
    pub fn new(text: &str, tone: Tone) -> Self {
        Self { text: clean(text), tone }
    }
}

impl<T: AsRef<str>> From<T> for Cell {
    fn from(text: T) -> Self {
        Self::new(text.as_ref(), Tone::Plain)
    }
}

/// A table with a head. Every row has as many cells as the head.
#[derive(Clone, Debug)]
pub struct Table<const COLUMNS: usize> {
    aligns: [Align; COLUMNS],
    rows: Vec<[Cell; COLUMNS]>,
}

impl<const COLUMNS: usize> Table<COLUMNS> {
    /// A table with only its head.
    pub fn new(head: [(&str, Align); COLUMNS]) -> Self {
        let cells = head.map(|(name, _)| Cell::new(name, Tone::Faint));
        Self { aligns: head.map(|(_, align)| align), rows: vec![cells] }
    }

    /// Adds a row.
    pub fn row(&mut self, cells: [Cell; COLUMNS]) {
        self.rows.push(cells);
    }

    /// The lines of the table, each indented by two spaces and ended by a line feed, without trailing spaces.
    pub fn draw(&self, paint: Paint) -> String {
        let width = |column: usize| self.rows.iter().map(|row| row[column].text.width()).max().unwrap_or(0);
        let widths: [usize; COLUMNS] = std::array::from_fn(width);
        let mut drawn = String::new();
        for row in &self.rows {
            // Spaces are written only before a text.
            let mut spaces = 0;
            for ((cell, align), width) in row.iter().zip(self.aligns).zip(widths) {
                let padding = width - cell.text.width();
                let (before, after) = if align == Align::Right { (padding, 0) } else { (0, padding) };
                spaces += 2 + before;
                if cell.text.is_empty() {
                    spaces += after;
                    continue;
                }
                drawn.extend(std::iter::repeat_n(' ', spaces));
                drawn.push_str(&paint.tint(cell.tone, &cell.text));
                spaces = after;
            }
            drawn.push('\n');
        }
        drawn
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_aligned_by_what_a_terminal_shows() {
        let mut table = Table::new([("name", Align::Left), ("value", Align::Right), ("note", Align::Left)]);
        table.row(["価格".into(), "1".into(), Cell::new("a\nb", Tone::Bad)]);
        table.row(["x".into(), "1000.5".into(), "".into()]);
        let expected = "  name   value  note\n  価格       1  a\\u{a}b\n  x     1000.5\n";
        assert_eq!(table.draw(Paint::Off), expected);
        assert!(table.draw(Paint::On).contains("\x1b[31ma\\u{a}b\x1b[0m\n"));
    }
}
