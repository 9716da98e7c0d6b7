//! What only a cluster meets: leaders that are killed, paused and cut off from the others.

use std::collections::BTreeSet;
use std::time::Duration;

use async_nats::jetstream;
use bytes::Bytes;
use futures_util::future::join_all;
use quorate_runtime::bus::nats::NatsConfig;
use quorate_runtime::store::jetstream::{JetStream, Settings};
use quorate_runtime::store::{Log, Settled, Store as _, settle};
use quorate_test_support::NatsCluster;
use quorate_test_support::store_contract::{
    append, append_as, eventually, key, last, next_entry, patiently, read_all, soon, until_caught_up,
};

use crate::bounded;
use crate::jetstream_only::measure_all;

/// How long an entry may take to be settled, elections included.
const WITHIN: Duration = Duration::from_mins(1);

async fn open(urls: &str) -> JetStream {
    let settings = Settings { replicas: 3, ..Settings::default() };
    JetStream::open(NatsConfig::new(urls), settings).await.expect("the cluster has JetStream")
}

/// The name of the server that leads a stream.
async fn leader(urls: &str, stream: &str) -> String {
    let client = async_nats::connect(urls.split(',').collect::<Vec<_>>()).await.expect("a server listens");
    let context = jetstream::new(client);
    patiently("a leader", async || {
        let info = context.get_stream(stream).await.map_err(|error| error.to_string())?.cached_info().clone();
        info.cluster.and_then(|cluster| cluster.leader).ok_or_else(|| "no leader".to_owned())
    })
    .await
}

/// Authors append to the same keys while the leader is killed, twice. Whatever an author was told is true, and a watch
/// has missed nothing.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_entry_is_stored_once_although_leaders_are_killed() {
    const AUTHORS: usize = 4;
    const KEYS: usize = 2;
    const ENTRIES: usize = 150;
    bounded(async || {
        let mut cluster = NatsCluster::start(3);
        let urls = cluster.urls();
        let watcher = open(&urls).await;
        let mut watch = watcher.watch(Log::Feeds).await.expect("a watch");
        assert_eq!(until_caught_up(&mut watch).await, []);
        let authors = join_all((0..AUTHORS).map(|_| open(&urls))).await;
        let authors = authors.into_iter().enumerate().map(|(author, store)| {
            tokio::spawn(async move {
                let mut own = Vec::new();
                for number in 0..ENTRIES {
                    let name = key(&(number % KEYS).to_string());
                    for attempt in 0.. {
                        let Ok(newest) = store.last(Log::Feeds, &name).await else { continue };
                        let after = newest.map_or(0, |entry| entry.sequence);
                        let body = Bytes::from(format!("{author} {number} {attempt}"));
                        match settle(&store, Log::Feeds, &name, after, body.clone(), None, WITHIN).await {
                            Settled::Stored(sequence) => {
                                own.push((sequence, name, body));
                                break;
                            }
                            Settled::Lost(Some(_)) => {}
                            other => panic!("{other:?}"),
                        }
                    }
                }
                own
            })
        });
        let authors: Vec<_> = authors.collect();
        for _ in 0..2 {
            let name = leader(&urls, "oracle-feeds").await;
            let server = cluster.server(&name);
            let seen = next_entry(&mut watch).await.sequence;
            soon("some entries", async { while next_entry(&mut watch).await.sequence < seen + 20 {} }).await;
            tokio::task::block_in_place(|| server.kill());
            assert_ne!(leader_other_than(&urls, "oracle-feeds", &name).await, name);
            tokio::task::block_in_place(|| server.restart());
        }
        let mut stored = Vec::new();
        for author in authors {
            let own = author.await.expect("no panic");
            assert_eq!(own.len(), ENTRIES);
            stored.extend(own);
        }
        stored.sort_unstable();
        let bodies: BTreeSet<&Bytes> = stored.iter().map(|(_, _, body)| body).collect();
        eventually("all entries are read", async || {
            let all = read_all(&watcher, Log::Feeds, None, 100).await;
            // An author that was told that its entry is not the newest one may have stored it nevertheless.
            all.iter()
                .filter(|entry| bodies.contains(&entry.body))
                .map(|entry| (entry.sequence, &entry.key, &entry.body))
                .eq(stored.iter().map(|(sequence, key, body)| (*sequence, key, body)))
        })
        .await;
        let end = stored.last().expect("there are some").0;
        soon("the last entry", async { while next_entry(&mut watch).await.sequence != end {} }).await;
    })
    .await;
}

async fn leader_other_than(urls: &str, stream: &str, former: &str) -> String {
    soon("another leader", async {
        loop {
            let name = leader(urls, stream).await;
            if name != former {
                return name;
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    })
    .await
}

/// A leader that was paused does not know that there is another one, and answers the questions that have waited.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn last_is_not_old_when_a_paused_leader_goes_on() {
    const ROUNDS: usize = 2;
    bounded(async || {
        let mut cluster = NatsCluster::start(3);
        let urls = cluster.urls();
        let name = key("a");
        append_as(&open(&urls).await, Log::Feeds, &name, "before").await;
        for round in 0..ROUNDS {
            let leading = leader(&urls, "oracle-feeds").await;
            let own_url = cluster.server(&leading).url();
            let behind = open(&own_url).await;
            let others = urls.split(',').filter(|url| *url != own_url).collect::<Vec<_>>().join(",");
            let writer = open(&others).await;
            let after = last(&writer, Log::Feeds, &name).await.expect("it is stored").sequence;
            cluster.server(&leading).pause();
            let body = round.to_string();
            let settled = settle(&writer, Log::Feeds, &name, after, body.into(), None, WITHIN).await;
            let Settled::Stored(stored) = settled else { panic!("{settled:?}") };
            let asked = tokio::spawn(async move { (behind.last(Log::Feeds, &key("a")).await, behind) });
            tokio::task::yield_now().await;
            cluster.server(&leading).resume();
            let (answer, behind) = asked.await.expect("no panic");
            if let Ok(answer) = answer {
                assert_eq!(answer.expect("it is stored").sequence, stored);
            }
            assert_eq!(last(&behind, Log::Feeds, &name).await.expect("it is stored").sequence, stored);
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_a_majority_nothing_is_stored_or_claimed() {
    bounded(async || {
        let mut cluster = NatsCluster::start(3);
        let urls = cluster.urls();
        let (store, name) = (open(&urls).await, key("a"));
        let after = append_as(&store, Log::Open, &name, "before").await;
        let names: Vec<_> = cluster.servers().iter().map(|server| server.name().to_owned()).collect();
        for name in &names[..2] {
            cluster.server(name).kill();
        }
        let end = append(&store, Log::Open, &name, after, "during").await;
        assert!(end.is_err(), "{end:?}");
        assert!(store.last(Log::Open, &name).await.is_err());
        for name in &names[..2] {
            tokio::task::block_in_place(|| cluster.server(name).restart());
        }
        let settled = settle(&store, Log::Open, &name, after, "during".into(), None, WITHIN).await;
        let newest = last(&store, Log::Open, &name).await.expect("it is stored");
        assert_eq!((settled, newest.body.as_ref()), (Settled::Stored(newest.sequence), &b"during"[..]));
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "it only prints times: make bench-store"]
async fn how_long_operations_take_in_a_cluster() {
    let cluster = NatsCluster::start(3);
    measure_all(&open(&cluster.urls()).await).await;
}
