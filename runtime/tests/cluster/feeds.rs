//! Feeds over HTTP, with whatever others may write on their subjects.

use std::time::Duration;

use quorate_runtime::bus::local::LocalBus;
use quorate_runtime::clock::Clock;
use quorate_runtime::store::memory::{MemoryStore, Retention};
use quorate_runtime::store::{Append, Key, Log, Store};
use serde_json::{Value as Json, json};
use tokio::time::{Instant, sleep};

use crate::support::{Setup, TestCoordinator, delayed, number, until, worker};

/// The feed of these tests.
const FEED: &str = "f";

fn store() -> MemoryStore {
    MemoryStore::new(Clock::new(), Retention::default())
}

/// A coordinator that keeps one feed fresh.
async fn coordinator(bus: &LocalBus, store: &MemoryStore, heartbeat: &str) -> TestCoordinator {
    let file = format!("[[feed]]\nname = \"{FEED}\"\nquery = \"BTC/USD\"\nheartbeat = \"{heartbeat}\"\n");
    let setup = Setup { feeds: file, ..Setup::default() };
    TestCoordinator::start_stored(bus.connection(), setup, Some(store.clone())).await
}

/// Writes something on the subject of the feed, after whatever is there.
async fn write(store: &MemoryStore, body: String) -> u64 {
    let key = Key::new(FEED);
    loop {
        let last = store.last(Log::Feeds, &key).await.expect("memory answers");
        let append = Append { after: last.map_or(0, |entry| entry.sequence), body: body.clone().into(), ttl: None };
        if let Ok(sequence) = store.append(Log::Feeds, &key, append).await {
            return sequence;
        }
    }
}

/// The first report, and how many rounds without an answer follow it.
async fn fill(store: &MemoryStore, failures: u64) {
    let report = json!({"round": 1, "value": 1.5, "answered_at": "2026-11-30T08:00:00Z"});
    let mut first = report.clone();
    first["feed"] = json!(FEED);
    first["status"] = json!("complete");
    let mut before = write(store, first.to_string()).await;
    for round in 2..2 + failures {
        let failed = json!({
            "feed": FEED, "round": round, "value": null, "status": "insufficient_responses",
            "answered_at": "2026-11-30T08:00:01Z", "last_report": report,
            "previous": {"sequence": before, "sha256": "0".repeat(64)},
        });
        before = write(store, failed.to_string()).await;
    }
}

async fn newest_round(coordinator: &TestCoordinator) -> u64 {
    coordinator.get("/feeds").await.1["feeds"][0]["newest_round"].as_u64().unwrap_or(0)
}

#[tokio::test]
async fn a_report_has_a_tag_that_names_it() {
    let (bus, store) = (LocalBus::new(), store());
    let _worker = worker(bus.connection(), "a", number("1.5")).await;
    let coordinator = coordinator(&bus, &store, "1h").await;
    until("a report", async || coordinator.get("/feeds/f").await.0 == 200).await;
    let ask = async |known: Option<&str>| {
        let request = crate::support::client().get(coordinator.url("/feeds/f"));
        let request = known.into_iter().fold(request, |request, known| request.header("if-none-match", known));
        request.send().await.expect("an answer")
    };
    let shown = ask(None).await;
    assert_eq!(shown.headers()["cache-control"], "no-cache");
    let tag = shown.headers()["etag"].to_str().expect("a text").to_owned();
    let body: Json = serde_json::from_str(&shown.text().await.expect("a body")).expect("JSON");
    assert_eq!((&body["feed"], &body["round"], &body["stale"]), (&json!(FEED), &json!(1), &json!(false)), "{body}");
    let strong = tag.strip_prefix("W/").expect("it is weak").to_owned();
    for known in [tag.clone(), strong, "*".to_owned(), format!("\"x\", {tag}")] {
        assert_eq!(ask(Some(&known)).await.status(), 304, "{known}");
    }
    assert_eq!(ask(Some("\"x\"")).await.status(), 200);

    // Another store counts from 1, too. The same round of another record is another one.
    let other = self::store();
    fill(&other, 0).await;
    let elsewhere = self::coordinator(&bus, &other, "1h").await;
    until("the report", async || elsewhere.get("/feeds/f").await.0 == 200).await;
    let request = crate::support::client().get(elsewhere.url("/feeds/f")).header("if-none-match", tag);
    assert_eq!(request.send().await.expect("an answer").status(), 200);
}

#[tokio::test]
async fn a_history_is_read_page_by_page() {
    let (bus, store) = (LocalBus::new(), store());
    fill(&store, 20).await;
    let coordinator = coordinator(&bus, &store, "1h").await;
    for limit in [1, 4, 21, 100] {
        let (mut rounds, mut next) = (Vec::new(), json!(0));
        while let Some(cursor) = next.as_u64() {
            let (status, page) = coordinator.get(&format!("/feeds/f/history?limit={limit}&cursor={cursor}")).await;
            assert_eq!(status, 200, "{page}");
            let reports = page["reports"].as_array().expect("a page").iter();
            rounds.extend(reports.map(|record| record["round"].as_u64().expect("a round")));
            next = page["next"].clone();
        }
        // One more may have failed by now: nobody answers.
        assert!(rounds.len() >= 21, "{rounds:?}");
        assert_eq!(rounds, (1..=rounds.len() as u64).collect::<Vec<_>>(), "{limit}");
    }
    let (_, page) = coordinator.get("/feeds/f/history?from=99999").await;
    assert_eq!((&page["reports"], &page["next"]), (&json!([]), &Json::Null), "nothing is there yet: {page}");
}

