//! The configuration of Prometheus and Grafana against a running coordinator: promtool accepts it, and every name in
//! the rules, the dashboard and the table of metrics is one that the coordinator exposes.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io::Write as _;
use std::process::{Command, Stdio};

use quorate_test_support::{Exposition, workspace};
use serde_json::{Value as Json, json};

use crate::support::{Cluster, QUICK, until};

const RULES: &str = "deploy/prometheus/rules.yml";
const RULES_TEST: &str = "deploy/prometheus/rules_test.yml";
const DASHBOARD: &str = "deploy/grafana/dashboards/quorate.json";
const DATASOURCE: &str = "deploy/grafana/provisioning/datasources/prometheus.yml";
/// The labels that Prometheus adds to every series.
const TARGET_LABELS: [&str; 2] = ["job", "instance"];

fn read(path: &str) -> String {
    fs::read_to_string(workspace(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// A scrape of a coordinator that has answered requests and reported a feed.
async fn scrape() -> (String, Exposition) {
    let feeds = feed_file();
    let cluster =
        Cluster::start(1, &["--store", "memory", "--feeds", feeds.path().to_str().expect("UTF-8")], &QUICK).await;
    cluster.api.answer("BTC/USD").await;
    until("a report", async || cluster.api.get("/feeds/BTC-USD").await.0 == 200).await;
    let text = cluster.api.metrics().await;
    let metrics = Exposition::parse(&text).unwrap_or_else(|wrong| panic!("{wrong} in {text}"));
    (text, metrics)
}

/// A feed file with one feed.
fn feed_file() -> tempfile::NamedTempFile {
    let file = tempfile::NamedTempFile::new().expect("a file");
    fs::write(file.path(), "[[feed]]\nname = \"BTC-USD\"\nquery = \"BTC/USD\"\nheartbeat = \"1s\"\n").expect("written");
    file
}

#[tokio::test]
async fn a_coordinator_without_a_store_shows_nothing_of_feeds_durable_requests_and_stores() {
    let cluster = Cluster::start(0, &[], &[]).await;
    let text = cluster.api.metrics().await;
    let metrics = Exposition::parse(&text).unwrap_or_else(|wrong| panic!("{wrong} in {text}"));
    let of_stores = |name: &&String| ["feed", "durable", "store", "unrecorded"].iter().any(|part| name.contains(part));
    assert_eq!(metrics.families().keys().filter(of_stores).count(), 0, "{text}");
}

/// Runs promtool in the workspace. It must not complain.
fn promtool(arguments: &[&str], input: &str) {
    let found = Command::new(workspace("scripts/promtool.sh")).stderr(Stdio::inherit()).output().expect("bash");
    assert!(found.status.success(), "scripts/promtool.sh has printed what to do");
    let path = String::from_utf8(found.stdout).expect("a path");
    let mut command = Command::new(path.trim());
    command.args(arguments).current_dir(workspace("")).stdin(Stdio::piped());
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("promtool runs");
    let mut stdin = child.stdin.take().expect("it is piped");
    stdin.write_all(input.as_bytes()).expect("promtool reads");
    drop(stdin);
    let ended = child.wait_with_output().expect("it ends");
    let said = [ended.stdout, ended.stderr].concat();
    assert!(ended.status.success(), "promtool {arguments:?}: {}", String::from_utf8_lossy(&said));
}

#[tokio::test]
async fn promtool_accepts_a_scrape() {
    let (text, _) = scrape().await;
    promtool(&["check", "metrics"], &text);
}

#[test]
fn promtool_accepts_the_configuration_and_the_rules_and_their_tests_pass() {
    promtool(&["check", "config", "deploy/prometheus/prometheus.yml"], "");
    promtool(&["check", "rules", RULES], "");
    promtool(&["test", "rules", RULES_TEST], "");
}

/// All texts in a JSON value.
fn texts(value: &Json) -> Vec<&str> {
    match value {
        Json::String(text) => vec![text],
        Json::Array(values) => values.iter().flat_map(texts).collect(),
        Json::Object(fields) => fields.values().flat_map(texts).collect(),
        _ => Vec::new(),
    }
}

/// All values of a field in a JSON value, at any depth.
fn fields<'a>(value: &'a Json, name: &str) -> Vec<&'a Json> {
    match value {
        Json::Array(values) => values.iter().flat_map(|value| fields(value, name)).collect(),
        Json::Object(object) => {
            object.get(name).into_iter().chain(object.values().flat_map(|value| fields(value, name))).collect()
        }
        _ => Vec::new(),
    }
}

fn dashboard() -> Json {
    serde_json::from_str(&read(DASHBOARD)).expect("JSON")
}

#[test]
fn every_expression_of_the_dashboard_is_one() {
    let dashboard = dashboard();
    let expressions: Vec<&str> = fields(&dashboard, "expr").into_iter().filter_map(Json::as_str).collect();
    assert!(expressions.len() > 20, "{expressions:?}");
    // Written as recording rules, which promtool can check. JSON is YAML.
    let rules: Vec<_> = expressions
        .iter()
        .enumerate()
        .map(|(n, expression)| {
            json!({"record": format!("dashboard:{n}"), "expr": expression.replace("$__rate_interval", "1m")})
        })
        .collect();
    let file = tempfile::NamedTempFile::new().expect("a file");
    fs::write(file.path(), json!({"groups": [{"name": "dashboard", "rules": rules}]}).to_string()).expect("written");
    promtool(&["check", "rules", file.path().to_str().expect("UTF-8")], "");
}

/// Every mention of one of our metrics: its name, and its label matchers.
fn mentions(text: &str) -> Vec<(&str, Vec<(&str, &str)>)> {
    let is_name = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == ':';
    let mut mentions = Vec::new();
    let mut rest = text;
    while let Some(start) = rest.find(is_name) {
        let length = rest[start..].find(|c| !is_name(c)).unwrap_or(rest.len() - start);
        let name = &rest[start..start + length];
        rest = &rest[start + length..];
        if name.starts_with("quorate_") || name.starts_with("process_") || name.contains(":quorate_") {
            let selector =
                rest.strip_prefix('{').and_then(|rest| rest.split_once('}')).map_or("", |(inside, _)| inside);
            mentions.push((name, matchers(selector)));
        }
    }
    mentions
}

/// The labels in a selector, each with its value.
fn matchers(selector: &str) -> Vec<(&str, &str)> {
    let mut parts = selector.split('"');
    let mut matchers = Vec::new();
    while let (Some(label), Some(text)) = (parts.next(), parts.next()) {
        matchers.push((label.trim_matches([',', ' ', '=', '!', '~']), text));
    }
    matchers
}

/// Checks that a text mentions only metrics, labels and values of labels that exist.
fn check_mentions(file: &str, text: &str, metrics: &Exposition, recorded: &BTreeSet<&str>) {
    let mentions = mentions(text);
    assert!(mentions.len() > 5, "{file}: {mentions:?}");
    for (name, matchers) in mentions {
        let samples: Vec<_> = metrics.samples().filter(|sample| sample.name == name).collect();
        assert!(!samples.is_empty() || recorded.contains(name), "{file}: there is no {name}");
        for (label, text) in matchers {
            if TARGET_LABELS.contains(&label) {
                continue;
            }
            // A recorded series has the labels of the series that it is computed from.
            let of_metric = metrics.samples().filter(|sample| samples.is_empty() || sample.name == name);
            let values: BTreeSet<_> = of_metric.filter_map(|sample| sample.labels.get(label)).collect();
            for alternative in text.split('|') {
                let fits = values.iter().any(|value| *value == alternative);
                assert!(fits, "{file}: {name} has no {label} {alternative:?}, but {values:?}");
            }
        }
    }
}

/// The names after `key` in the lines of a YAML file.
fn named<'a>(text: &'a str, key: &str) -> BTreeSet<&'a str> {
    text.lines().filter_map(|line| line.trim().strip_prefix("- ")?.strip_prefix(key)).map(str::trim).collect()
}

