//! What only the store in memory promises: how much it keeps.

use std::time::Duration;

use quorate_core::time::Timestamp;
use quorate_runtime::clock::Clock;
use quorate_runtime::store::memory::{MemoryStore, Retention};
use quorate_runtime::store::{AppendError, From, Log, Store as _};
use quorate_test_support::store_contract::{append, append_as, append_with, bodies, key, last, read_all};
use tokio::time::sleep;

fn store(retention: Retention) -> MemoryStore {
    MemoryStore::new(Clock::starting_at(Timestamp::from_millis(1)), retention)
}

#[tokio::test(start_paused = true)]
async fn the_oldest_entries_beyond_the_limit_go_first() {
    for (entries, kept) in
        [(3, vec!["2", "3", "4"]), (1, vec!["4"]), (0, vec!["4"]), (9, vec!["0", "1", "2", "3", "4"])]
    {
        let store = store(Retention { entries, ..Retention::default() });
        for number in 0..5 {
            append_as(&store, Log::Feeds, &key("a"), &number.to_string()).await;
        }
        assert_eq!(bodies(&read_all(&store, Log::Feeds, None, 10).await), kept, "{entries}");
        append_as(&store, Log::Outcomes, &key("a"), "each log has its own limit").await;
        assert_eq!(read_all(&store, Log::Feeds, None, 10).await.len(), kept.len());
    }
}

#[tokio::test(start_paused = true)]
async fn the_oldest_entries_make_room_for_the_bytes_of_new_ones() {
    let store = store(Retention { bytes: 10, ..Retention::default() });
    for body in ["1234", "12", "123", ""] {
        append_as(&store, Log::Feeds, &key("a"), body).await;
    }
    assert_eq!(bodies(&read_all(&store, Log::Feeds, None, 10).await), ["1234", "12", "123", ""]);
    append_as(&store, Log::Feeds, &key("b"), "12345").await;
    assert_eq!(bodies(&read_all(&store, Log::Feeds, None, 10).await), ["12", "123", "", "12345"]);
    append_as(&store, Log::Feeds, &key("b"), "1234567890").await;
    assert_eq!(bodies(&read_all(&store, Log::Feeds, None, 10).await), ["1234567890"]);
    assert_eq!(last(&store, Log::Feeds, &key("a")).await, None);
    append(&store, Log::Feeds, &key("a"), 0, "x").await.expect("nothing is left under the key");
}

#[tokio::test(start_paused = true)]
async fn an_entry_ends_with_its_age_or_its_time_to_live_whichever_is_first() {
    let store = store(Retention { age: Duration::from_secs(10), ..Retention::default() });
    for (name, ttl) in [("brief", Some(2)), ("long", Some(20)), ("plain", None)] {
        let ttl = ttl.map(Duration::from_secs);
        append_with(&store, Log::Feeds, &key(name), 0, name.into(), ttl).await.expect("it is the first");
    }
    sleep(Duration::from_millis(1_999)).await;
    assert_eq!(read_all(&store, Log::Feeds, None, 10).await.len(), 3);
    sleep(Duration::from_millis(1)).await;
    assert_eq!(bodies(&read_all(&store, Log::Feeds, None, 10).await), ["long", "plain"]);
    sleep(Duration::from_millis(7_999)).await;
    assert_eq!(read_all(&store, Log::Feeds, None, 10).await.len(), 2);
    sleep(Duration::from_millis(1)).await;
    assert_eq!(read_all(&store, Log::Feeds, None, 10).await, []);
    assert_eq!(append(&store, Log::Feeds, &key("plain"), 3, "after what is gone").await, Err(AppendError::Conflict));
    assert_eq!(append(&store, Log::Feeds, &key("plain"), 0, "numbers go on").await, Ok(4));
}

/// What replaces an entry keeps it from coming back, and takes its room.
#[tokio::test(start_paused = true)]
async fn a_replaced_entry_leaves_nothing_behind() {
    let store = store(Retention { bytes: 4, entries: 2, ..Retention::default() });
    let mut after = 0;
    for _ in 0..100 {
        let ttl = Some(Duration::from_secs(1));
        after = append_with(&store, Log::Leases, &key("a"), after, "1234".into(), ttl).await.expect("it follows");
    }
    assert_eq!(bodies(&read_all(&store, Log::Leases, None, 10).await), ["1234"]);
    sleep(Duration::from_secs(1)).await;
    assert_eq!(read_all(&store, Log::Leases, None, 10).await, []);
    assert_eq!(store.read(Log::Leases, None, From::Sequence(0), 10).await, Ok(Vec::new()));
}
