//! The client library against real coordinators: it asks, lists, and follows across restarts and cut connections.

use std::time::Duration;

use quorate_client::{Ask, Client, Error, Event, Follow, Following, Status};
use rustix::process::Signal;
use tokio::time::timeout;

use crate::proxy::Proxy;
use crate::support::{COORDINATOR, Cluster, PATIENCE, Program, QUICK, QUORATE, api_of, done};

fn client(url: &str) -> Client {
    Client::builder(url).timeout(Duration::from_secs(5)).build().expect("a client")
}

async fn next(following: &mut Following) -> Result<Event, Error> {
    let told = timeout(PATIENCE, following.next()).await.expect("something is told in time");
    told.expect("it goes on")
}

/// What is told until this is: each request in one word, without workers.
async fn until(following: &mut Following, last: &str) -> Vec<String> {
    let mut all = Vec::new();
    loop {
        all.push(match next(following).await {
            Ok(Event::Connected) => "connected".to_owned(),
            Ok(Event::Answered(outcome)) => outcome.query.clone(),
            Ok(Event::Unanswered(error)) => error.error.clone(),
            Ok(Event::Missed(count)) => format!("missed {count:?}"),
            Ok(_) => continue,
            Err(error) => error.word().to_owned(),
        });
        if all.last().is_some_and(|told| told == last) {
            // Every attempt that fails is told.
            all.dedup();
            return all;
        }
    }
}

#[tokio::test]
async fn it_asks_lists_and_names_what_is_refused() {
    let cluster = Cluster::start(3, &[], &QUICK).await;
    let client = client(&cluster.api.url);
    let answer =
        client.ask(Ask { strategy: Some("median".to_owned()), ..Ask::new("BTC/USD") }).await.expect("an answer");
    assert_eq!(
        (answer.query.as_str(), answer.strategy.as_str(), answer.status),
        ("BTC/USD", "median", Status::Complete)
    );
    let values: Vec<_> =
        answer.evidence.worker_responses.iter().filter_map(|response| response.value.clone()).collect();
    assert_eq!(values.len(), 3);
    assert!(values.contains(&answer.final_value), "the median is one of three: {}", answer.json);

    let workers = client.workers().await.expect("workers");
    assert_eq!(workers.workers.iter().filter(|worker| worker.state == "live").count(), 3);
    assert_eq!(client.queries().await.expect("queries").queries[0].query, "*");
    let policies = client.policies(Some("BTC/USD")).await.expect("policies");
    assert_eq!((policies.policies.len(), policies.policies[0].strategy.as_str()), (1, "average"));
    assert_eq!(client.ready().await.expect("readiness").workers, 3);
    assert_eq!(client.health().await.expect("health").nats, Some(true));

    let error =
        client.ask(Ask { strategy: Some("mean".to_owned()), ..Ask::new("q") }).await.expect_err("no such strategy");
    let refusal = error.refusal().expect("the coordinator refuses it");
    assert_eq!((refusal.status.as_u16(), error.word(), error.is_lasting()), (400, "invalid_request", true));
    let few = Ask { min_responses: Some(9), timeout_ms: Some(2000), ..Ask::new("q") };
    let error = client.ask(few).await.expect_err("there are three");
    let refusal = error.refusal().expect("the coordinator refuses it");
    assert_eq!((refusal.status.as_u16(), refusal.answer.evidence.worker_responses.len()), (422, 3), "{error}");
}

#[tokio::test]
async fn a_follower_misses_nothing_while_its_connection_is_cut() {
    let cluster = Cluster::start(1, &[], &QUICK).await;
    let proxy = Proxy::to(&cluster.api.url).await;
    let mut following = client(&proxy.url).follow(Follow::default());
    assert_eq!(until(&mut following, "connected").await, ["connected"]);
    cluster.api.answer("first").await;
    assert_eq!(until(&mut following, "first").await, ["first"]);

    proxy.cut();
    cluster.api.answer("second").await;
    cluster.api.answer("third").await;
    let lost = next(&mut following).await.expect_err("it is cut");
    assert!(matches!(lost, Error::Broken { .. }), "{lost}");
    proxy.restore();
    let told = until(&mut following, "third").await;
    assert_eq!(told[told.len() - 3..], ["connected", "second", "third"], "{told:?}");
    assert!(told[..told.len() - 3].iter().all(|told| told == "broken" || told == "unreachable"), "{told:?}");
}

#[tokio::test]
async fn a_follower_that_was_away_for_too_long_is_told_how_much_it_missed() {
    let cluster = Cluster::start(1, &[], &QUICK).await;
    let proxy = Proxy::to(&cluster.api.url).await;
    let mut following = client(&proxy.url).follow(Follow::default());
    assert_eq!(until(&mut following, "connected").await, ["connected"]);
    cluster.api.answer("first").await;
    until(&mut following, "first").await;
    let number = |following: &Following| -> u64 {
        let id = following.position().expect("an event has come");
        id.rsplit('-').next().expect("a part").parse().expect("a number")
    };
    let before = number(&following);

    proxy.cut();
    // More than a coordinator keeps.
    done(QUORATE, &["load", "--requests", "1200", "--connections", "16", "--query", "load", "--url", &cluster.api.url])
        .await;
    proxy.restore();
    let missed = loop {
        match next(&mut following).await {
            Ok(Event::Missed(count)) => break count.expect("the coordinator counts"),
            Ok(Event::Connected) | Err(_) => {}
            Ok(other) => panic!("{other:?} before what is missing"),
        }
    };
    assert!(missed > 100, "{missed}");
    assert_eq!(number(&following), before + missed, "the notice takes the place of what is missing");
    cluster.api.answer("last").await;
    let told = until(&mut following, "last").await;
    assert!(told.iter().all(|told| told == "load" || told == "last"), "{told:?}");
}

#[tokio::test]
async fn a_follower_goes_on_after_a_restart_of_the_coordinator_and_is_told_of_the_gap() {
    let mut cluster = Cluster::start(1, &[], &[&QUICK[..], &["--announce-ms", "200"]].concat()).await;
    let mut following = client(&cluster.api.url).follow(Follow { query: Some("*".to_owned()), ..Follow::default() });
    assert_eq!(until(&mut following, "connected").await, ["connected"]);
    cluster.api.answer("before").await;
    assert_eq!(until(&mut following, "before").await, ["before"]);

    let address = cluster.api.url.trim_start_matches("http://").to_owned();
    cluster.coordinator.signal(Signal::KILL);
    let lost = next(&mut following).await.expect_err("it is gone");
    assert!(matches!(lost, Error::Broken { .. }), "{lost}");
    let gone = next(&mut following).await.expect_err("it is still gone");
    assert!(matches!(gone, Error::Unreachable { .. }), "{gone}");
    let flags = ["--nats", &cluster.nats.url(), "--listen", &address, "--rate-limit", "0"];
    cluster.coordinator = Program::start(COORDINATOR, &flags);
    let api = api_of(&cluster.coordinator).await;
    api.wait_for(1, "live").await;
    api.answer("after").await;
    let told = until(&mut following, "after").await;
    // The new process knows no event of the old one, so nobody can say how many are missing.
    assert_eq!(told[told.len() - 3..], ["connected", "missed None", "after"], "{told:?}");
}
