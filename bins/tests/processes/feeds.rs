//! `quorate feed` against `quorate dev --feeds`: the list, the last report, the history, and the rounds as they are recorded.

use std::fs;
use std::path::Path;

use rustix::process::Signal;
use serde_json::Value as Json;
use tempfile::TempDir;

use crate::support::{Api, Ended, Program, QUICK, QUORATE, done, parsed, run, until};

/// A coordinator with feeds and three workers, in one process.
struct Dev {
    program: Program,
    api: Api,
    folder: TempDir,
}

impl Dev {
    async fn start() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        write(folder.path(), 2);
        let file = folder.path().join("feeds.toml").display().to_string();
        let flags =
            [&["dev", "--listen", "127.0.0.1:0", "--read-rate-limit", "0", "--feeds", &file], &QUICK[..]].concat();
        let program = Program::start(QUORATE, &flags);
        let port = program.prints("Serving on http://localhost:").await;
        let port = port.strip_suffix(" until Ctrl-C.").expect("the sentence ends").to_owned();
        let dev = Self { program, api: Api::at(&format!("http://127.0.0.1:{port}")), folder };
        until("a report", async || dev.list().await["feeds"][0]["round"].is_u64()).await;
        dev
    }

    async fn list(&self) -> Json {
        self.api.get("/feeds").await.1
    }

    /// The flags of a command that asks this coordinator.
    fn flags<'a>(&'a self, command: &[&'a str]) -> Vec<&'a str> {
        [&["feed"], command, &["--url", &self.api.url]].concat()
    }

    async fn done(&self, command: &[&str]) -> String {
        done(QUORATE, &self.flags(command)).await
    }

    async fn run(&self, command: &[&str]) -> Ended {
        run(QUORATE, &self.flags(command)).await
    }
}

/// A feed that is answered if three workers suffice, and one that never is.
fn write(folder: &Path, min_responses: u32) {
    let feed = |name: &str, query: &str, min_responses: u32| {
        format!(
            "[[feed]]\nname = \"{name}\"\nquery = \"{query}\"\nheartbeat = \"200ms\"\nmin_responses = {min_responses}\n"
        )
    };
    let text = feed("fast", "BTC/USD", min_responses) + &feed("lame", "ETH/USD", 9);
    fs::write(folder.join("feeds.toml"), text).expect("written");
}

/// The rounds of records, one per line.
fn rounds(lines: &str) -> Vec<u64> {
    lines.lines().map(|line| parsed(line)["round"].as_u64().expect("a round")).collect()
}

#[tokio::test]
async fn feeds_are_listed_shown_and_watched() {
    let dev = Dev::start().await;
    let shown = dev.done(&["ls"]).await;
    let [head, fast, lame] = shown.lines().collect::<Vec<_>>()[..] else { panic!("three lines: {shown}") };
    assert!(head.contains("value") && fast.starts_with("  fast  BTC/USD  "), "{shown}");
    assert!(
        lame.contains("insufficient_responses, round ") && lame.ends_with("stale     200 ms          -"),
        "{shown}"
    );
    let listed = parsed(&dev.done(&["ls", "--json"]).await);
    assert_eq!((&listed["feeds"][0]["name"], &listed["feeds"][1]["value"]), (&"fast".into(), &Json::Null));

    let shown = dev.done(&["get", "fast"]).await;
    assert!(shown.starts_with("fast = ") && shown.contains("\n  reported by "), "{shown}");
    for worker in ["worker-1", "worker-2", "worker-3"] {
        assert!(shown.contains(&format!("\n  {worker} ")), "{shown}");
    }
    let latest = parsed(&dev.done(&["get", "fast", "--json"]).await);
    assert_eq!((&latest["feed"], &latest["outcome"]["query"]), (&"fast".into(), &"BTC/USD".into()));

    let watched = dev.done(&["watch", "fast", "--count", "3", "--json"]).await;
    let seen = rounds(&watched);
    assert_eq!(seen, (seen[0]..seen[0] + 3).collect::<Vec<_>>());
    let watch = Program::start(QUORATE, &dev.flags(&["watch"]));
    watch.prints("  insufficient_responses  not reported  ").await;
    watch.prints("  fast ").await;
    watch.signal(Signal::INT);
    let ended = watch.ended().await;
    assert_eq!(ended.code, Some(0), "{ended:?}");
}

#[tokio::test]
async fn the_history_is_the_newest_rounds_or_the_range_that_is_wanted() {
    let dev = Dev::start().await;
    until("five rounds", async || dev.list().await["feeds"][0]["newest_round"].as_u64() > Some(4)).await;
    let newest = rounds(&dev.done(&["history", "fast", "--limit", "3", "--json"]).await);
    assert!(newest.len() == 3 && newest[2] >= 5 && newest[0] + 2 == newest[2], "{newest:?}");
    assert_eq!(rounds(&dev.done(&["history", "fast", "--from", "2", "--to", "4", "--json"]).await), [2, 3, 4]);
    assert_eq!(rounds(&dev.done(&["history", "fast", "--from", "2", "--limit", "1", "--json"]).await), [2]);
    let all = rounds(&dev.done(&["history", "fast", "--from", "2026-01-01T00:00:00Z", "--json"]).await);
    assert_eq!(all, (1..=all.len() as u64).collect::<Vec<_>>());

    let shown = dev.done(&["history", "lame", "--to", "2"]).await;
    let lines: Vec<_> = shown.lines().collect();
    assert!(lines.len() == 3 && lines[0].trim_start().starts_with("round  time "), "{shown}");
    assert!(lines[1..].iter().all(|line| line.contains("  insufficient_responses  not reported  ")), "{shown}");
    let none = dev.done(&["history", "fast", "--from", "9000000"]).await;
    assert_eq!(none, "No round of fast is recorded there.\n");
}

#[tokio::test]
async fn a_feed_that_is_not_there_has_no_report_or_is_stale_is_told_by_the_exit_code() {
    let dev = Dev::start().await;
    let advice = "; list the feeds with: quorate feed ls\n";
    for (command, says) in [
        (["get", "fasst"], "there is no feed fasst; did you mean fast? see GET /feeds"),
        (["history", "fasst"], "there is no feed fasst; did you mean fast? see GET /feeds"),
        (["watch", "fasst"], "there is no feed fasst; did you mean fast? see GET /feeds"),
        (["get", "lame"], "the feed lame has no report yet; GET /feeds shows its newest round"),
    ] {
        let ended = dev.run(&command).await;
        assert_eq!(ended.code, Some(3), "{ended:?}");
        assert_eq!(ended.stderr, format!("error: the coordinator answered 404 Not Found: {says}{advice}"));
    }

    write(dev.folder.path(), 9);
    dev.program.signal(Signal::HUP);
    until("a stale report", async || dev.list().await["feeds"][0]["stale"] == true).await;
    let ended = dev.run(&["get", "fast", "--fail-on-stale"]).await;
    assert_eq!((ended.code, ended.stderr.as_str()), (Some(6), ""), "{ended:?}");
    for line in ["  stale: the report is older", " was not reported: insufficient_responses, "] {
        assert!(ended.stdout.contains(line), "{}", ended.stdout);
    }
    assert!(dev.done(&["get", "fast"]).await.contains("  stale: "));
}
