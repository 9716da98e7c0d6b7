//! Streams of events that break, stall, lie, and go on.

use std::time::Duration;

use futures_util::StreamExt as _;
use quorate_client::{Client, Error, Event, Follow, Following};
use tokio::time::timeout;

use super::server::{Act, Server, answer, events, nowhere, relay};

/// How long a test waits for what must happen.
const PATIENCE: Duration = Duration::from_secs(20);
/// Reconnect at once.
const NOW: &str = "retry: 0\n\n";

fn answered(id: &str, query: &str, value: &str) -> String {
    format!(
        "id: {id}\nevent: outcome\ndata: {{\"request_id\":\"r\",\"query\":\"{query}\",\"final_value\":{value}}}\n\n"
    )
}

fn unanswered(id: &str, query: &str) -> String {
    format!("id: {id}\nevent: outcome\ndata: {{\"error\":\"deadline_exceeded\",\"query\":\"{query}\"}}\n\n")
}

fn follow(server: &Server, follow: Follow) -> Following {
    Client::new(&server.url).expect("a client").follow(follow)
}

/// The next thing told, in short.
async fn told(following: &mut Following) -> String {
    let next = timeout(PATIENCE, following.next()).await.expect("something is told in time");
    match next {
        None => "end".to_owned(),
        Some(Ok(Event::Connected)) => "connected".to_owned(),
        Some(Ok(Event::Answered(outcome))) => format!("{} = {}", outcome.query, outcome.final_value),
        Some(Ok(Event::Unanswered(error))) => format!("{}: {}", error.query.as_deref().unwrap_or("?"), error.error),
        Some(Ok(Event::Worker(worker))) => format!("{} is {}", worker.worker_id, worker.state),
        Some(Ok(Event::Observation(response))) => format!("{} observed", response.worker_id),
        Some(Ok(Event::Missed(count))) => format!("missed {count:?}"),
        Some(Ok(other)) => format!("{other:?}"),
        Some(Err(error)) => error.word().to_owned(),
    }
}

async fn all_told(following: &mut Following, count: usize) -> Vec<String> {
    let mut all = Vec::new();
    for _ in 0..count {
        all.push(told(following).await);
    }
    all
}

#[tokio::test]
async fn every_kind_of_event_is_told_as_its_type_and_unknown_ones_are_not() {
    let stream = [
        NOW,
        &answered("c1-1", "BTC/USD", "42000.50"),
        &unanswered("c1-2", "ETH/USD"),
        "id: c1-3\nevent: worker\ndata: {\"worker_id\":\"w1\",\"state\":\"left\",\"score\":1}\n\n",
        "event: observation\ndata: {\"worker_id\":\"w2\",\"value\":1}\n\n",
        "id: c1-9\nevent: missed\ndata: {\"count\":6}\n\n",
        "event: later\ndata: {}\n\n",
        "event: missed\ndata: {\"count\":null}\n\n",
    ];
    let server = Server::start([Act::SendAndHold(events(&stream.concat()))]).await;
    let query = Some("*T*/USD".to_owned());
    let follow_what = Follow { query, recent: Some(20), request_id: Some("a b&c".to_owned()), ..Follow::default() };
    let mut following = follow(&server, follow_what);
    let expected = [
        "connected",
        "BTC/USD = 42000.50",
        "ETH/USD: deadline_exceeded",
        "w1 is left",
        "w2 observed",
        "missed Some(6)",
        "missed None",
    ];
    assert_eq!(all_told(&mut following, 7).await, expected);
    assert_eq!(following.position(), Some("c1-9"), "an event without an id changes nothing");
    let request = server.requests().remove(0);
    assert!(request.starts_with("GET /events?query=*T*%2FUSD&recent=20&request_id=a+b%26c HTTP/1.1\r\n"), "{request}");
    assert!(!request.contains("last-event-id"), "{request}");
}

#[tokio::test]
async fn a_cut_connection_is_told_and_the_stream_goes_on_behind_the_last_event() {
    let first = events(&[NOW, &answered("c1-7", "q", "1"), "id: c1-8\nevent: outc"].concat());
    let second = events(&[NOW, &answered("c1-8", "q", "2")].concat());
    let third = events(&["id: c1-12\nevent: missed\ndata: {\"count\":4}\n\n", &answered("c1-13", "q", "3")].concat());
    let server = Server::start([Act::Send(first), Act::Send(second), Act::SendAndHold(third)]).await;
    let mut following = follow(&server, Follow { recent: Some(5), ..Follow::default() });
    let expected =
        ["connected", "q = 1", "broken", "connected", "q = 2", "broken", "connected", "missed Some(4)", "q = 3"];
    assert_eq!(all_told(&mut following, 9).await, expected);
    let requests = server.requests();
    assert!(!requests[0].contains("last-event-id") && requests[0].contains("recent=5"), "{}", requests[0]);
    assert!(requests[1].contains("\r\nlast-event-id: c1-7\r\n"), "{}", requests[1]);
    assert!(requests[2].contains("\r\nlast-event-id: c1-8\r\n"), "{}", requests[2]);
    assert!(!requests[1].contains("recent") && !requests[2].contains("recent"), "it would only repeat events");
}

