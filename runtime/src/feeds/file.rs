//! The feed file: what is kept fresh.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use quorate_core::coordinator::Config;
use quorate_core::feed::{Definition, DefinitionError, FeedName, MAX_FEEDS};
use quorate_core::query::Query;
use rust_decimal::Decimal;
use serde::Deserialize;
use toml::Spanned;

use crate::config_file::{self, FileError, Problem, Text};
use crate::policies::entry::{Scalar, with_policy_fields, written};
use crate::policies::fields;

/// The share of the heartbeat after which a feed with a deviation is asked again, if the file does not say.
const INTERVALS: u32 = 10;
/// The shortest interval that a feed has without being told.
const LEAST_INTERVAL: Duration = Duration::from_secs(1);

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Document {
    #[serde(default)]
    feed: Vec<Spanned<Entry>>,
}

with_policy_fields! {
    /// One `[[feed]]`, as written.
    struct Entry {
        name: Spanned<String>,
        query: Spanned<String>,
        heartbeat: Spanned<String>,
        deviation: Option<Spanned<Scalar>>,
        min_interval: Option<Spanned<String>>,
        max_staleness: Option<Spanned<String>>,
    }
}

/// Reads a feed file and checks it as a whole. What a feed does not set is taken from the policy of its query in `config`,
/// when a round is asked.
///
/// # Errors
/// [`FileError`].
pub fn read(path: &Path, config: &Config) -> Result<Vec<Arc<Definition>>, FileError> {
    let (file, text) = config_file::read("feed", path)?;
    parse(&file, &text, config)
}

/// Checks the text of a feed file; `file` names it in errors.
///
/// # Errors
/// [`FileError::Wrong`].
pub fn parse(file: &str, text: &str, config: &Config) -> Result<Vec<Arc<Definition>>, FileError> {
    let text = Text { file, text };
    let document: Document = text.parse()?;
    let (mut feeds, mut names) = (Vec::new(), BTreeSet::new());
    for entry in &document.feed {
        if feeds.len() == MAX_FEEDS {
            return Err(text.wrong((entry.span(), format!("a file has at most {MAX_FEEDS} feeds"))));
        }
        let feed = check(entry, text.text, config).map_err(|problem| text.wrong(problem))?;
        if !names.insert(feed.name.clone()) {
            let problem = "an earlier feed has the same name: choose another one".to_owned();
            return Err(text.wrong((entry.get_ref().name.span(), problem)));
        }
        feeds.push(feed.into());
    }
    Ok(feeds)
}

fn check(entry: &Spanned<Entry>, text: &str, config: &Config) -> Result<Definition, Problem> {
    let (whole, entry) = (entry.span(), entry.get_ref());
    let wrong = |field: &Spanned<String>, why: String| (field.span(), why);
    let name = FeedName::new(entry.name.get_ref()).map_err(|error| wrong(&entry.name, error.to_string()))?;
    let query = Query::new(entry.query.get_ref()).map_err(|error| wrong(&entry.query, error.to_string()))?;
    let heartbeat = time("heartbeat", &entry.heartbeat)?;
    let deviation = entry.deviation.as_ref().map(|deviation| fraction(deviation, text)).transpose()?;
    let usual = match deviation {
        Some(_) => (heartbeat / INTERVALS).max(LEAST_INTERVAL).min(heartbeat),
        None => heartbeat,
    };
    let min_interval = entry.min_interval.as_ref().map(|time_| time("min_interval", time_)).transpose()?;
    let max_staleness = entry.max_staleness.as_ref().map(|time_| time("max_staleness", time_)).transpose()?;
    let fields = entry.policy_fields();
    let overrides = fields.overrides(text)?;
    config
        .policy_of(&query)
        .with(&overrides, &config.limits)
        .map_err(|error| (fields.place(error).unwrap_or(whole.clone()), error.to_string()))?;
    let definition = Definition {
        min_interval: min_interval.unwrap_or(usual),
        max_staleness: max_staleness.unwrap_or(heartbeat.saturating_mul(2)),
        overrides,
        deviation,
        ..Definition::new(name, query, heartbeat)
    };
    definition.check().map_err(|error| {
        let span = match error {
            DefinitionError::Heartbeat => Some(entry.heartbeat.span()),
            DefinitionError::Deviation => entry.deviation.as_ref().map(Spanned::span),
            DefinitionError::MinInterval => entry.min_interval.as_ref().map(Spanned::span),
            DefinitionError::MaxStaleness => entry.max_staleness.as_ref().map(Spanned::span),
        };
        (span.unwrap_or(whole), error.to_string())
    })?;
    Ok(definition)
}

