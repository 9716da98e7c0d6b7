//! Source files: which source a worker uses for a query, and how a wrong file is refused.

use std::time::Duration;

use quorate_core::offer::Offer;
use quorate_core::value::Value;
use quorate_runtime::clock::Clock;
use quorate_runtime::config_file::FileError;
use quorate_runtime::source::{
    AnySource, ConfigError, Reading, SimulatedConfig, Source, SourceError, SourceFile, SourceKind,
};

const LONG: Duration = Duration::from_secs(30);

#[test]
fn a_wrong_file_is_refused_with_its_place_and_what_to_do() {
    let head = "[[source]]\nquery = \"q\"\nkind = \"http\"\n";
    let http = format!("{head}url = \"https://x.example/\"\npointer = \"\"\n");
    let command = "[[source]]\nquery = \"q\"\nkind = \"command\"\n";
    for (text, line, column, says) in [
        (String::new(), 1, 1, "missing field `source`"),
        ("source = 1".into(), 1, 10, "invalid type"),
        ("[[source]\n".into(), 1, 10, ""),
        ("[[sources]]\n".into(), 1, 3, "unknown field `sources`"),
        (format!("{http}poiner = 1\n"), 6, 1, "unknown field `poiner`"),
        ("[[source]]\nquery = \"q\"\nkind = \"ftp\"\n".into(), 3, 8, "unknown variant `ftp`"),
        ("[[source]]\nkind = \"http\"\n".into(), 1, 1, "missing field `query`"),
        (http.replace("\"q\"", "\"\""), 2, 9, "query is empty"),
        (head.into(), 1, 1, "needs url"),
        (format!("{head}url = \"https://x.example/\"\n"), 1, 1, "needs pointer"),
        (http.replace("https:", "ftp:"), 4, 7, "must begin with"),
        (http.replace("x.example", "{base}.example"), 4, 7, "after the host"),
        (http.replace("pointer = \"\"", "pointer = \"é\""), 5, 11, "write \"/é\""),
        (format!("{http}as = \"float\"\n"), 6, 6, "unknown variant `float`"),
        (format!("{http}timeout_ms = 0\n"), 6, 14, "between 1 and 3600000"),
        (format!("{http}timeout_ms = -1\n"), 6, 14, "invalid value"),
        (format!("{http}max_bytes = 99999999\n"), 6, 13, "between 1 and 16777216"),
        (format!("{http}headers = {{ \"a b\" = \"c\" }}\n"), 6, 11, "\"a b\" is not a header name"),
        (format!("{http}headers = {{ a = \"c\\nd\" }}\n"), 6, 11, "the value of \"a\""),
        (format!("{http}argv = [\"x\"]\n"), 6, 8, "has no argv"),
        (format!("{http}observed_at = \"t\"\n"), 6, 15, "observed_at: a JSON Pointer"),
        (format!("{http}observed_at = \"/t\"\nage_from_headers = true\n"), 7, 20, "remove it, or age_from_headers"),
        (format!("{http}age_from_headers = \"Age\"\n"), 6, 20, "invalid type"),
        (command.into(), 1, 1, "needs argv"),
        (format!("{command}argv = []\n"), 4, 8, "no program"),
        (format!("{command}argv = [\"x\"]\nurl = \"y\"\n"), 5, 7, "has no url"),
        (format!("{command}argv = [\"x\"]\nobserved_at = \"/t\"\n"), 5, 15, "has no observed_at"),
        (format!("{command}argv = [\"x\"]\nage_from_headers = true\n"), 5, 20, "has no age_from_headers"),
        (format!("{http}{http}"), 7, 9, "earlier entry"),
    ] {
        let error = SourceFile::parse("f.toml", &text).expect_err(says);
        let shown = error.to_string();
        assert!(shown.starts_with(&format!("f.toml:{line}:{column}: ")) && shown.contains(says), "{shown}\n{text}");
        assert!(!shown.contains('\n'), "{shown}");
    }
}

#[test]
fn a_file_that_is_not_there_is_named() {
    let path = std::path::Path::new("/nowhere/sources.toml");
    let error = AnySource::from_config(path, "w", SourceKind::Http, Clock::new()).expect_err("there is none");
    assert!(
        matches!(&error, ConfigError::File(FileError::Unreadable { file, .. }) if file == "/nowhere/sources.toml"),
        "{error}"
    );
}

#[test]
fn the_example_file_serves_its_workers_over_tls() {
    let path = std::path::Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../examples/sources.toml"));
    for worker in ["coinbase", "kraken", "bitstamp"] {
        match AnySource::from_config(path, worker, SourceKind::Http, Clock::new()) {
            // A host without CA certificates cannot query them, but says so.
            Ok(AnySource::Configured(_)) | Err(ConfigError::Tls(_)) => {}
            other => panic!("{worker}: {other:?}"),
        }
    }
    let error =
        AnySource::from_config(path, "coinbase", SourceKind::Command, Clock::new()).expect_err("only http").to_string();
    assert!(error.contains("no entry with kind = \"command\"") && error.contains("no worker"), "{error}");
}

