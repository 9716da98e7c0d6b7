//! Configuration files in TOML. A program checks a file as a whole when it starts, and names the place that is wrong.

use std::ops::Range;
use std::path::Path;

use serde::de::DeserializeOwned;

/// Why a configuration file cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FileError {
    /// The file cannot be read: give another path, or correct its permissions.
    #[error("cannot read the {what} file {file}: {reason}; correct its path or its permissions")]
    Unreadable {
        /// What the file is for.
        what: &'static str,
        /// The file's path.
        file: String,
        /// The operating system's reason.
        reason: String,
    },
    /// The file is wrong at one place: correct it there.
    #[error("{file}:{line}:{column}: {problem}")]
    Wrong {
        /// The file's path.
        file: String,
        /// The line, counted from 1.
        line: usize,
        /// The character in the line, counted from 1.
        column: usize,
        /// What is wrong, and what would be right.
        problem: String,
    },
}

/// The bytes of the file that are wrong, and what is wrong with them.
pub(crate) type Problem = (Range<usize>, String);

/// A file and its text.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Text<'a> {
    /// The name of the file in errors.
    pub(crate) file: &'a str,
    pub(crate) text: &'a str,
}

impl Text<'_> {
    /// Reads the text as TOML.
    ///
    /// # Errors
    /// [`FileError::Wrong`] at the first place that is not TOML, or not what `T` allows.
    pub(crate) fn parse<T: DeserializeOwned>(self) -> Result<T, FileError> {
        toml::from_str(self.text)
            .map_err(|error| self.wrong((error.span().unwrap_or(0..0), error.message().replace('\n', ", "))))
    }

    /// Turns a problem into an error with its line and column.
    pub(crate) fn wrong(self, (span, problem): Problem) -> FileError {
        let (line, column) = line_and_column(self.text, span.start);
        FileError::Wrong { file: self.file.to_owned(), line, column, problem }
    }
}

/// The line of a byte in a text, and the character in that line, both counted from 1. A byte beyond the text, or within a
/// character, is at the end.
pub fn line_and_column(text: &str, at: usize) -> (usize, usize) {
    let before = text.get(..at).unwrap_or(text);
    let line_start = before.rfind('\n').map_or(0, |at| at + 1);
    (before.matches('\n').count() + 1, before[line_start..].chars().count() + 1)
}

/// Reads the file at `path`: its name for errors, and its text. `what` says what it is for.
///
/// # Errors
/// [`FileError::Unreadable`].
pub(crate) fn read(what: &'static str, path: &Path) -> Result<(String, String), FileError> {
    let file = path.display().to_string();
    match std::fs::read_to_string(path) {
        Ok(text) => Ok((file, text)),
        Err(error) => Err(FileError::Unreadable { what, file, reason: error.to_string() }),
    }
}