/// Long records make short pages, and none is lost between them.
#[tokio::test]
async fn a_page_is_bounded_in_bytes() {
    let (bus, store) = (LocalBus::new(), store());
    for round in 1..=12 {
        let record = json!({
            "feed": FEED, "round": round, "value": 1, "status": "complete", "answered_at": "2026-11-30T08:00:00Z",
            "evidence": "x".repeat(500_000),
        });
        write(&store, record.to_string()).await;
    }
    let coordinator = coordinator(&bus, &store, "1h").await;
    let (_, first) = coordinator.get("/feeds/f/history").await;
    let count = first["reports"].as_array().expect("a page").len();
    assert!((4..12).contains(&count), "{count} records");
    let (_, second) = coordinator.get(&format!("/feeds/f/history?cursor={}", first["next"])).await;
    let rest = second["reports"].as_array().expect("a page");
    assert_eq!((&rest[0]["round"], &rest[11 - count]["round"]), (&first["next"], &json!(12)));
}

#[tokio::test]
async fn the_last_report_is_found_however_many_rounds_have_failed_since() {
    let (bus, store) = (LocalBus::new(), store());
    fill(&store, 1500).await;
    let coordinator = coordinator(&bus, &store, "1h").await;
    until("the report", async || coordinator.get("/feeds/f").await.0 == 200).await;
    let (_, shown) = coordinator.get("/feeds/f").await;
    assert_eq!((&shown["round"], &shown["stale"]), (&json!(1), &json!(true)), "{shown}");
    assert!(shown["newest_round"].as_u64() >= Some(1501), "{shown}");
    let (status, stood) = coordinator.get("/feeds/f/at?time=2026-11-30T09:00:00Z").await;
    assert_eq!((status, &stood["round"]), (200, &json!(1)), "{stood}");
    assert_eq!(coordinator.get("/feeds/f/at?time=2026-11-30T07:00:00Z").await.0, 404);
}

#[tokio::test]
async fn what_strangers_write_does_not_stop_a_feed() {
    let (bus, store) = (LocalBus::new(), store());
    let _worker = worker(bus.connection(), "a", number("1.5")).await;
    // A record that is too long, and one that is not written as records are, are none.
    let long = json!({"feed": FEED, "round": 7, "value": 1, "status": "complete",
                      "answered_at": "2026-11-30T08:00:00Z", "evidence": "x".repeat(600_000)});
    let spaced = format!(
        " {}",
        json!({"feed": FEED, "round": 8, "value": 1, "status": "complete",
                                       "answered_at": "2026-11-30T08:00:00Z"})
    );
    for garbage in [String::new(), "{}".to_owned(), long.to_string(), spaced] {
        write(&store, garbage).await;
    }
    let mut coordinator = coordinator(&bus, &store, "200ms").await;
    until("the first round", async || newest_round(&coordinator).await >= 1).await;
    let (begun, first) = (Instant::now(), newest_round(&coordinator).await);
    let old =
        json!({"feed": FEED, "round": 1, "value": 7, "status": "complete", "answered_at": "2026-11-30T08:00:00Z"});
    while begun.elapsed() < Duration::from_secs(3) {
        for stranger in ["garbage".to_owned(), old.to_string()] {
            write(&store, stranger).await;
            sleep(Duration::from_millis(20)).await;
        }
    }
    let rounds = newest_round(&coordinator).await - first;
    assert!(rounds >= 8, "{rounds} rounds in 3 s");
    let metrics = coordinator.metrics().await;
    assert!(metrics.value("quorate_feed_foreign_entries_total").is_some_and(|count| count > 30.0));

    // Whoever goes on finds the newest record, although the newest entry says that it is an old one.
    coordinator.begin_stop();
    coordinator.stopped().await;
    write(&store, old.to_string()).await;
    let next = self::coordinator(&bus, &store, "200ms").await;
    until("more rounds", async || newest_round(&next).await >= first + rounds + 3).await;
    let (_, page) = next.get("/feeds/f/history?limit=1000").await;
    // A record of a coordinator names it.
    let own = page["reports"].as_array().expect("a page").iter().filter(|record| record["coordinator"].is_string());
    let numbers: Vec<_> = own.map(|record| record["round"].as_u64()).collect();
    assert_eq!(numbers, (1..=numbers.len() as u64).map(Some).collect::<Vec<_>>(), "none twice, and none missing");
}

/// Workers have bounded queues, which feeds that are due at the same moment would fill.
#[tokio::test]
async fn many_feeds_that_are_due_at_once_are_asked_in_turn() {
    const FEEDS: usize = 600;
    const AT_ONCE: f64 = 256.0;
    let (bus, store) = (LocalBus::new(), store());
    let _worker = worker(bus.connection(), "a", delayed("1.5", Duration::from_millis(50))).await;
    let feed = |number| format!("[[feed]]\nname = \"{number}\"\nquery = \"q\"\nheartbeat = \"1h\"\n");
    let setup = Setup { feeds: (0..FEEDS).map(feed).collect(), ..Setup::default() };
    let coordinator = TestCoordinator::start_stored(bus.connection(), setup, Some(store)).await;
    let mut most: f64 = 0.0;
    until("a report of each", async || {
        let metrics = coordinator.metrics().await;
        most = most.max(metrics.value("quorate_requests_in_flight").unwrap_or(0.0));
        metrics.value("quorate_feed_rounds_ended_total{end=\"reported\"}") == Some(FEEDS as f64)
    })
    .await;
    assert!(most <= AT_ONCE && most > 0.0, "{most} at once");
}