#[test]
fn a_worker_offers_the_queries_of_its_own_entries() {
    let entry = |worker: &str, query: &str, kind: &str| {
        let asks = if kind == "http" { "url = \"http://x.example/\"\npointer = \"\"" } else { "argv = [\"x\"]" };
        format!("[[source]]\n{worker}\nquery = \"{query}\"\nkind = \"{kind}\"\n{asks}\n")
    };
    let (a, b) = ("worker = \"a\"", "worker = \"b\"");
    let offer = |text: &str, worker: &str, kind: SourceKind| {
        SourceFile::parse("f.toml", text).expect("valid").source_for(worker, kind, Clock::new())?.offer()
    };
    let some = |patterns: &[&str]| Offer::new(patterns.iter().copied()).expect("valid");
    let text = [
        entry(a, "BTC/USD", "command"),
        entry("", "BTC/USD", "command"),
        entry("", "*/EUR", "command"),
        entry(b, "*", "command"),
        entry("", "ETH/USD", "http"),
    ];
    let text = text.concat();
    assert_eq!(offer(&text, "a", SourceKind::Command), Ok(some(&["BTC/USD", "*/EUR"])));
    assert_eq!(offer(&text, "b", SourceKind::Command), Ok(Offer::default()), "one of its entries is for any query");
    assert_eq!(offer(&text, "a", SourceKind::Http), Ok(some(&["ETH/USD"])));
    let simulated = AnySource::simulated(&SimulatedConfig::default(), 1).expect("valid");
    assert_eq!(simulated.offer(), Ok(Offer::default()));

    let most: String = (0..256).map(|n| entry("", &format!("q{n}"), "command")).collect();
    // The repetition by an entry of its own does not count.
    let repeated = most.clone() + &entry(a, "q7", "command");
    assert_eq!(offer(&repeated, "a", SourceKind::Command).expect("valid").patterns().len(), 256);
    let beyond = most + &entry("", "x", "command");
    let error = offer(&beyond, "a", SourceKind::Command).expect_err("too many").to_string();
    let says = "a worker cannot offer the queries of its entries in f.toml: a worker offers at most 256 queries, of \
                16384 bytes together. Start the worker with --queries and a few patterns that cover them, such as */USD";
    assert_eq!(error, says);
    let anything = beyond + &entry("", "*", "command");
    assert_eq!(offer(&anything, "a", SourceKind::Command), Ok(Offer::default()));
}

#[cfg(unix)]
#[tokio::test]
async fn the_first_entry_that_fits_the_worker_and_the_query_answers() {
    let entry = |worker: &str, query: &str, answer: u32| {
        format!("[[source]]\n{worker}\nquery = \"{query}\"\nkind = \"command\"\nargv = [\"echo\", \"{answer}\"]\n")
    };
    let (a, b) = ("worker = \"a\"", "worker = \"b\"");
    let text = [entry(a, "x", 1), entry(b, "x", 2), entry("", "y*", 3), entry(a, "y1", 4), entry(a, "*", 5)].concat();
    let directory = tempfile::tempdir().expect("a directory");
    let path = directory.path().join("sources.toml");
    std::fs::write(&path, text).expect("written");
    for (worker, query, answer) in [
        ("a", "x", Some(1)),
        ("b", "x", Some(2)),
        ("c", "x", None),
        ("a", "y1", Some(3)),
        ("c", "y1", Some(3)),
        ("a", "z", Some(5)),
        ("b", "z", None),
    ] {
        let source = AnySource::from_config(&path, worker, SourceKind::Command, Clock::new()).expect(worker);
        let expected = answer
            .map(|answer: u32| Reading::from(Value::Number(answer.into())))
            .ok_or_else(|| SourceError::UnknownQuery(query.into()));
        assert_eq!(source.observe(query, LONG).await, expected, "{worker} {query}");
    }
}

#[tokio::test]
async fn a_simulated_source_answers_after_its_delay_and_alike_for_one_seed() {
    let (delay_min, delay_max) = (Duration::from_millis(20), Duration::from_millis(30));
    let config = SimulatedConfig { delay_min, delay_max, ..SimulatedConfig::default() };
    let mut runs = Vec::new();
    for seed in [1, 1, 2] {
        let source = AnySource::simulated(&config, seed).expect("valid");
        let mut answers = Vec::new();
        for query in ["BTC/USD", "ETH/USD", "BTC/USD", "X"] {
            let started = std::time::Instant::now();
            answers.push(source.observe(query, LONG).await);
            assert!(started.elapsed() >= delay_min);
        }
        runs.push(answers);
    }
    assert_eq!(runs[0], runs[1]);
    assert_ne!(runs[0], runs[2]);
}
