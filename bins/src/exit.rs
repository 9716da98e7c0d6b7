//! How a program ends: its error message and its exit code.

use std::fmt::Write as _;
use std::io::{self, Write as _};
use std::process::ExitCode;

use quorate_client::Error;
use serde::Serialize;

use crate::advice::{advice, sentence};
use crate::render::{clean, json};

/// The exit codes of a program and their meanings.
#[derive(Clone, Copy, Debug)]
pub struct Codes(&'static [(u8, &'static str)]);

/// The exit codes of `quorate`.
pub const QUORATE: Codes = Codes(&[
    (0, "done"),
    (FAILED, "error"),
    (WRONG_USAGE, "usage error"),
    (REFUSED, "the coordinator answered with an error"),
    (UNANSWERED, "no coordinator answered"),
    (DISPUTED, "the workers do not agree, with --fail-on-dispute"),
    (STALE, "the report of the feed is stale, with --fail-on-stale"),
]);

/// The exit codes of the servers.
pub const SERVER: Codes = Codes(&[(0, "stopped gracefully"), (FAILED, "error"), (WRONG_USAGE, "usage error")]);

/// Any error without a code of its own.
const FAILED: u8 = 1;
/// An invalid command line, or settings that cannot be used; also clap's own code.
const WRONG_USAGE: u8 = 2;
/// The coordinator answered with an error.
const REFUSED: u8 = 3;
/// Nothing listens there, or it does not answer, or it is not a coordinator.
const UNANSWERED: u8 = 4;
/// The answer is disputed, and the user wants none that is.
const DISPUTED: u8 = 5;
/// The last report of the feed is too old, and the user wants none that is.
const STALE: u8 = 6;

impl Codes {
    /// Each code with its meaning.
    pub fn list(self) -> &'static [(u8, &'static str)] {
        self.0
    }

    /// The sentence at the end of a program's help.
    pub fn help(self) -> String {
        let mut help = "Exit codes: ".to_owned();
        for (at, (code, meaning)) in self.0.iter().enumerate() {
            let _ = write!(help, "{}{code} {meaning}", if at == 0 { "" } else { ", " });
        }
        help + "."
    }
}

/// An error that was shown already and only determines the exit code.
#[derive(Debug, thiserror::Error)]
#[error("{0:#}")]
pub struct Shown(pub anyhow::Error);

/// A mistake in the settings, which no restart repairs: a flag, a file, or credentials that are refused.
#[derive(Debug, thiserror::Error)]
#[error("{0:#}")]
pub struct Unusable(pub anyhow::Error);

impl Unusable {
    /// Marks an error as a mistake in the settings.
    pub fn mark(error: impl Into<anyhow::Error>) -> anyhow::Error {
        Self(error.into()).into()
    }
}

/// A disputed answer, although the user wants none.
#[derive(Clone, Copy, Debug, thiserror::Error)]
#[error("the workers do not agree")]
pub struct Disputed;

/// A stale report, although the user wants none.
#[derive(Clone, Copy, Debug, thiserror::Error)]
#[error("the report of the feed is stale")]
pub struct Stale;

/// An error as JSON, with the fields that a coordinator's errors have, too.
#[derive(Debug, Serialize)]
pub struct ErrorLine<'a> {
    /// What went wrong, in one word.
    error: &'a str,
    /// The HTTP status, if the coordinator answered.
    #[serde(skip_serializing_if = "Option::is_none")]
    code: Option<u16>,
    /// The sentence that people are shown.
    details: String,
}

impl ErrorLine<'_> {
    /// The line for an invalid command line.
    pub fn usage(error: &clap::Error) -> Self {
        let said = error.to_string();
        let said = said.split("\n\n").next().unwrap_or_default().trim_start_matches("error: ");
        let words: Vec<_> = said.split_whitespace().collect();
        Self { error: "usage", code: None, details: words.join(" ") }
    }
}

impl<'a> From<&'a Error> for ErrorLine<'a> {
    fn from(error: &'a Error) -> Self {
        let code = match error {
            Error::Refused(refusal) => Some(refusal.status.as_u16()),
            _ => None,
        };
        Self { error: error.word(), code, details: sentence(error) }
    }
}

impl<'a> From<&'a anyhow::Error> for ErrorLine<'a> {
    fn from(error: &'a anyhow::Error) -> Self {
        let details = said(error);
        match cause::<Error>(error) {
            Some(cause) => Self { details, ..Self::from(cause) },
            None if error.is::<Unusable>() => Self { error: "usage", code: None, details },
            None => Self { error: "failed", code: None, details },
        }
    }
}

/// Prints an error as a line of JSON on standard output.
pub fn print_json(error: &ErrorLine<'_>) {
    let line = serde_json::to_string(error).expect("texts and numbers are always JSON");
    // If it cannot be printed, the exit code still tells the error.
    let _ = writeln!(io::stdout(), "{}", json(&line));
}

/// Prints an error in one sentence on standard error, or as JSON on standard output, and returns the exit code.
pub fn report(result: anyhow::Result<()>, as_json: bool) -> ExitCode {
    let Err(error) = result else { return ExitCode::SUCCESS };
    if error.chain().any(is_closed_pipe) {
        // The reader has closed the output because it has seen enough.
        return ExitCode::SUCCESS;
    }
    if !error.is::<Shown>() {
        if as_json {
            print_json(&ErrorLine::from(&error));
        } else {
            eprintln!("error: {}", clean(&said(&error)));
        }
    }
    ExitCode::from(code(&error))
}

/// Prints what is wrong with the command line, and exits with the code for that. Help and version are not errors.
pub fn usage(error: &clap::Error, as_json: bool) -> ! {
    if as_json && error.use_stderr() {
        print_json(&ErrorLine::usage(error));
        std::process::exit(i32::from(WRONG_USAGE));
    }
    error.exit();
}

fn code(error: &anyhow::Error) -> u8 {
    if let Some(Shown(shown)) = error.downcast_ref() {
        return code(shown);
    }
    if error.is::<Unusable>() {
        return WRONG_USAGE;
    }
    if error.is::<Disputed>() {
        return DISPUTED;
    }
    if error.is::<Stale>() {
        return STALE;
    }
    match cause(error) {
        None | Some(Error::Setup(_) | Error::Address { .. }) => FAILED,
        Some(Error::Refused(_)) => REFUSED,
        Some(_) => UNANSWERED,
    }
}

/// An error with its causes and with what to do about it.
fn said(error: &anyhow::Error) -> String {
    match cause::<Error>(error) {
        Some(cause) => format!("{error:#}; {}", advice(cause)),
        None => format!("{error:#}"),
    }
}

/// The first cause of an error that has this type.
fn cause<T: std::error::Error + 'static>(error: &anyhow::Error) -> Option<&T> {
    error.chain().find_map(|cause| cause.downcast_ref())
}

fn is_closed_pipe(error: &(dyn std::error::Error + 'static)) -> bool {
    error.downcast_ref::<io::Error>().is_some_and(|error| error.kind() == io::ErrorKind::BrokenPipe)
}
