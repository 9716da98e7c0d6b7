//! Colours: only on a terminal or if `CLICOLOR_FORCE` demands them, and never if `NO_COLOR` is set.

use std::io::{self, IsTerminal};

/// Whether and how texts are coloured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Paint {
    /// Plain text.
    Off,
    /// Text with the colours of the terminal.
    On,
}

/// What a text means.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Tone {
    /// Nothing special.
    #[default]
    Plain,
    /// Most important.
    Strong,
    /// Less important.
    Faint,
    /// Good.
    Good,
    /// Questionable.
    Doubtful,
    /// Bad.
    Bad,
}

impl Paint {
    /// For what goes to standard output.
    pub fn for_stdout() -> Self {
        Self::when(io::stdout().is_terminal())
    }

    /// For what goes to standard error.
    pub fn for_stderr() -> Self {
        Self::when(io::stderr().is_terminal())
    }

    /// Whether there are colours.
    pub fn is_on(self) -> bool {
        self == Self::On
    }

    /// `text` in the colour of `tone`.
    pub fn tint(self, tone: Tone, text: &str) -> String {
        let code = match tone {
            _ if !self.is_on() || text.is_empty() => return text.to_owned(),
            Tone::Plain => return text.to_owned(),
            Tone::Strong => "1",
            Tone::Faint => "2",
            Tone::Good => "32",
            Tone::Doubtful => "33",
            Tone::Bad => "31",
        };
        format!("\x1b[{code}m{text}\x1b[0m")
    }

    /// The same rules that clap applies to the help: the conventions of no-color.org and bixense.com/clicolors.
    fn when(terminal: bool) -> Self {
        let refused = anstyle_query::no_color();
        let forced = anstyle_query::clicolor_force();
        let wanted = terminal && anstyle_query::term_supports_color() && anstyle_query::clicolor() != Some(false);
        if !refused && (forced || wanted) { Self::On } else { Self::Off }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_painted_text_has_escape_sequences() {
        assert_eq!(Paint::Off.tint(Tone::Bad, "late"), "late");
        assert_eq!(Paint::On.tint(Tone::Bad, "late"), "\x1b[31mlate\x1b[0m");
        assert_eq!(Paint::On.tint(Tone::Plain, "late"), "late");
        assert_eq!(Paint::On.tint(Tone::Bad, ""), "");
    }
}