#[tokio::test]
async fn a_gap_that_no_coordinator_can_know_of_is_told_by_the_client() {
    let server = Server::start([Act::Send(events(NOW)), Act::SendAndHold(events(&answered("c1-1", "q", "1")))]).await;
    let mut following = follow(&server, Follow::default());
    assert_eq!(all_told(&mut following, 5).await, ["connected", "broken", "connected", "missed None", "q = 1"]);
}

#[tokio::test]
async fn a_silent_connection_counts_as_lost() {
    let acts = [Act::SendAndHold(events(&[NOW, &answered("c1-1", "q", "1")].concat())), Act::SendAndHold(events(NOW))];
    let server = Server::start(acts).await;
    let mut following = follow(&server, Follow { silence: Duration::from_millis(500), ..Follow::default() });
    assert_eq!(all_told(&mut following, 4).await, ["connected", "q = 1", "timeout", "connected"]);
}

#[tokio::test]
async fn only_the_query_that_is_wanted_is_told_whatever_the_coordinator_filters() {
    let stream = [
        &answered("c1-1", "a", "1"),
        &answered("c1-2", "b/1", "2"),
        &unanswered("c1-3", "a"),
        &unanswered("c1-4", "b/2"),
    ];
    let server = Server::start([Act::SendAndHold(events(&stream.map(String::as_str).concat()))]).await;
    let mut following = follow(&server, Follow { query: Some("b/*".to_owned()), ..Follow::default() });
    assert_eq!(all_told(&mut following, 3).await, ["connected", "b/1 = 2", "b/2: deadline_exceeded"]);
}

#[tokio::test]
async fn refusals_are_told_and_waited_out_and_what_cannot_be_repaired_ends_the_stream() {
    let busy = answer("503 Service Unavailable", "retry-after: 0\r\n", r#"{"error":"draining","code":503}"#);
    let html = answer("404 Not Found", "", "<html>");
    let server = Server::start([Act::Send(events(NOW)), busy, html]).await;
    let mut following = follow(&server, Follow::default());
    assert_eq!(all_told(&mut following, 6).await, ["connected", "broken", "draining", "foreign", "end", "end"]);

    let json = answer("200 OK", "", "{}");
    let mut following = follow(&Server::start([json]).await, Follow::default());
    assert_eq!(all_told(&mut following, 2).await, ["foreign", "end"]);
}

#[tokio::test]
async fn an_event_that_is_too_long_or_is_none_ends_the_stream() {
    let long = format!("data: {}\n\n", "x".repeat(2000));
    for event in [long.as_str(), "event: outcome\ndata: {}\n\n", "event: worker\ndata: nothing\n\n"] {
        let server = Server::start([Act::SendAndHold(events(event))]).await;
        let client = Client::builder(&server.url).max_bytes(1000).build().expect("a client");
        let mut following = client.follow(Follow::default());
        assert_eq!(all_told(&mut following, 3).await, ["connected", "foreign", "end"], "{event:.40}");
    }
}

#[tokio::test]
async fn a_follower_can_go_on_where_another_one_ended() {
    let server = Server::start([Act::SendAndHold(events(NOW))]).await;
    let mut following = follow(&server, Follow { after: Some("c1-5".to_owned()), ..Follow::default() });
    assert_eq!(told(&mut following).await, "connected");
    assert!(server.requests()[0].contains("\r\nlast-event-id: c1-5\r\n"), "{}", server.requests()[0]);
}

#[tokio::test]
async fn no_event_is_lost_when_waiting_is_given_up() {
    let (sender, act) = relay();
    let server = Server::start([act]).await;
    sender.send(events(NOW)).expect("it is relayed");
    let mut following = follow(&server, Follow::default());
    assert_eq!(told(&mut following).await, "connected");
    let mut seen = Vec::new();
    for n in 0..200 {
        let event = answered(&format!("c1-{n}"), "q", &n.to_string());
        let (begin, end) = event.split_at(n % event.len());
        sender.send(begin.to_owned()).expect("it is relayed");
        // Gives up at once, in whatever state the event is.
        let given_up = timeout(Duration::ZERO, following.next()).await;
        seen.extend(given_up.ok().flatten());
        sender.send(end.to_owned()).expect("it is relayed");
    }
    while seen.len() < 200 {
        seen.push(timeout(PATIENCE, following.next()).await.expect("in time").expect("it goes on"));
    }
    let values: Vec<_> = seen
        .iter()
        .map(|told| match told {
            Ok(Event::Answered(outcome)) => outcome.final_value.to_string(),
            other => panic!("{other:?}"),
        })
        .collect();
    assert_eq!(values, (0..200).map(|n| n.to_string()).collect::<Vec<_>>());
}

#[tokio::test]
async fn a_stream_of_them_ends_with_the_last_error() {
    let server = Server::start([
        Act::Send(events(&[NOW, &answered("c1-1", "q", "1")].concat())),
        answer("404 Not Found", "", ""),
    ]);
    let following = follow(&server.await, Follow::default());
    let told: Vec<Result<Event, Error>> = timeout(PATIENCE, following.into_stream().collect()).await.expect("it ends");
    let words: Vec<_> = told.iter().map(|told| told.as_ref().err().map(Error::word)).collect();
    assert_eq!(words, [None, None, Some("broken"), Some("foreign")]);
}

#[tokio::test]
async fn where_nothing_listens_each_attempt_is_told() {
    let client = Client::new(nowhere().await).expect("a client");
    let mut following = client.follow(Follow::default());
    assert_eq!(all_told(&mut following, 2).await, ["unreachable", "unreachable"]);
}
