//! What is found, and in which order.

use std::time::Duration;

use quorate_core::time::UnixTime;
use quorate_runtime::store::{BODY_BYTES, Entry, From, Log, READ_BYTES, Store};
use tokio::time::sleep;

use super::{Harness, append, append_as, bodies, body_text, eventually, key, last, patiently, read_all};

pub async fn last_sees_what_was_just_stored<H: Harness>(harness: H) {
    let (author, reader) = (harness.open().await, harness.open().await);
    let name = key("a");
    for log in Log::ALL {
        assert_eq!(last(&reader, log, &name).await, None);
        let mut after = 0;
        for round in 0..20 {
            let body = round.to_string();
            after = append(&author, log, &name, after, &body).await.expect("nobody else appends");
            let seen = last(&reader, log, &name).await.expect("it is stored");
            assert_eq!((seen.sequence, body_text(&seen)), (after, body.as_str()));
        }
    }
}

pub async fn an_entry_is_found_by_its_sequence_in_its_own_log<H: Harness>(harness: H) {
    let store = harness.open().await;
    let name = key("a");
    // The logs may share their numbers, or not.
    let mut sequences = Vec::new();
    for log in Log::ALL {
        sequences.push(append_as(&store, log, &name, &format!("{log:?}")).await);
    }
    for (log, sequence) in Log::ALL.into_iter().zip(sequences) {
        eventually("an entry is found", async || {
            let found = store.get(log, sequence).await.ok().flatten();
            found.is_some_and(|found| found.sequence == sequence && body_text(&found) == format!("{log:?}"))
        })
        .await;
        for missing in [0, sequence + 1_000, u64::MAX] {
            let found = patiently("an answer", async || store.get(log, missing).await).await;
            assert_eq!(found, None, "{missing}");
        }
        for other in 1..sequence {
            let found = patiently("an answer", async || store.get(log, other).await).await;
            assert_eq!(found, None, "{other} is of another log");
        }
    }
}

/// Stores entries under two keys in turn.
async fn fill(store: &impl Store, log: Log) -> Vec<Entry> {
    const ENTRIES: usize = 30;
    let mut newest = [0, 0];
    for number in 0..ENTRIES {
        let name = key(["a", "b"][number % 2]);
        let after = newest[number % 2];
        let stored = append(store, log, &name, after, &number.to_string()).await;
        newest[number % 2] = stored.expect("nobody else appends");
    }
    eventually("all entries are read", async || read_all(store, log, None, 100).await.len() == ENTRIES).await;
    read_all(store, log, None, 100).await
}

pub async fn pages_by_sequence_hold_every_entry_once<H: Harness>(harness: H) {
    let store = harness.open().await;
    for log in [Log::Feeds, Log::Outcomes] {
        let all = fill(&store, log).await;
        let numbers: Vec<_> = (0..all.len()).map(|number| number.to_string()).collect();
        assert_eq!(bodies(&all), numbers);
        for page in [1, 7, 30, 31] {
            eventually("the same pages", async || read_all(&store, log, None, page).await == all).await;
            for name in ["a", "b"] {
                let own: Vec<_> = all.iter().filter(|entry| entry.key == key(name)).cloned().collect();
                eventually("the pages of a key", async || read_all(&store, log, Some(&key(name)), page).await == own)
                    .await;
            }
        }
        let from = From::Sequence(all[10].sequence);
        let page = patiently("a page", async || store.read(log, None, from, 3).await).await;
        assert_eq!(page, all[10..13]);
        let page = patiently("a page", async || store.read(log, None, from, 0).await).await;
        assert_eq!(page, []);
    }
}

pub async fn a_page_is_bounded_in_bytes<H: Harness>(harness: H) {
    const ENTRIES: usize = 6;
    let store = harness.open().await;
    let name = key("a");
    let body = "x".repeat(BODY_BYTES);
    let mut after = 0;
    for _ in 0..ENTRIES {
        after = append(&store, Log::Feeds, &name, after, &body).await.expect("every store takes as much");
    }
    let (mut seen, mut from) = (0, 0);
    while seen < ENTRIES {
        let page = patiently("a page", async || store.read(Log::Feeds, None, From::Sequence(from), 100).await).await;
        assert!(page.len() * BODY_BYTES < READ_BYTES + 2 * BODY_BYTES, "{} entries", page.len());
        seen += page.len();
        // A reading may be behind.
        from = page.last().map_or(from, |last| last.sequence + 1);
    }
    assert_eq!((seen, from), (ENTRIES, after + 1));
}

pub async fn pages_by_time_begin_with_the_first_entry_of_that_time<H: Harness>(harness: H) {
    let store = harness.open().await;
    let mut all = Vec::new();
    for number in 0..12 {
        append_as(&store, Log::Feeds, &key(["a", "b"][number % 2]), &number.to_string()).await;
        sleep(Duration::from_millis(3)).await;
    }
    eventually("all entries are read", async || {
        all = read_all(&store, Log::Feeds, None, 100).await;
        all.len() == 12
    })
    .await;
    assert!(all.is_sorted_by_key(|entry| entry.stored_at));
    assert!(all[0].stored_at < all[11].stored_at);
    for at in [0, 5, 11] {
        let time = all[at].stored_at;
        for (from, expected) in [(time, time), (UnixTime::from_nanos(time.as_nanos() + 1), all[at].stored_at)] {
            let is_later = |entry: &&Entry| entry.stored_at >= from && entry.stored_at >= expected;
            for name in [None, Some(key("a"))] {
                let of_key = |entry: &&Entry| name.as_ref().is_none_or(|name| entry.key == *name);
                let later: Vec<_> = all.iter().filter(is_later).filter(of_key).take(4).cloned().collect();
                eventually("a page by time", async || {
                    let page = store.read(Log::Feeds, name.as_ref(), From::Time(from), 4).await;
                    page.is_ok_and(|page| page == later)
                })
                .await;
            }
        }
    }
    let from = From::Time(UnixTime::EPOCH);
    let page = patiently("a page", async || store.read(Log::Feeds, None, from, 100).await).await;
    assert_eq!(page, all);
}

pub async fn nothing_is_read_from_an_empty_log<H: Harness>(harness: H) {
    let store = harness.open().await;
    for log in Log::ALL {
        for from in [From::Sequence(0), From::Sequence(1), From::Sequence(u64::MAX), From::Time(UnixTime::EPOCH)] {
            for name in [None, Some(key("a"))] {
                let page = patiently("a page", async || store.read(log, name.as_ref(), from, 10).await).await;
                assert_eq!(page, [], "{from:?}");
            }
        }
    }
}