#[tokio::test]
async fn the_rules_and_the_dashboard_name_only_what_a_coordinator_shows() {
    let (_, metrics) = scrape().await;
    let rules = read(RULES);
    let recorded = named(&rules, "record:");
    assert!(recorded.len() > 5, "{recorded:?}");
    check_mentions(RULES, &rules, &metrics, &recorded);
    check_mentions(RULES_TEST, &read(RULES_TEST), &metrics, &recorded);
    let dashboard = dashboard();
    let expressions = texts(&dashboard).join("\n");
    check_mentions(DASHBOARD, &expressions, &metrics, &recorded);
    // And the dashboard shows every metric.
    for name in metrics.families().keys() {
        assert!(expressions.contains(name.as_str()), "the dashboard does not show {name}");
    }
}

#[tokio::test]
async fn the_table_of_metrics_is_what_a_coordinator_shows() {
    let (_, metrics) = scrape().await;
    let operations = read("docs/operations.md");
    let (_, sections) = operations.split_once("\n## Metrics\n").expect("there is such a section");
    let (section, alerts) = sections.split_once("\n## Alerts\n").expect("there is such a section");
    let quoted = |cell: &str| cell.split('`').skip(1).step_by(2).map(str::to_owned).collect::<BTreeSet<_>>();
    let mut table = BTreeMap::new();
    for row in section.lines().filter(|line| line.starts_with("| `")) {
        let cells: Vec<&str> = row.split('|').map(str::trim).collect();
        let name = quoted(cells[1]).pop_first().expect("a name");
        assert!(table.insert(name, (cells[2].to_owned(), quoted(cells[3]))).is_none(), "{row}");
    }
    let shown: BTreeMap<_, _> = metrics
        .families()
        .iter()
        .map(|(name, family)| {
            let labels = family.labels().into_iter().map(str::to_owned).collect();
            (name.clone(), (family.kind.clone(), labels))
        })
        .collect();
    assert_eq!(table, shown);
    let (alerts, _) = alerts.split_once("\n## ").expect("there is a section after it");
    check_mentions("docs/operations.md", alerts, &metrics, &BTreeSet::new());
}

