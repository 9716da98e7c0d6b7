//! A terminal that is redrawn in place, and restored at the end.

use std::fmt::Write as _;
use std::io::{self, Write};

/// Enters the alternate screen, hides the cursor, and cuts off long lines instead of wrapping them.
const ENTER: &str = "\x1b[?1049h\x1b[?25l\x1b[?7l";
/// Undoes this, in the opposite order.
const LEAVE: &str = "\x1b[?7h\x1b[?25h\x1b[?1049l";
/// Starts a frame: terminals that support it show what follows only at the end of the frame.
const BEGIN: &str = "\x1b[?2026h\x1b[H";
/// Clears the rest of the screen, and ends the frame.
const END: &str = "\x1b[J\x1b[?2026l";
/// Clears the rest of the line.
const NEXT_LINE: &str = "\x1b[K\r\n";

/// The alternate screen of the terminal. The main screen is back, unchanged, once this is left or dropped.
#[derive(Debug)]
pub struct Screen<W: Write> {
    out: W,
    entered: bool,
}

impl<W: Write> Screen<W> {
    /// A screen that is not entered yet.
    pub fn new(out: W) -> Self {
        Self { out, entered: false }
    }

    /// Draws as many lines of `text` as fit into `rows`, in one write and without clearing first, so that what has not
    /// changed does not flicker.
    ///
    /// # Errors
    /// Those of writing.
    pub fn draw(&mut self, text: &str, rows: usize) -> io::Result<()> {
        let mut drawn = String::with_capacity(text.len() + 256);
        if !self.entered {
            drawn.push_str(ENTER);
            self.entered = true;
        }
        drawn.push_str(BEGIN);
        let lines = text.lines().count();
        let shown = if lines > rows { rows.saturating_sub(1) } else { lines };
        for (at, line) in text.lines().take(shown).enumerate() {
            drawn.push_str(if at == 0 { "" } else { NEXT_LINE });
            drawn.push_str(line);
        }
        if shown < lines {
            drawn.push_str(if shown == 0 { "" } else { NEXT_LINE });
            let _ = write!(drawn, "... and {} more lines", lines - shown);
        }
        drawn.push_str("\x1b[K");
        drawn.push_str(END);
        self.write(&drawn)
    }

    /// Returns to the main screen. The next drawing enters again.
    ///
    /// # Errors
    /// Those of writing.
    pub fn leave(&mut self) -> io::Result<()> {
        if std::mem::take(&mut self.entered) { self.write(LEAVE) } else { Ok(()) }
    }

    fn write(&mut self, text: &str) -> io::Result<()> {
        self.out.write_all(text.as_bytes())?;
        self.out.flush()
    }
}

impl<W: Write> Drop for Screen<W> {
    fn drop(&mut self) {
        // A terminal that cannot be written to is gone.
        let _ = self.leave();
    }
}

#[cfg(test)]
mod tests {
    use std::num::NonZero;

    use super::*;

    /// The screen of a terminal with 4 rows and 20 columns.
    fn shown(bytes: &[u8]) -> vt100::Parser {
        let size = |size| NonZero::new(size).expect("it is not zero");
        let mut terminal = vt100::Parser::new(size(4), size(20), 0);
        terminal.process(b"$ before");
        terminal.process(bytes);
        terminal
    }

    #[test]
    fn a_drawing_takes_the_place_of_the_last_one_and_leaves_nothing_of_it() {
        let mut out = Vec::new();
        let mut screen = Screen::new(&mut out);
        screen.draw("a long first line\nsecond\nthird", 4).expect("it is written");
        screen.draw("short\n2", 4).expect("it is written");
        screen.entered = false;
        drop(screen);
        let terminal = shown(&out);
        let screen = terminal.screen();
        assert_eq!(screen.contents(), "short\n2");
        assert!(screen.hide_cursor() && screen.alternate_screen());
        assert!(!String::from_utf8_lossy(&out).contains("\x1b[2J"), "clearing the screen flickers");
    }

    #[test]
    fn what_does_not_fit_is_counted() {
        let mut out = Vec::new();
        let mut screen = Screen::new(&mut out);
        screen.draw("1\n2\n3\n4\n5 is wider than the terminal", 4).expect("it is written");
        screen.entered = false;
        drop(screen);
        assert_eq!(shown(&out).screen().contents(), "1\n2\n3\n... and 2 more lines");
    }

    #[test]
    fn leaving_restores_the_terminal() {
        let mut out = Vec::new();
        Screen::new(&mut out).draw("table", 4).expect("it is written");
        let terminal = shown(&out);
        assert_eq!(terminal.screen().contents(), "$ before");
        assert!(!terminal.screen().hide_cursor() && !terminal.screen().alternate_screen());

        let mut out = Vec::new();
        drop(Screen::new(&mut out));
        assert_eq!(out, b"", "a screen that was not entered is not left");
    }
}