fn fraction(field: &Spanned<Scalar>, text: &str) -> Result<Decimal, Problem> {
    fields::decimal(&written(field, text))
        .ok_or_else(|| (field.span(), "deviation must be a decimal fraction such as 0.005".to_owned()))
}

fn time(name: &str, field: &Spanned<String>) -> Result<Duration, Problem> {
    humantime::parse_duration(field.get_ref()).map_err(|_| {
        (field.span(), format!("{name} must be a time with its unit, such as \"500ms\", \"10s\" or \"1h\""))
    })
}

#[cfg(test)]
mod tests {
    use quorate_core::aggregate::Strategy;
    use quorate_core::policy::Overrides;

    use super::*;

    fn parsed(text: &str) -> Result<Vec<Definition>, String> {
        let feeds = parse("f.toml", text, &Config::default()).map_err(|error| error.to_string())?;
        Ok(feeds.iter().map(|feed| feed.as_ref().clone()).collect())
    }

    #[test]
    fn a_feed_has_what_it_sets_and_the_rest_follows_from_its_heartbeat() {
        let text = r#"
            [[feed]]
            name = "BTC-USD"
            query = "BTC/USD"
            heartbeat = "10s"
            deviation = "0.005"
            strategy = "median"
            min_responses = 3
            timeout_ms = 800

            [[feed]]
            name = "block"
            query = "eth block"
            heartbeat = "1h"
            deviation = 0.0000000000000000000000000001
            min_interval = "500ms"
            max_staleness = "2h 30m"

            [[feed]]
            name = "label"
            query = "label"
            heartbeat = "1s"
        "#;
        let feeds = parsed(text).expect("a good file");
        let named = |name: &str, query: &str, heartbeat| {
            let (name, query) = (FeedName::new(name).expect("a name"), Query::new(query).expect("a query"));
            Definition::new(name, query, Duration::from_secs(heartbeat))
        };
        let btc = Definition {
            deviation: Some(Decimal::new(5, 3)),
            min_interval: Duration::from_secs(1),
            overrides: Overrides {
                strategy: Some(Strategy::Median),
                min_responses: Some(3),
                timeout: Some(Duration::from_millis(800)),
                ..Overrides::default()
            },
            ..named("BTC-USD", "BTC/USD", 10)
        };
        let block = Definition {
            deviation: Some(Decimal::new(1, 28)),
            min_interval: Duration::from_millis(500),
            max_staleness: Duration::from_mins(150),
            ..named("block", "eth block", 3600)
        };
        assert_eq!(feeds, [btc, block, named("label", "label", 1)]);
        assert_eq!(parsed(""), Ok(Vec::new()));
    }

    #[test]
    fn a_wrong_file_is_refused_with_its_place_and_what_would_be_right() {
        let feed = |more: &str| format!("[[feed]]\nname = \"a\"\nquery = \"q\"\nheartbeat = \"10s\"\n{more}\n");
        for (text, place, says) in [
            (feed("") + &feed(""), "7:8", "an earlier feed has the same name"),
            ("[[feed]]\nname = \"a\"\nquery = \"q\"\n".to_owned(), "1:1", "missing field `heartbeat`"),
            (feed("").replace("\"a\"", "\"a/b\""), "2:8", "letters, digits, - and _"),
            (feed("").replace("\"q\"", "\"\""), "3:9", "query must not be empty"),
            (feed("").replace("10s", "10"), "4:13", "such as \"500ms\""),
            (feed("").replace("10s", "10ms"), "4:13", "heartbeat must be between"),
            (feed("deviation = \"-0.1\""), "5:13", "deviation must not be negative"),
            (feed("deviation = \"much\""), "5:13", "deviation must be a decimal fraction"),
            (feed("min_interval = \"11s\""), "5:16", "min_interval must be between"),
            (feed("max_staleness = \"9s\""), "5:17", "max_staleness must be at least"),
            (feed("quorum = 0"), "5:10", "quorum must be between"),
            (feed("timeout_ms = 60001"), "5:14", "timeout_ms must be between"),
            (feed("strategy = \"mode\""), "5:12", "strategy must be one of"),
            (feed("heartbeet = 1"), "5:1", "unknown field `heartbeet`"),
            ("[[feeds]]\n".to_owned(), "1:3", "unknown field `feeds`"),
        ] {
            let refusal = parsed(&text).expect_err(says);
            assert!(refusal.starts_with(&format!("f.toml:{place}: ")) && refusal.contains(says), "{refusal}");
        }
    }
}