#[test]
fn every_alert_is_tested_and_says_what_to_do() {
    let (rules, tests) = (read(RULES), read(RULES_TEST));
    let operations = read("docs/operations.md");
    let (_, section) = operations.split_once("\n## Alerts\n").expect("there is such a section");
    let section = section.split("\n## ").next().expect("a split has a first part");
    let headings: BTreeSet<_> = section.lines().filter_map(|line| line.strip_prefix("### ")).collect();
    let alerts = named(&rules, "alert:");
    assert_eq!(alerts, headings);
    for alert in alerts {
        let (_, rule) = rules.split_once(&format!("alert: {alert}\n")).expect("the alert was found there");
        let rule = rule.split("- alert:").next().expect("a split has a first part");
        let link = format!("/docs/operations.md#{}\n", alert.to_lowercase());
        for part in ["severity: ", "summary: ", "description: ", &link] {
            assert!(rule.contains(part), "{alert} has no {part}");
        }
        let silent = format!("alertname: {alert}, exp_alerts: []");
        let fires = format!("alertname: {alert}\n        exp_alerts:\n          - exp_labels");
        assert!(tests.contains(&silent) && tests.contains(&fires), "{alert} is not tested");
    }
}

#[test]
fn the_dashboard_has_units_and_takes_its_numbers_from_the_source_that_is_provisioned() {
    let dashboard = dashboard();
    let panels = dashboard["panels"].as_array().expect("a list");
    let rows: Vec<_> = panels.iter().filter(|panel| panel["type"] == "row").collect();
    assert_eq!(rows.len(), 7);
    for panel in panels.iter().filter(|panel| panel["type"] != "row") {
        let title = &panel["title"];
        assert!(panel["fieldConfig"]["defaults"]["unit"].is_string(), "{title} has no unit");
        assert!(panel["description"].as_str().is_some_and(|text| !text.is_empty()), "{title} is not described");
        let (place, right) = (&panel["gridPos"], 24);
        let end = place["x"].as_u64().zip(place["w"].as_u64()).map(|(x, width)| x + width);
        assert!(end.is_some_and(|end| end <= right), "{title} does not fit: {place}");
    }
    let ids: BTreeSet<_> = panels.iter().map(|panel| panel["id"].as_u64().expect("a number")).collect();
    assert_eq!(ids.len(), panels.len());
    for source in fields(&dashboard, "datasource") {
        assert_eq!(source["uid"], "${datasource}");
    }
    let variables = dashboard["templating"]["list"].as_array().expect("a list");
    let chosen = variables.iter().find(|variable| variable["name"] == "datasource").expect("there is one");
    let provisioned = format!("uid: {}\n", chosen["current"]["value"].as_str().expect("a uid"));
    assert!(read(DATASOURCE).contains(&provisioned), "{provisioned}");
}
