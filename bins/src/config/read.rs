//! Reads the configuration file and checks all of it. Each error names the place and what would be right.

use std::fs;
use std::ops::Range;
use std::path::Path;

use clap::ValueEnum as _;
use quorate_runtime::config_file::line_and_column;
use toml_edit::{Document, Item, TableLike};

use super::{Config, Output, Settings};
use crate::args::server_url;

/// The keys of a context, which are also keys of the file itself, except for the description.
const SETTINGS: [&str; 3] = ["url", "output", "description"];
/// The keys of the file.
const KEYS: [&str; 4] = ["context", "url", "output", "contexts"];
/// How similar a word has to be to one that is known, from 0 to 1, to be suggested: so that one transposition in three
/// letters is found.
const SIMILAR: f64 = 0.65;

/// Why the configuration cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ConfigError {
    /// The file cannot be read.
    #[error("cannot read the configuration file {file}: {reason}")]
    Unreadable {
        /// The file.
        file: String,
        /// The operating system's reason.
        reason: String,
    },
    /// The file is wrong at one place: correct it there.
    #[error("{file}:{line}:{column}: {problem}")]
    Wrong {
        /// The file.
        file: String,
        /// The line, counted from 1.
        line: usize,
        /// The character in the line, counted from 1.
        column: usize,
        /// What is wrong, and what would be right.
        problem: String,
    },
    /// The user names a context that there is not.
    #[error("there is no context {name}{hint}; list the contexts with: quorate context ls")]
    UnknownContext {
        /// The name.
        name: String,
        /// The one that was perhaps meant.
        hint: String,
    },
    /// The environment names no place for the file.
    #[error("there is no place for the configuration file: set HOME, XDG_CONFIG_HOME or QUORATE_CLI_CONFIG")]
    NoPlace,
}

/// The bytes of the file that are wrong, and what is wrong with them.
type Problem = (Range<usize>, String);

/// Reads the file at `path`.
pub(super) fn read(path: &Path) -> Result<Config, ConfigError> {
    let file = path.display().to_string();
    let text = match fs::read_to_string(path) {
        Ok(text) => text,
        Err(error) => return Err(ConfigError::Unreadable { file, reason: error.to_string() }),
    };
    parse(&text).map_err(|(span, problem)| {
        let (line, column) = line_and_column(&text, span.start);
        ConfigError::Wrong { file, line, column, problem }
    })
}

fn parse(text: &str) -> Result<Config, Problem> {
    let document =
        Document::parse(text).map_err(|error| (error.span().unwrap_or(0..0), error.message().replace('\n', ", ")))?;
    let root = document.as_table();
    known(root, &KEYS)?;
    let mut config = Config { defaults: settings(root)?, ..Config::default() };
    for (name, item) in
        root.get("contexts").map(|item| table(item, "contexts")).transpose()?.into_iter().flat_map(TableLike::iter)
    {
        check_name(name).map_err(|problem| (span(item), problem))?;
        let context = table(item, name)?;
        known(context, &SETTINGS)?;
        config.contexts.insert(name.to_owned(), settings(context)?);
    }
    if let Some(item) = root.get("context") {
        let name = string(item, "context")?;
        if !config.contexts.contains_key(name) {
            let hint = hint(name, config.contexts.keys().map(String::as_str));
            return Err((span(item), format!("there is no context {name}{hint}")));
        }
        config.selected = Some(name.to_owned());
    }
    Ok(config)
}

fn settings(table: &dyn TableLike) -> Result<Settings, Problem> {
    let mut settings = Settings::default();
    if let Some(item) = table.get("url") {
        let url = server_url(string(item, "url")?);
        settings.url = Some(url.map_err(|problem| (span(item), format!("url: {problem}")))?);
    }
    if let Some(item) = table.get("output") {
        let output = Output::from_str(string(item, "output")?, false);
        settings.output = Some(output.map_err(|_| (span(item), "output must be \"text\" or \"json\"".to_owned()))?);
    }
    settings.description =
        table.get("description").map(|item| string(item, "description")).transpose()?.map(str::to_owned);
    Ok(settings)
}

