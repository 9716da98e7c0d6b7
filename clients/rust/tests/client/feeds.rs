//! Feeds: their list, their last reports, their history, and their records as they are stored.

use std::time::Duration;

use futures_util::StreamExt as _;
use quorate_client::{Client, Error, FeedEvent, FollowFeeds, FollowingFeeds, Range, RoundOutcome, Status, body::Link};
use time::OffsetDateTime;
use tokio::time::timeout;

use super::server::{Act, Server, answer, events};

/// How long a test waits for what must happen.
const PATIENCE: Duration = Duration::from_secs(20);
/// Reconnect at once.
const NOW: &str = "retry: 0\n\n";

/// A reported round with its evidence.
fn reported(round: u64, value: &str) -> String {
    format!(
        r#"{{"feed":"BTC-USD","round":{round},"value":{value},"status":"partial","reason":"deviation",
        "answered_at":"2026-11-30T08:00:00.241Z","oldest_observed_at":"2026-11-30T08:00:00Z",
        "last_report":{{"round":1,"value":41730.50,"answered_at":"2026-11-30T07:59:50Z"}},
        "previous":{{"sequence":90211,"sha256":"5f5f"}},"coordinator":"c1f2","lease":17,"later":[1],
        "outcome":{{"request_id":"r","query":"BTC/USD","final_value":{value},"status":"partial","later":1,
        "worker_responses":[{{"worker_id":"w1","value":{value},"response_time":5}}]}}}}"#
    )
}

/// A round that was not reported.
fn insufficient(round: u64) -> String {
    format!(
        r#"{{"feed":"BTC-USD","round":{round},"value":null,"status":"insufficient_responses","reason":null,
        "answered_at":"2026-11-30T08:00:10Z","last_report":null,"previous":null,"coordinator":"c1f2","lease":17,
        "outcome":{{"error":"insufficient_responses","details":"1 of 2 is usable","missing":["w2"]}}}}"#
    )
}

async fn client_of(bodies: impl IntoIterator<Item = String>) -> (Server, Client) {
    let server = Server::start(bodies.into_iter().map(|json| answer("200 OK", "", &json))).await;
    let client = Client::new(&server.url).expect("a client");
    (server, client)
}

/// The paths of the requests so far.
fn paths(server: &Server) -> Vec<String> {
    let path = |request: String| request.split(' ').nth(1).map(str::to_owned);
    server.requests().into_iter().filter_map(path).collect()
}

#[tokio::test]
async fn feeds_and_reports_keep_their_digits_and_their_evidence() {
    let list = r#"{"feeds":[{"name":"BTC-USD","query":"BTC/USD","heartbeat_ms":10000,"deviation":0.0050,"round":2,
        "value":1.50,"answered_at":"2026-11-30T08:00:00Z","age_ms":7,"stale":false,"newest_round":3,
        "newest_status":"disputed","later":1},{"name":"new","stale":true,"round":null,"value":null,"deviation":null}]}"#;
    let latest = reported(2, "1234567890.123456789012345600").replacen(
        '{',
        r#"{"age_ms":7,"stale":true,"newest_round":3,"newest_status":"disputed","newest_at":"2026-11-30T08:00:10Z","#,
        1,
    );
    let (server, client) = client_of([list.to_owned(), latest.clone(), reported(2, "\"ok\"")]).await;
    let feeds = client.feeds().await.expect("feeds");
    let [btc, new] = &feeds.feeds[..] else { panic!("two feeds: {feeds:?}") };
    assert_eq!(btc.value.as_ref().map(ToString::to_string).as_deref(), Some("1.50"));
    assert_eq!(btc.deviation.map(|deviation| deviation.to_string()).as_deref(), Some("0.0050"));
    assert_eq!((btc.round, btc.newest_round, btc.newest_status.as_deref()), (Some(2), Some(3), Some("disputed")));
    assert_eq!((new.stale, new.round, &new.value, new.deviation), (true, None, &None, None));

    let feed = client.feed("BTC-USD").await.expect("a report");
    let record = &feed.record;
    assert_eq!((feed.age_ms, feed.stale, feed.newest_round, record.round), (7, true, 3, 2));
    assert_eq!(feed.json, latest);
    let value = record.value.as_ref().expect("it is reported");
    assert_eq!(value.to_string(), "1234567890.123456789012345600");
    assert_eq!((record.coordinator.as_str(), record.lease, record.reason.as_deref()), ("c1f2", 17, Some("deviation")));
    assert_eq!(record.previous, Some(Link { sequence: 90211, sha256: "5f5f".to_owned() }));
    let before = record.last_report.as_ref().expect("there is one");
    assert_eq!((before.round, before.value.to_string().as_str()), (1, "41730.50"));
    let Some(RoundOutcome::Answered(outcome)) = &record.outcome else { panic!("it has an answer: {record:?}") };
    assert_eq!((&outcome.final_value, outcome.status), (value, Status::Partial));
    assert_eq!(outcome.evidence.worker_responses[0].value.as_ref(), Some(value));

    let noon = OffsetDateTime::from_unix_timestamp(1_796_040_000).expect("a time");
    let at = client.feed_at("BTC-USD", noon).await.expect("a record");
    assert_eq!(at.value.as_ref().map(ToString::to_string).as_deref(), Some("ok"));
    assert_eq!(paths(&server), ["/feeds", "/feeds/BTC-USD", "/feeds/BTC-USD/at?time=2026-11-30T12%3A00%3A00Z"]);
}

