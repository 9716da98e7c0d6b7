//! Properties of the terminal: whether there is one, how large it is, and what it can show.

use std::env;
use std::io::{self, IsTerminal};
use std::os::fd::AsFd;

use rustix::process::getpgrp;
use rustix::termios::{LocalModes, OptionalActions, tcgetattr, tcgetpgrp, tcsetattr};
use terminal_size::{Height, Width, terminal_size_of};

/// The width that is assumed if there is no terminal.
const ASSUMED_WIDTH: usize = 80;
/// The height that is assumed if there is no terminal.
const ASSUMED_HEIGHT: usize = 24;

/// Whether standard output is a terminal that can be redrawn in place.
pub fn can_redraw_stdout() -> bool {
    io::stdout().is_terminal() && anstyle_query::term_supports_color()
}

/// Whether standard error is a terminal that can be redrawn in place.
pub fn can_redraw_stderr() -> bool {
    io::stderr().is_terminal() && anstyle_query::term_supports_color()
}

/// The columns and rows of the terminal on standard output; 80 and 24 if there is none.
pub fn size() -> (usize, usize) {
    match terminal_size_of(io::stdout()) {
        Some((Width(columns @ 1..), Height(rows @ 1..))) => (columns.into(), rows.into()),
        _ => (ASSUMED_WIDTH, ASSUMED_HEIGHT),
    }
}

/// Keeps a terminal from showing Ctrl-C as `^C`. These two characters would shift what is redrawn in place, so that it
/// could not be found again to be cleared.
#[derive(Debug)]
pub struct Quiet<F: AsFd> {
    terminal: F,
    shown_before: bool,
}

impl<F: AsFd> Quiet<F> {
    /// Applies from now on, if this process may change the terminal.
    pub fn on(terminal: F) -> Self {
        let shown_before = set_shown(&terminal, false).unwrap_or(false);
        Self { terminal, shown_before }
    }
}

impl<F: AsFd> Drop for Quiet<F> {
    fn drop(&mut self) {
        if self.shown_before {
            // A terminal that can no longer be changed is gone, or belongs to another process.
            let _ = set_shown(&self.terminal, true);
        }
    }
}

/// Sets whether the terminal shows control characters, and returns whether it did before. Does nothing in a background
/// process, which would be stopped for it.
fn set_shown(terminal: &impl AsFd, shown: bool) -> rustix::io::Result<bool> {
    if tcgetpgrp(terminal)? != getpgrp() {
        return Ok(false);
    }
    let mut modes = tcgetattr(terminal)?;
    let before = modes.local_modes.contains(LocalModes::ECHOCTL);
    modes.local_modes.set(LocalModes::ECHOCTL, shown);
    tcsetattr(terminal, OptionalActions::Now, &modes)?;
    Ok(before)
}

/// The characters that can be drawn with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Charset {
    /// Letters, digits and punctuation.
    Ascii,
    /// Also block characters.
    Unicode,
}

impl Charset {
    /// The character set of the locale.
    pub fn of_locale() -> Self {
        let set = |name| env::var(name).ok().filter(|value: &String| !value.is_empty());
        Self::of(["LC_ALL", "LC_CTYPE", "LANG"].into_iter().find_map(set).as_deref())
    }

    /// The character set of a locale such as `de_DE.UTF-8`. The default locale, C, is ASCII.
    fn of(locale: Option<&str>) -> Self {
        let codeset = locale.and_then(|locale| locale.split_once('.')).map(|(_, codeset)| codeset.to_ascii_lowercase());
        match codeset.as_deref().and_then(|codeset| codeset.split('@').next()) {
            Some("utf-8" | "utf8") => Self::Unicode,
            _ => Self::Ascii,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_locale_says_whether_there_are_more_than_ascii_characters() {
        for locale in ["de_DE.UTF-8", "C.utf8", "en_US.UTF-8@variant"] {
            assert_eq!(Charset::of(Some(locale)), Charset::Unicode, "{locale}");
        }
        for locale in [None, Some("C"), Some("POSIX"), Some("de_DE.ISO-8859-1"), Some("de_DE@euro"), Some("utf8")] {
            assert_eq!(Charset::of(locale), Charset::Ascii, "{locale:?}");
        }
    }
}
