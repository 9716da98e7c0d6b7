//! What a watch sees, and when.

use std::time::Duration;

use futures_util::future::join_all;
use quorate_runtime::store::{Log, Store, Watch, Watched};
use tokio::time::timeout;

use super::{Harness, append, append_as, bodies, key, next_entry, patiently, soon, until_caught_up};

async fn watch<S: Store>(store: &S, log: Log) -> S::Watch {
    patiently("a watch", async || store.watch(log).await).await
}

pub async fn a_watch_sees_the_newest_entries_then_that_it_has_caught_up_then_what_comes<H: Harness>(harness: H) {
    let (author, watcher) = (harness.open().await, harness.open().await);
    for log in Log::ALL {
        for number in 0..3 {
            append_as(&author, log, &key("a"), &format!("a{number}")).await;
            append_as(&author, log, &key("b"), &format!("b{number}")).await;
        }
        append_as(&author, log, &key("c"), "c0").await;
        let mut watch = watch(&watcher, log).await;
        let mut newest = until_caught_up(&mut watch).await;
        newest.sort_by_key(|entry| entry.sequence);
        newest.dedup();
        assert_eq!(bodies(&newest), ["a2", "b2", "c0"]);
        let before = newest.last().expect("there are some").sequence;
        let mut after = before;
        for text in ["c1", "a3", "d0"] {
            let sequence = append_as(&author, log, &key(&text[..1]), text).await;
            let seen = next_entry(&mut watch).await;
            assert_eq!((bodies(&[seen.clone()])[0], seen.sequence, &seen.key), (text, sequence, &key(&text[..1])));
            assert!(seen.sequence > after);
            after = seen.sequence;
        }
    }
}

pub async fn a_watch_of_an_empty_log_has_caught_up<H: Harness>(harness: H) {
    let store = harness.open().await;
    for log in Log::ALL {
        let mut watch = watch(&store, log).await;
        assert_eq!(until_caught_up(&mut watch).await, []);
        append_as(&store, log, &key("a"), "first").await;
        assert_eq!(bodies(&[next_entry(&mut watch).await]), ["first"]);
    }
}

pub async fn a_watch_sees_every_entry_of_a_log_that_keeps_all<H: Harness>(harness: H) {
    const ENTRIES: usize = 100;
    let (author, watcher) = (harness.open().await, harness.open().await);
    let mut watch = watch(&watcher, Log::Feeds).await;
    assert_eq!(until_caught_up(&mut watch).await, []);
    let authors = (0..4).map(|number| {
        let (author, name) = (author.clone(), key(&number.to_string()));
        tokio::spawn(async move {
            let mut after = 0;
            for number in 0..ENTRIES {
                after = append(&author, Log::Feeds, &name, after, &number.to_string()).await.expect("it follows");
            }
        })
    });
    let authors: Vec<_> = authors.collect();
    let (mut seen, mut before) = (vec![0; authors.len()], 0);
    for _ in 0..ENTRIES * authors.len() {
        let entry = next_entry(&mut watch).await;
        assert!(entry.sequence > before, "{} after {before}", entry.sequence);
        before = entry.sequence;
        let author: usize = entry.key.text().expect("a text").parse().expect("a number");
        assert_eq!(bodies(&[entry])[0], seen[author].to_string());
        seen[author] += 1;
    }
    for author in join_all(authors).await {
        author.expect("no panic");
    }
}

pub async fn a_watch_sees_the_last_entry_of_every_key<H: Harness>(harness: H) {
    const ENTRIES: u64 = 50;
    let (author, watcher) = (harness.open().await, harness.open().await);
    append_as(&author, Log::Open, &key("a"), "before").await;
    let mut watch = watch(&watcher, Log::Open).await;
    until_caught_up(&mut watch).await;
    let mut after = [append_as(&author, Log::Open, &key("a"), "a").await, 0];
    for number in 0..ENTRIES {
        for (name, after) in ["a", "b"].into_iter().zip(&mut after) {
            *after = append(&author, Log::Open, &key(name), *after, &number.to_string()).await.expect("it follows");
        }
    }
    let mut seen = [0, 0];
    while seen != after {
        let entry = next_entry(&mut watch).await;
        let seen = &mut seen[usize::from(entry.key == key("b"))];
        assert!(entry.sequence > *seen);
        *seen = entry.sequence;
    }
}

pub async fn a_cancelled_wait_loses_no_entry<H: Harness>(harness: H) {
    const ENTRIES: usize = 40;
    let store = harness.open().await;
    let name = key("a");
    let mut watch = watch(&store, Log::Feeds).await;
    let author = store.clone();
    let author = tokio::spawn(async move {
        let mut after = 0;
        for number in 0..ENTRIES {
            after = append(&author, Log::Feeds, &name, after, &number.to_string()).await.expect("it follows");
        }
    });
    let mut seen = Vec::new();
    soon("all entries", async {
        while seen.last().is_none_or(|last| *last != (ENTRIES - 1).to_string()) {
            if let Ok(Watched::Entry(entry)) = timeout(Duration::from_micros(300), watch.next()).await {
                seen.push(bodies(&[entry])[0].to_owned());
            }
        }
    })
    .await;
    author.await.expect("no panic");
    seen.dedup();
    // What came before the watch had caught up may be the newest entry alone.
    let first = ENTRIES - seen.len();
    assert_eq!(seen, (first..ENTRIES).map(|number| number.to_string()).collect::<Vec<_>>());
}