/// Refuses a key that is not among these, and names the nearest.
fn known(table: &dyn TableLike, keys: &[&str]) -> Result<(), Problem> {
    let Some((key, item)) = table.iter().find(|(key, _)| !keys.contains(key)) else { return Ok(()) };
    let at = table.key(key).and_then(toml_edit::Key::span).unwrap_or_else(|| span(item));
    Err((at, format!("unknown key {key}{}; the keys are: {}", hint(key, keys.iter().copied()), keys.join(", "))))
}

/// Whether a context can have this name.
pub(super) fn check_name(name: &str) -> Result<(), String> {
    let is_plain = |character: char| character.is_ascii_alphanumeric() || matches!(character, '-' | '_' | '.');
    if name.is_empty() || !name.chars().all(is_plain) {
        return Err("the name of a context has only letters, digits, and the characters - _ .".to_owned());
    }
    Ok(())
}

/// A question about the nearest of the words that are known, if one is near.
pub(super) fn hint<'a>(word: &str, known: impl Iterator<Item = &'a str>) -> String {
    // The one measure knows transpositions, the other one abbreviations.
    let near = |known| strsim::normalized_damerau_levenshtein(word, known).max(strsim::jaro_winkler(word, known));
    let ranked = known.map(|known| (near(known), known)).filter(|(near, _)| *near >= SIMILAR);
    let nearest = ranked.max_by(|(a, _), (b, _)| a.total_cmp(b));
    nearest.map(|(_, nearest)| format!("; did you mean {nearest}?")).unwrap_or_default()
}

fn table<'a>(item: &'a Item, name: &str) -> Result<&'a dyn TableLike, Problem> {
    item.as_table_like().ok_or_else(|| (span(item), format!("{name} must be a table")))
}

fn string<'a>(item: &'a Item, name: &str) -> Result<&'a str, Problem> {
    item.as_str().ok_or_else(|| (span(item), format!("{name} must be a text")))
}

fn span(item: &Item) -> Range<usize> {
    item.span().unwrap_or(0..0)
}

#[cfg(test)]
mod tests {
    use super::*;

    const FILE: &str = "context = \"staging\"\nurl = \"http://localhost:9000\"\n\n[contexts.staging]\n\
                        url = \"https://staging.example\"\noutput = \"json\"\n\n[contexts.local]\ndescription = \"here\"\n";

    #[test]
    fn a_context_takes_precedence_over_the_defaults() {
        let config = parse(FILE).expect("valid");
        let url = |context| config.settings(context).expect("it exists").url.map(|url| url.to_string());
        assert_eq!(url(None).as_deref(), Some("https://staging.example/"));
        assert_eq!(url(Some("local")).as_deref(), Some("http://localhost:9000/"));
        assert_eq!(config.settings(None).expect("it exists").output, Some(Output::Json));
        assert_eq!(config.settings(Some("local")).expect("it exists").output, None);
        let error = config.settings(Some("stagin")).expect_err("there is none").to_string();
        assert_eq!(
            error,
            "there is no context stagin; did you mean staging?; list the contexts with: quorate context ls"
        );
        assert_eq!(parse("").expect("valid").settings(None), Ok(Settings::default()));
    }

    #[test]
    fn whatever_is_wrong_is_named_with_its_place() {
        for (text, at, problem) in [
            (
                "ulr = \"http://localhost\"",
                0,
                "unknown key ulr; did you mean url?; the keys are: context, url, output, contexts",
            ),
            ("url = \"localhost:8080\"", 6, "url: expected an address such as http://localhost:8080"),
            ("output = \"yaml\"", 9, "output must be \"text\" or \"json\""),
            ("url = 5", 6, "url must be a text"),
            ("contexts = 5", 11, "contexts must be a table"),
            ("[contexts]\na = 1", 15, "a must be a table"),
            (
                "[contexts.a]\ndescriptoin = \"\"",
                13,
                "unknown key descriptoin; did you mean description?; the keys are: url, \
                                                      output, description",
            ),
            ("context = \"prod\"\n[contexts.production]", 10, "there is no context prod; did you mean production?"),
            (
                "contexts.\"a b\".url = \"http://h\"",
                9,
                "the name of a context has only letters, digits, and the characters - _ .",
            ),
        ] {
            let (span, said) = parse(text).expect_err(text);
            assert_eq!((span.start, said.as_str()), (at, problem), "{text}");
        }
        assert!(parse("url = ").expect_err("no TOML").1.contains("string"));
    }
}
