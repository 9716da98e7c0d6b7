//! One entry of a source file: as written, and as checked.

use std::collections::BTreeMap;
use std::ops::Range;
use std::time::Duration;

use serde::Deserialize;
use toml::Spanned;

use super::{AgeFrom, CommandConfig, HttpConfig, Pointer, ReadAs, SourceKind, UrlTemplate};
use crate::config_file::Problem;

const DEFAULT_TIMEOUT_MS: u64 = 5_000;
const MAX_TIMEOUT_MS: u64 = 3_600_000;
const DEFAULT_MAX_BYTES: u64 = 64 * 1024;
const MAX_MAX_BYTES: u64 = 16 * 1024 * 1024;

/// One `[[source]]`, as written.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Entry {
    worker: Option<String>,
    pub(super) query: Spanned<String>,
    kind: SourceKind,
    url: Option<Spanned<String>>,
    pointer: Option<Spanned<String>>,
    #[serde(rename = "as")]
    read_as: Option<Spanned<ReadAs>>,
    headers: Option<Spanned<BTreeMap<String, String>>>,
    observed_at: Option<Spanned<String>>,
    age_from_headers: Option<Spanned<bool>>,
    argv: Option<Spanned<Vec<String>>>,
    timeout_ms: Option<Spanned<u64>>,
    max_bytes: Option<Spanned<u64>>,
}

/// An entry that has been checked.
#[derive(Clone, Debug)]
pub(super) struct Checked {
    /// The only worker it is for; `None` if it is for all.
    pub(super) worker: Option<String>,
    pub(super) query: String,
    pub(super) ask: Ask,
}

/// What an entry queries.
#[derive(Clone, Debug)]
pub(super) enum Ask {
    Http(HttpConfig),
    Command(CommandConfig),
}

impl Ask {
    pub(super) fn kind(&self) -> SourceKind {
        match self {
            Self::Http(_) => SourceKind::Http,
            Self::Command(_) => SourceKind::Command,
        }
    }
}

/// Checks an entry by its kind.
pub(super) fn check(entry: &Spanned<Entry>) -> Result<Checked, Problem> {
    let (whole, entry) = (entry.span(), entry.get_ref());
    if entry.query.get_ref().is_empty() {
        return Err((entry.query.span(), "query is empty: write a query, or \"*\" for any".into()));
    }
    let timeout_ms = within(entry.timeout_ms.as_ref(), "timeout_ms", DEFAULT_TIMEOUT_MS, MAX_TIMEOUT_MS)?;
    let max_bytes = within(entry.max_bytes.as_ref(), "max_bytes", DEFAULT_MAX_BYTES, MAX_MAX_BYTES)?;
    let timeout = Duration::from_millis(timeout_ms);
    let max_bytes = usize::try_from(max_bytes).unwrap_or(usize::MAX);
    let ask = match entry.kind {
        SourceKind::Http => Ask::Http(http(entry, &whole, timeout, max_bytes)?),
        SourceKind::Command => Ask::Command(command(entry, &whole, timeout, max_bytes)?),
    };
    Ok(Checked { worker: entry.worker.clone(), query: entry.query.get_ref().clone(), ask })
}

fn http(entry: &Entry, whole: &Range<usize>, timeout: Duration, max_bytes: usize) -> Result<HttpConfig, Problem> {
    foreign(entry.argv.as_ref(), "argv", SourceKind::Http)?;
    let url = needed(entry.url.as_ref(), whole, "url = \"https://...\"", SourceKind::Http)?;
    let pointer = needed(entry.pointer.as_ref(), whole, "pointer = \"/...\"", SourceKind::Http)?;
    let headers = match &entry.headers {
        None => HttpConfig::headers_from([]),
        Some(headers) => {
            HttpConfig::headers_from(headers.get_ref().iter().map(|(name, value)| (name.as_str(), value.as_str())))
        }
    };
    Ok(HttpConfig {
        url: UrlTemplate::parse(url.get_ref()).map_err(|problem| (url.span(), format!("url: {problem}")))?,
        headers: headers.map_err(|problem| {
            (entry.headers.as_ref().map_or(whole.clone(), Spanned::span), format!("headers: {problem}"))
        })?,
        pointer: Pointer::parse(pointer.get_ref())
            .map_err(|problem| (pointer.span(), format!("pointer: {problem}")))?,
        read_as: entry.read_as.as_ref().map(|read_as| *read_as.get_ref()).unwrap_or_default(),
        age: age(entry)?,
        timeout,
        max_bytes,
    })
}

/// Where the age of the values is found.
fn age(entry: &Entry) -> Result<AgeFrom, Problem> {
    let headers = entry.age_from_headers.as_ref().filter(|headers| *headers.get_ref());
    match (&entry.observed_at, headers) {
        (None, None) => Ok(AgeFrom::Nowhere),
        (None, Some(_)) => Ok(AgeFrom::Headers),
        (Some(pointer), None) => Pointer::parse(pointer.get_ref())
            .map(AgeFrom::Body)
            .map_err(|problem| (pointer.span(), format!("observed_at: {problem}"))),
        (Some(_), Some(headers)) => {
            Err((headers.span(), "observed_at says where the time is: remove it, or age_from_headers".into()))
        }
    }
}

fn command(entry: &Entry, whole: &Range<usize>, timeout: Duration, max_bytes: usize) -> Result<CommandConfig, Problem> {
    foreign(entry.url.as_ref(), "url", SourceKind::Command)?;
    foreign(entry.pointer.as_ref(), "pointer", SourceKind::Command)?;
    foreign(entry.read_as.as_ref(), "as", SourceKind::Command)?;
    foreign(entry.headers.as_ref(), "headers", SourceKind::Command)?;
    foreign(entry.observed_at.as_ref(), "observed_at", SourceKind::Command)?;
    foreign(entry.age_from_headers.as_ref(), "age_from_headers", SourceKind::Command)?;
    let argv = needed(entry.argv.as_ref(), whole, "argv = [\"program\", \"argument\"]", SourceKind::Command)?;
    match argv.get_ref().as_slice() {
        [program, arguments @ ..] if !program.is_empty() => {
            Ok(CommandConfig { program: program.clone(), args: arguments.to_vec(), timeout, max_bytes })
        }
        _ => Err((argv.span(), "argv has no program: write argv = [\"program\", \"argument\"]".into())),
    }
}

fn needed<'a, T>(
    value: Option<&'a Spanned<T>>,
    whole: &Range<usize>,
    example: &str,
    kind: SourceKind,
) -> Result<&'a Spanned<T>, Problem> {
    value.ok_or_else(|| (whole.clone(), format!("kind = \"{kind}\" needs {example}")))
}

fn foreign<T>(value: Option<&Spanned<T>>, key: &str, kind: SourceKind) -> Result<(), Problem> {
    match value {
        Some(value) => Err((value.span(), format!("kind = \"{kind}\" has no {key}: remove it"))),
        None => Ok(()),
    }
}

fn within(value: Option<&Spanned<u64>>, key: &str, default: u64, most: u64) -> Result<u64, Problem> {
    match value {
        None => Ok(default),
        Some(value) if (1..=most).contains(value.get_ref()) => Ok(*value.get_ref()),
        Some(value) => Err((value.span(), format!("{key} must be between 1 and {most}"))),
    }
}
