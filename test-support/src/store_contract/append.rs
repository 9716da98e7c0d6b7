//! What is stored, in which order, and for how long.

use std::time::Duration;

use bytes::Bytes;
use futures_util::future::join_all;
use quorate_runtime::store::{AppendError, Log, Store};

use super::{Harness, append, append_as, append_with, bodies, entry, eventually, key, last, read_all};

pub async fn of_many_appends_after_the_same_entry_one_is_stored<H: Harness>(harness: H) {
    const AUTHORS: usize = 12;
    const ROUNDS: usize = 8;
    let stores = join_all((0..3).map(|_| harness.open())).await;
    let name = key("contended");
    for log in [Log::Feeds, Log::Leases] {
        let mut after = 0;
        for round in 0..ROUNDS {
            let authors: Vec<_> = (0..AUTHORS)
                .map(|author| {
                    let (store, name) = (stores[author % stores.len()].clone(), name.clone());
                    let body = format!("{round} {author}");
                    tokio::spawn(async move { append(&store, log, &name, after, &body).await.map(|seq| (seq, body)) })
                })
                .collect();
            let ends: Vec<_> = join_all(authors).await.into_iter().map(|end| end.expect("no panic")).collect();
            let stored: Vec<_> = ends.iter().flatten().collect();
            assert_eq!(stored.len(), 1, "{ends:?}");
            let others = ends.iter().filter(|end| matches!(end, Err(AppendError::Conflict))).count();
            assert_eq!(others, AUTHORS - 1, "{ends:?}");
            let newest = last(&stores[0], log, &name).await.expect("it is stored");
            assert_eq!((newest.sequence, bodies(&[newest.clone()])[0]), (stored[0].0, stored[0].1.as_str()));
            after = newest.sequence;
        }
        let kept = if log.keeps_only_the_last() { 1 } else { ROUNDS };
        eventually("every entry is read", async || read_all(&stores[0], log, Some(&name), 100).await.len() == kept)
            .await;
    }
}

pub async fn an_append_after_another_entry_conflicts_and_stores_nothing<H: Harness>(harness: H) {
    let store = harness.open().await;
    for log in Log::ALL {
        let (name, other) = (key("a"), key("b"));
        assert_eq!(append(&store, log, &name, 7, "after nothing").await, Err(AppendError::Conflict));
        assert_eq!(last(&store, log, &name).await, None);
        let first = append(&store, log, &name, 0, "first").await.expect("it is the first");
        let elsewhere = append(&store, log, &other, 0, "elsewhere").await.expect("it is the first of its key");
        for wrong in [0, first - 1, elsewhere, elsewhere + 1, u64::MAX] {
            if wrong != first {
                assert_eq!(append(&store, log, &name, wrong, "wrong").await, Err(AppendError::Conflict), "{wrong}");
            }
        }
        let newest = last(&store, log, &name).await.expect("it is stored");
        assert_eq!(entry(&newest), (&name, first, &Bytes::from_static(b"first")));
        let second = append(&store, log, &name, first, "second").await.expect("it follows the newest");
        assert!(second > elsewhere);
    }
}

pub async fn entries_of_all_keys_count_up<H: Harness>(harness: H) {
    let store = harness.open().await;
    for log in Log::ALL {
        let mut before = 0;
        for round in 0..3 {
            for name in ["a", "b", "c"] {
                let sequence = append_as(&store, log, &key(name), &format!("{name} {round}")).await;
                assert!(sequence > before);
                before = sequence;
            }
        }
    }
    eventually("the entries of a log are its own", async || {
        let kept = join_all(Log::ALL.map(|log| read_all(&store, log, None, 4))).await;
        kept.iter().map(Vec::len).eq(Log::ALL.map(|log| if log.keeps_only_the_last() { 3 } else { 9 }))
    })
    .await;
}