#[tokio::test]
async fn a_name_stays_one_segment_of_the_path_and_a_feed_that_is_not_there_is_refused() {
    let refusal = r#"{"error":"not_found","code":404,"details":"there is no feed a/b?c"}"#;
    let server = Server::start([answer("404 Not Found", "", refusal)]).await;
    let client = Client::new(server.url.clone() + "/base/").expect("a client");
    let error = client.feed("a/b?c").await.expect_err("there is none");
    assert_eq!((error.word(), error.is_lasting()), ("not_found", true));
    assert_eq!(paths(&server), ["/base/feeds/a%2Fb%3Fc"]);
}

fn page(reports: &[String], next: &str) -> String {
    format!(r#"{{"feed":"BTC-USD","reports":[{}],"next":{next},"later":1}}"#, reports.join(","))
}

#[tokio::test]
async fn the_pages_of_a_history_are_read_to_the_last_and_every_record_keeps_its_text() {
    let (first, second) = (reported(5, "1.50"), insufficient(6));
    let pages = [page(&[first.clone(), second.clone()], "7"), page(&[], "9"), page(&[reported(9, "2")], "null")];
    let (server, client) = client_of(pages).await;
    let time = OffsetDateTime::from_unix_timestamp(1_796_040_000).expect("a time");
    let range = Range { from: Some(5.into()), to: Some(time.into()), page: Some(2) };
    let mut pages = client.feed_history("BTC-USD", range);
    let page = pages.next().await.expect("a page").expect("it is right");
    assert_eq!(page.reports.iter().map(|record| &record.json).collect::<Vec<_>>(), [&first, &second]);
    let Some(RoundOutcome::Unanswered(error)) = &page.reports[1].outcome else { panic!("it has no answer") };
    assert_eq!((error.details.as_deref(), &error.evidence.missing), (Some("1 of 2 is usable"), &vec!["w2".to_owned()]));
    assert_eq!((page.reports[1].value.as_ref(), page.reports[1].reason.as_ref()), (None, None));

    let rest: Vec<_> = pages.into_stream().map(|page| page.expect("it is right").reports.len()).collect().await;
    assert_eq!(rest, [0, 1]);
    let query = "/feeds/BTC-USD/history?from=5&to=2026-11-30T12%3A00%3A00Z&limit=2";
    assert_eq!(paths(&server), [query.to_owned(), format!("{query}&cursor=7"), format!("{query}&cursor=9")]);
}

#[tokio::test]
async fn a_page_that_is_refused_is_read_again_and_pages_that_lead_nowhere_end() {
    let busy = answer("503 Service Unavailable", "", r#"{"error":"store_unavailable","code":503}"#);
    let good = |json: String| answer("200 OK", "", &json);
    let one = || page(&[reported(1, "1")], "2");
    let server = Server::start([busy.clone(), good(one()), good(one()), busy]).await;
    let client = Client::new(&server.url).expect("a client");
    let mut pages = client.feed_history("BTC-USD", Range::default());
    let refused = pages.next().await.expect("a page").expect_err("it is refused");
    assert_eq!(refused.word(), "store_unavailable");
    assert!(pages.next().await.expect("a page").is_ok());
    assert!(pages.next().await.expect("a page").is_ok(), "it leads to itself");
    assert!(pages.next().await.is_none());
    let history = "/feeds/BTC-USD/history";
    assert_eq!(paths(&server), [history, history, "/feeds/BTC-USD/history?cursor=2"]);

    let told: Vec<_> = client.feed_history("BTC-USD", Range::default()).into_stream().collect().await;
    assert_eq!(
        told.iter().map(|page| page.as_ref().err().map(Error::word)).collect::<Vec<_>>(),
        [Some("store_unavailable")]
    );
}

fn recorded(round: u64, value: &str) -> String {
    let record = reported(round, value).replace('\n', " ");
    format!("id: BTC-USD-{round}\nevent: record\ndata: {record}\n\n")
}

/// The next things told, in short.
async fn told(following: &mut FollowingFeeds, count: usize) -> Vec<String> {
    let mut all = Vec::new();
    for _ in 0..count {
        all.push(match timeout(PATIENCE, following.next()).await.expect("something is told in time") {
            None => "end".to_owned(),
            Some(Ok(FeedEvent::Connected)) => "connected".to_owned(),
            Some(Ok(FeedEvent::Recorded(record))) => format!("{} {}", record.feed, record.round),
            Some(Ok(FeedEvent::Missed)) => "missed".to_owned(),
            Some(Ok(other)) => format!("{other:?}"),
            Some(Err(error)) => error.word().to_owned(),
        });
    }
    all
}

#[tokio::test]
async fn records_are_followed_over_a_cut_connection_behind_the_last_one() {
    let first = events(&[NOW, &recorded(7, "1"), "event: later\ndata: {}\n\n", "id: BTC-USD-8\nevent: rec"].concat());
    let second = events(&[recorded(8, "2"), ":\n\n".to_owned(), recorded(9, "3")].concat());
    let server = Server::start([Act::Send(first), Act::SendAndHold(second)]).await;
    let client = Client::new(&server.url).expect("a client");
    let mut following = client.follow_feeds(FollowFeeds { feed: Some("BTC-USD".to_owned()), ..FollowFeeds::default() });
    let expected = ["connected", "BTC-USD 7", "broken", "connected", "BTC-USD 8", "BTC-USD 9"];
    assert_eq!(told(&mut following, 6).await, expected);
    assert_eq!(following.position(), Some("BTC-USD-9"));
    let requests = server.requests();
    assert!(requests[0].starts_with("GET /feeds/events?feed=BTC-USD HTTP/1.1\r\n"), "{}", requests[0]);
    assert!(!requests[0].contains("last-event-id"), "{}", requests[0]);
    assert!(requests[1].contains("\r\nlast-event-id: BTC-USD-7\r\n"), "{}", requests[1]);
}

#[tokio::test]
async fn a_follower_of_feeds_begins_where_another_one_ended_and_tells_what_nobody_can_know() {
    let server = Server::start([Act::Send(events(NOW)), Act::SendAndHold(events(&recorded(3, "1")))]).await;
    let client = Client::new(&server.url).expect("a client");
    let mut following = client.follow_feeds(FollowFeeds::default());
    assert_eq!(told(&mut following, 5).await, ["connected", "broken", "connected", "missed", "BTC-USD 3"]);

    let server = Server::start([Act::Send(events(NOW)), Act::SendAndHold(events(&recorded(3, "1")))]).await;
    let client = Client::new(&server.url).expect("a client");
    let after = Some("BTC-USD-2".to_owned());
    let mut following = client.follow_feeds(FollowFeeds { after, ..FollowFeeds::default() });
    assert_eq!(told(&mut following, 4).await, ["connected", "broken", "connected", "BTC-USD 3"]);
    assert!(server.requests()[0].contains("\r\nlast-event-id: BTC-USD-2\r\n"), "{}", server.requests()[0]);
}

#[tokio::test]
async fn another_feed_is_not_told_and_a_record_that_is_none_ends_the_stream() {
    let stream = [&recorded(3, "1"), "event: record\ndata: {\"feed\":\"ETH-USD\"}\n\n"].map(str::to_owned).concat();
    let server = Server::start([Act::SendAndHold(events(&stream))]).await;
    let client = Client::new(&server.url).expect("a client");
    let mut following = client.follow_feeds(FollowFeeds { feed: Some("ETH-USD".to_owned()), ..FollowFeeds::default() });
    assert_eq!(told(&mut following, 3).await, ["connected", "foreign", "end"]);
}
