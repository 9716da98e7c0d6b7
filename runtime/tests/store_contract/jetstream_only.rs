//! What only a store on JetStream meets: a server that dies, acknowledgements that are lost on the way, consumers that
//! are removed, and other authors.

use std::time::Duration;

use async_nats::HeaderMap;
use async_nats::jetstream;
use futures_util::{StreamExt as _, TryStreamExt as _};
use quorate_runtime::bus::nats::NatsConfig;
use quorate_runtime::store::jetstream::{JetStream, Settings};
use quorate_runtime::store::{Append, AppendError, From, Log, Settled, Store as _, settle};
use quorate_test_support::store_contract::{
    Harness as _, append, append_as, bodies, body_text, eventually, key, last, next_entry, patiently, read_all,
    until_caught_up,
};
use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpStream;

use crate::bounded;
use crate::harness::JetStreamHarness;
use crate::proxy::Proxy;

const WITHIN: Duration = Duration::from_secs(20);
/// What an acknowledgement contains, whatever the version of the server.
const ACKNOWLEDGEMENT: &str = r#""stream":"oracle-feeds""#;

/// A server, and a store that reaches it through a proxy.
async fn behind_a_proxy() -> (JetStreamHarness, Proxy, JetStream) {
    let harness = JetStreamHarness::start();
    let proxy = Proxy::start(harness.server.port()).await;
    let store = JetStream::open(NatsConfig::new(proxy.url()), Settings::default()).await.expect("it has JetStream");
    (harness, proxy, store)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_entry_whose_acknowledgement_is_lost_on_the_way_is_stored_once() {
    bounded(async || {
        let (_harness, proxy, store) = behind_a_proxy().await;
        let name = key("a");
        proxy.break_at(ACKNOWLEDGEMENT);
        let unclear = append(&store, Log::Feeds, &name, 0, "first").await;
        assert!(matches!(unclear, Err(AppendError::Unclear(_))), "{unclear:?}");
        let first = last(&store, Log::Feeds, &name).await.expect("it was stored");

        proxy.break_at(ACKNOWLEDGEMENT);
        let settled = settle(&store, Log::Feeds, &name, first.sequence, "second".into(), None, WITHIN).await;
        assert!(!proxy.waits());
        let second = last(&store, Log::Feeds, &name).await.expect("it was stored");
        assert_eq!(settled, Settled::Stored(second.sequence));
        assert_eq!(bodies(&read_all(&store, Log::Feeds, Some(&name), 10).await), ["first", "second"]);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_stored_and_watched_outlives_the_server() {
    bounded(async || {
        let mut harness = JetStreamHarness::start();
        let store = harness.open().await;
        let (name, log) = (key("a"), Log::Feeds);
        let mut watch = store.watch(log).await.expect("a watch begins without the server");
        assert_eq!(until_caught_up(&mut watch).await, []);
        let mut after = append_as(&store, log, &name, "0").await;
        assert_eq!(next_entry(&mut watch).await.sequence, after);
        for round in 1..=3 {
            harness.server.kill();
            let asked = store.last(log, &name);
            let (text, appended) = (
                round.to_string(),
                store.append(log, &name, Append { after, body: round.to_string().into(), ttl: None }),
            );
            let restart = async { tokio::task::block_in_place(|| harness.server.restart()) };
            let ((), asked, appended) = tokio::join!(restart, asked, appended);
            // They fail, or wait for the server.
            drop((asked, appended));
            let settled = settle(&store, log, &name, after, text.clone().into(), None, WITHIN).await;
            let newest = last(&store, log, &name).await.expect("the store outlives its server");
            assert_eq!(body_text(&newest), text);
            assert_eq!(settled, Settled::Stored(newest.sequence));
            let seen = next_entry(&mut watch).await;
            assert_eq!(seen, newest, "the watch sees each entry once, and misses none");
            after = newest.sequence;
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_replica_that_is_silent_is_not_waited_for() {
    bounded(async || {
        let (_harness, proxy, store) = behind_a_proxy().await;
        let name = key("a");
        append_as(&store, Log::Feeds, &name, "first").await;
        // No answer comes to a question that is lost.
        proxy.lose("DIRECT.GET.oracle-feeds");
        let newest = store.last(Log::Feeds, &name).await.expect("the question is asked again");
        assert!(!proxy.waits());
        assert_eq!(newest.as_ref().map(body_text), Some("first"));
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_watch_goes_on_when_its_consumer_is_removed() {
    bounded(async || {
        let harness = JetStreamHarness::start();
        let store = harness.open().await;
        let client = async_nats::connect(harness.server.url()).await.expect("the server listens");
        let context = jetstream::new(client);
        let stream = context.get_stream("oracle-feeds").await.expect("it was made");
        append_as(&store, Log::Feeds, &key("a"), "before").await;
        let mut watch = store.watch(Log::Feeds).await.expect("a watch");
        assert_eq!(bodies(&until_caught_up(&mut watch).await), ["before"]);
        for round in 0..2 {
            let names: Vec<String> = stream.consumer_names().try_collect().await.expect("the server answers");
            assert_eq!(names.len(), 1, "{names:?}");
            stream.delete_consumer(&names[0]).await.expect("it is there");
            append_as(&store, Log::Feeds, &key("a"), &format!("{round} a")).await;
            append_as(&store, Log::Feeds, &key("b"), &format!("{round} b")).await;
            assert_eq!(body_text(&next_entry(&mut watch).await), format!("{round} a"));
            assert_eq!(body_text(&next_entry(&mut watch).await), format!("{round} b"));
        }
        drop(watch);
        eventually("the end of the consumer", async || stream.consumer_names().count().await == 0).await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_watch_begins_again_with_a_stream_that_was_made_anew() {
    bounded(async || {
        let harness = JetStreamHarness::start();
        let store = harness.open().await;
        for number in 0..5 {
            append_as(&store, Log::Outcomes, &key(&number.to_string()), "old").await;
        }
        let mut watch = store.watch(Log::Outcomes).await.expect("a watch");
        assert_eq!(until_caught_up(&mut watch).await.len(), 5);
        let client = async_nats::connect(harness.server.url()).await.expect("the server listens");
        jetstream::new(client).delete_stream("oracle-requests").await.expect("it was made");
        let refused = append(&store, Log::Outcomes, &key("a"), 0, "nowhere").await;
        assert!(matches!(refused, Err(AppendError::Unclear(_))), "{refused:?}");
        let other = harness.open().await;
        append_as(&other, Log::Outcomes, &key("a"), "new").await;
        assert_eq!(body_text(&next_entry(&mut watch).await), "new");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_subscriber_to_reports_hears_each_record_that_is_stored_and_no_other() {
    bounded(async || {
        let harness = JetStreamHarness::start();
        let store = harness.open().await;
        let client = async_nats::connect(harness.server.url()).await.expect("the server listens");
        let mut reports = client.subscribe("oracle.reports.>").await.expect("subscribed");
        client.flush().await.expect("the server has the subscription");
        let first = append(&store, Log::Feeds, &key("a"), 0, "first").await.expect("stored");
        assert_eq!(append(&store, Log::Feeds, &key("a"), 0, "refused").await, Err(AppendError::Conflict));
        append(&store, Log::Feeds, &key("a"), first, "second").await.expect("stored");
        for body in ["first", "second"] {
            let heard = reports.next().await.expect("the server is there");
            assert_eq!((heard.subject.as_str(), &*heard.payload), ("oracle.reports.a", body.as_bytes()));
        }
    })
    .await;
}

/// Whoever may publish on the subjects can write what no store writes.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_other_authors_write_is_an_entry_or_skipped() {
    bounded(async || {
        let harness = JetStreamHarness::start();
        let store = harness.open().await;
        let mut watch = store.watch(Log::Feeds).await.expect("a watch");
        assert_eq!(until_caught_up(&mut watch).await, []);
        let client = async_nats::connect(harness.server.url()).await.expect("the server listens");
        let context = jetstream::new(client);
        for subject in ["oracle.feeds.%", "oracle.feeds.%2e", "oracle.feeds.a.b", "oracle.feeds.a%41", "oracle.feeds.ü"]
        {
            context.publish(subject, "no key".into()).await.expect("sent").await.expect("stored");
        }
        let mut headers = HeaderMap::new();
        for (name, value) in [
            ("Nats-Sequence", "77"),
            ("Nats-Subject", "oracle.feeds.b"),
            ("Nats-Time-Stamp", "never"),
            ("Nats-Stream", "x"),
            ("Nats-Last-Consumer", "9"),
            ("Status", "404"),
        ] {
            headers.insert(name, value);
        }
        let body = "\0\u{1b}[31m";
        let stored = context.publish_with_headers("oracle.feeds.a", headers, body.into()).await.expect("sent");
        let sequence = stored.await.expect("stored").sequence;
        let newest = last(&store, Log::Feeds, &key("a")).await.expect("it is an entry");
        assert_eq!((newest.sequence, &newest.key, body_text(&newest)), (sequence, &key("a"), body));
        assert_eq!(next_entry(&mut watch).await, newest);
        assert_eq!(read_all(&store, Log::Feeds, None, 1).await, std::slice::from_ref(&newest));
        let found = patiently("an answer", async || store.get(Log::Feeds, sequence).await).await;
        assert_eq!(found, Some(newest));
        assert_eq!(patiently("an answer", async || store.get(Log::Feeds, 1).await).await, None);
        assert!(store.skipped() > 0);
        append(&store, Log::Feeds, &key("a"), sequence, "and on").await.expect("it follows");
        assert_eq!(body_text(&next_entry(&mut watch).await), "and on");
    })
    .await;
}

/// The client library gives up its connection over such headers.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_entry_with_malformed_headers_is_read_like_any_other() {
    bounded(async || {
        let harness = JetStreamHarness::start();
        // Every reading that meets such an entry breaks the connection, and is made again over the next one.
        let config = NatsConfig { backoff_max: Duration::from_millis(20), ..NatsConfig::new(harness.server.url()) };
        let store = JetStream::open(config, Settings::default()).await.expect("it has JetStream");
        let mut live = store.watch(Log::Feeds).await.expect("a watch");
        assert_eq!(until_caught_up(&mut live).await, []);
        append_as(&store, Log::Feeds, &key("c"), "c0").await;
        // The watch breaks the connection under them, so that their ends are unclear.
        let append_patiently = async |body: String| {
            let name = key("a");
            let after = last(&store, Log::Feeds, &name).await.map_or(0, |entry| entry.sequence);
            let settled = settle(&store, Log::Feeds, &name, after, body.into(), None, WITHIN).await;
            assert!(matches!(settled, Settled::Stored(_)), "{settled:?}");
        };
        for number in 0..3 {
            append_patiently(format!("a{number}")).await;
            let mut author = TcpStream::connect(("127.0.0.1", harness.server.port())).await.expect("it listens");
            let headers = "NATS/1.0\r\nno colon\r\n\r\n";
            let (length, body) = (headers.len(), format!("b{number}"));
            let said = format!(
                "CONNECT {{\"verbose\":false,\"headers\":true}}\r\nHPUB oracle.feeds.b {length} {}\r\n{headers}{body}\r\n",
                length + body.len()
            );
            author.write_all(said.as_bytes()).await.expect("it listens");
            eventually("its entry", async || {
                last(&store, Log::Feeds, &key("b")).await.is_some_and(|entry| entry.body == body)
            })
            .await;
        }
        append_patiently("end".to_owned()).await;
        let all = ["c0", "a0", "b0", "a1", "b1", "a2", "b2", "end"];
        let read = read_all(&store, Log::Feeds, None, 5).await;
        assert_eq!(bodies(&read), all);
        for (from, expected) in [(2, &read[2..]), (3, &read[3..])] {
            let from = From::Time(read[from].stored_at);
            assert_eq!(patiently("a page", async || store.read(Log::Feeds, None, from, 9).await).await, expected);
        }
        let found = patiently("an answer", async || store.get(Log::Feeds, read[2].sequence).await).await;
        assert_eq!(found.as_ref(), Some(&read[2]));
        let mut seen = Vec::new();
        while seen.len() < all.len() {
            seen.push(next_entry(&mut live).await);
            seen.dedup();
        }
        assert_eq!(seen, read);
        let mut late = store.watch(Log::Feeds).await.expect("a watch");
        let seen = until_caught_up(&mut late).await;
        // Before the entry that breaks its connections, it sees another one, again and again.
        assert!([0, 6, 7].iter().all(|&number| seen.contains(&read[number])), "{seen:?}");
        append_patiently("later".to_owned()).await;
        while next_entry(&mut late).await.body != "later" {}
    })
    .await;
}

/// Prints how long an operation takes.
async fn measure(what: &str, mut step: impl AsyncFnMut()) {
    const TIMES: usize = 500;
    let mut times = Vec::new();
    for _ in 0..TIMES {
        let begun = std::time::Instant::now();
        step().await;
        times.push(begun.elapsed());
    }
    times.sort_unstable();
    println!("{what}: median {:?}, p99 {:?}", times[TIMES / 2], times[TIMES * 99 / 100]);
}

/// Prints how long the operations of a store take.
pub(crate) async fn measure_all(store: &JetStream) {
    let name = key("a");
    let mut after = append_as(store, Log::Feeds, &name, "0").await;
    measure("append", async || {
        after = append(store, Log::Feeds, &name, after, &"x".repeat(500)).await.expect("it follows");
    })
    .await;
    measure("last", async || drop(last(store, Log::Feeds, &name).await)).await;
    measure("get", async || drop(store.get(Log::Feeds, after).await)).await;
    for limit in [1, 100] {
        measure(&format!("read {limit}"), async || {
            let page = store.read(Log::Feeds, Some(&name), From::Sequence(100), limit).await;
            assert_eq!(page.expect("a page").len(), limit);
        })
        .await;
    }
    let time = From::Time(store.get(Log::Feeds, 100).await.expect("an answer").expect("an entry").stored_at);
    measure("read 100 by time", async || drop(store.read(Log::Feeds, Some(&name), time, 100).await)).await;
    let mut watch = store.watch(Log::Feeds).await.expect("a watch");
    until_caught_up(&mut watch).await;
    measure("append, and see it in a watch", async || {
        after = append(store, Log::Feeds, &name, after, "x").await.expect("it follows");
        assert_eq!(next_entry(&mut watch).await.sequence, after);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "it only prints times: make bench-store"]
async fn how_long_operations_take() {
    let harness = JetStreamHarness::start();
    measure_all(&harness.open().await).await;
}