pub async fn some_logs_keep_only_the_last_entry_of_each_key<H: Harness>(harness: H) {
    let store = harness.open().await;
    for log in Log::ALL {
        let (name, other) = (key("a"), key("b"));
        let first = append_as(&store, log, &name, "first").await;
        append_as(&store, log, &other, "other").await;
        append_as(&store, log, &name, "second").await;
        let kept = if log.keeps_only_the_last() { vec!["other", "second"] } else { vec!["first", "other", "second"] };
        eventually("the right entries are kept", async || {
            let found = store.get(log, first).await.is_ok_and(|found| found.is_some());
            found != log.keeps_only_the_last() && bodies(&read_all(&store, log, None, 10).await) == kept
        })
        .await;
    }
}

pub async fn an_entry_ends_when_its_time_to_live_has_passed<H: Harness>(harness: H) {
    let store = harness.open().await;
    for log in Log::ALL {
        let (brief, long, name) = (key("brief"), key("long"), key("for ever"));
        let ttl = |seconds| Some(Duration::from_secs(seconds));
        let sequence = append_with(&store, log, &brief, 0, "brief".into(), ttl(1)).await.expect("it is the first");
        append_with(&store, log, &long, 0, "long".into(), ttl(3_600)).await.expect("it is the first");
        append(&store, log, &name, 0, "for ever").await.expect("it is the first");
        eventually("the end of an entry", async || last(&store, log, &brief).await.is_none()).await;
        eventually("the end of an entry for all", async || {
            let gone = store.get(log, sequence).await.is_ok_and(|found| found.is_none());
            gone && bodies(&read_all(&store, log, None, 10).await) == ["long", "for ever"]
        })
        .await;
        assert_eq!(append(&store, log, &brief, sequence, "after what is gone").await, Err(AppendError::Conflict));
        append(&store, log, &brief, 0, "anew").await.expect("there is none");
    }
}

pub async fn an_entry_that_is_too_large_is_refused<H: Harness>(harness: H) {
    let store = harness.open().await;
    let name = key("a");
    for log in Log::ALL {
        let body = Bytes::from(vec![b'x'; harness.too_large()]);
        let end = append_with(&store, log, &name, 0, body, None).await;
        assert!(matches!(end, Err(AppendError::Refused(_))), "{end:?}");
        assert_eq!(last(&store, log, &name).await, None);
        append(&store, log, &name, 0, "small").await.expect("the store goes on");
    }
}

pub async fn a_key_can_be_any_text<H: Harness>(harness: H) {
    const TEXTS: [&str; 12] =
        ["a", "A", "BTC/USD", "a.b", "*", ">", "%", "%2E", "eth block", "größe\n", "-", "$KV.oracle-leases.a"];
    let store = harness.open().await;
    for log in Log::ALL {
        for text in TEXTS {
            append(&store, log, &key(text), 0, text).await.unwrap_or_else(|error| panic!("{text:?}: {error}"));
        }
        for text in TEXTS {
            let newest = last(&store, log, &key(text)).await.expect("it is stored");
            assert_eq!((newest.key.text().as_deref(), bodies(&[newest])[0]), (Some(text), text));
            eventually("each key has its own entry", async || {
                bodies(&read_all(&store, log, Some(&key(text)), 10).await) == [text]
            })
            .await;
        }
        eventually("all keys are read", async || bodies(&read_all(&store, log, None, 5).await) == TEXTS).await;
    }
}

pub async fn a_body_can_be_any_bytes<H: Harness>(harness: H) {
    let store = harness.open().await;
    let name = key("a");
    for body in [&b""[..], b"\r\nPUB x 1\r\n", b"\xff\x00", b"NATS/1.0\r\n\r\n", b"{\"error\": {\"code\": 503}}"] {
        let body = Bytes::copy_from_slice(body);
        let after = last(&store, Log::Feeds, &name).await.map_or(0, |entry| entry.sequence);
        let sequence = append_with(&store, Log::Feeds, &name, after, body.clone(), None).await.expect("it follows");
        let newest = last(&store, Log::Feeds, &name).await.expect("it is stored");
        assert_eq!(entry(&newest), (&name, sequence, &body));
        eventually("its entry can be read", async || {
            store.get(Log::Feeds, sequence).await.is_ok_and(|found| found.as_ref() == Some(&newest))
        })
        .await;
    }
}
