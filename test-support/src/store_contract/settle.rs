//! What `settle` finds out when acknowledgements are lost, whatever became of the entry.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use futures_util::future::join;
use quorate_runtime::store::{
    Append, AppendError, Entry, From, Key, Log, Settled, Store, Unavailable, settle as settle_within,
};
use tokio::time::sleep;

use super::{Harness, append, append_with, bodies, body_text, eventually, key, last, read_all, soon};

/// How long [`settle`] may take.
const WITHIN: Duration = Duration::from_secs(20);

/// What becomes of an append whose acknowledgement is lost.
#[derive(Clone, Copy, Debug)]
enum Fate {
    /// It is carried out.
    Done,
    /// It is carried out, and another entry follows.
    Followed,
    /// It is carried out after so long.
    Late(Duration),
    /// It never arrives.
    Dropped,
}

/// A store that loses acknowledgements.
#[derive(Clone)]
struct Lossy<S> {
    store: S,
    fates: Arc<Mutex<VecDeque<Fate>>>,
    /// Whether nothing else is answered, either.
    is_silent: bool,
}

impl<S: Store> Lossy<S> {
    fn new(store: &S, fates: &[Fate]) -> Self {
        Self { store: store.clone(), fates: Arc::new(Mutex::new(fates.iter().copied().collect())), is_silent: false }
    }
}

impl<S: Store> Store for Lossy<S> {
    type Watch = S::Watch;

    async fn append(&self, log: Log, key: &Key, append: Append) -> Result<u64, AppendError> {
        let fate = self.fates.lock().expect("nothing panics").pop_front();
        match fate {
            None if !self.is_silent => return self.store.append(log, key, append).await,
            Some(Fate::Done) => {
                // An error means that another entry came first.
                let _ = self.store.append(log, key, append).await;
            }
            Some(Fate::Followed) => {
                let after = self.store.append(log, key, append).await.expect("nobody else appends");
                self.store.append(log, key, following(after)).await.expect("nobody else appends");
            }
            Some(Fate::Late(delay)) => {
                let (store, key) = (self.store.clone(), key.clone());
                tokio::spawn(async move {
                    sleep(delay).await;
                    let _ = store.append(log, &key, append).await;
                });
            }
            None | Some(Fate::Dropped) => {}
        }
        Err(AppendError::Unclear("its acknowledgement is lost".to_owned()))
    }

    async fn last(&self, log: Log, key: &Key) -> Result<Option<Entry>, Unavailable> {
        if self.is_silent {
            return Err(Unavailable("it is silent".to_owned()));
        }
        self.store.last(log, key).await
    }

    async fn get(&self, log: Log, sequence: u64) -> Result<Option<Entry>, Unavailable> {
        self.store.get(log, sequence).await
    }

    async fn read(&self, log: Log, key: Option<&Key>, from: From, limit: usize) -> Result<Vec<Entry>, Unavailable> {
        self.store.read(log, key, from, limit).await
    }

    async fn watch(&self, log: Log) -> Result<S::Watch, Unavailable> {
        self.store.watch(log).await
    }
}

fn following(after: u64) -> Append {
    Append { after, body: "it follows".into(), ttl: None }
}

async fn settle(store: &impl Store, log: Log, key: &Key, after: u64, body: &str) -> Settled {
    let body = Bytes::copy_from_slice(body.as_bytes());
    soon("the end of settling", settle_within(store, log, key, after, body, None, WITHIN)).await
}

pub async fn an_entry_is_stored_once_although_its_acknowledgement_is_lost<H: Harness>(harness: H) {
    let store = harness.open().await;
    let (name, mut after, mut expected) = (key("a"), 0, Vec::new());
    let fates: [&[Fate]; 5] =
        [&[], &[Fate::Done], &[Fate::Dropped], &[Fate::Dropped, Fate::Done], &[Fate::Done, Fate::Done]];
    for (number, fates) in fates.into_iter().enumerate() {
        let body = number.to_string();
        let settled = settle(&Lossy::new(&store, fates), Log::Feeds, &name, after, &body).await;
        let newest = last(&store, Log::Feeds, &name).await.expect("it is stored");
        assert_eq!(settled, Settled::Stored(newest.sequence), "{fates:?}");
        after = newest.sequence;
        expected.push(body);
        eventually("each entry is read once", async || {
            bodies(&read_all(&store, Log::Feeds, Some(&name), 10).await) == expected
        })
        .await;
    }
}

pub async fn an_entry_that_is_followed_at_once_is_not_stored_again<H: Harness>(harness: H) {
    let store = harness.open().await;
    for log in [Log::Feeds, Log::Leases] {
        let name = key("a");
        let settled = settle(&Lossy::new(&store, &[Fate::Followed]), log, &name, 0, "a").await;
        let newest = last(&store, log, &name).await.expect("two were stored");
        assert_eq!(newest.body, following(0).body);
        assert_eq!(settled, Settled::Lost(Some(newest)));
    }
}

pub async fn an_entry_that_arrives_late_is_stored_once<H: Harness>(harness: H) {
    let store = harness.open().await;
    let (name, mut after, mut expected) = (key("a"), 0, Vec::new());
    for (number, delay) in [1, 100, 200, 300, 600].into_iter().enumerate() {
        let (body, delay) = (number.to_string(), Duration::from_millis(delay));
        let lossy = Lossy::new(&store, &[Fate::Late(delay), Fate::Late(delay)]);
        let settled = settle(&lossy, Log::Feeds, &name, after, &body).await;
        sleep(2 * delay).await;
        let newest = last(&store, Log::Feeds, &name).await.expect("it is stored");
        assert_eq!(settled, Settled::Stored(newest.sequence), "{delay:?}");
        after = newest.sequence;
        expected.push(body);
    }
    eventually("each entry is read once", async || {
        bodies(&read_all(&store, Log::Feeds, Some(&name), 10).await) == expected
    })
    .await;
}

pub async fn of_two_entries_after_the_same_one_the_other_is_lost<H: Harness>(harness: H) {
    let (one, two) = (harness.open().await, harness.open().await);
    let name = key("a");
    let late = Fate::Late(Duration::from_millis(100));
    let pairs: [[&[Fate]; 2]; 5] = [
        [&[], &[]],
        [&[Fate::Done], &[]],
        [&[Fate::Dropped], &[Fate::Done]],
        [&[Fate::Done], &[Fate::Done]],
        [&[late, late], &[Fate::Dropped, late]],
    ];
    for log in [Log::Outcomes, Log::Leases] {
        let mut after = 0;
        for (number, [first, second]) in pairs.into_iter().enumerate() {
            let texts = [format!("{number} one"), format!("{number} two")];
            let (lossy_one, lossy_two) = (Lossy::new(&one, first), Lossy::new(&two, second));
            let settled = join(
                settle(&lossy_one, log, &name, after, &texts[0]),
                settle(&lossy_two, log, &name, after, &texts[1]),
            );
            let (winner, loser, text) = match settled.await {
                (Settled::Stored(winner), loser) => (winner, loser, &texts[0]),
                (loser, Settled::Stored(winner)) => (winner, loser, &texts[1]),
                neither => panic!("{neither:?}"),
            };
            let newest = last(&one, log, &name).await.expect("one is stored");
            assert_eq!((newest.sequence, body_text(&newest)), (winner, text.as_str()));
            assert_eq!(loser, Settled::Lost(Some(newest)));
            after = winner;
        }
    }
}

pub async fn an_entry_after_one_that_is_gone_is_lost<H: Harness>(harness: H) {
    let store = harness.open().await;
    let name = key("a");
    let ttl = Some(Duration::from_secs(1));
    let after = append_with(&store, Log::Open, &name, 0, "brief".into(), ttl).await.expect("it is the first");
    eventually("its end", async || last(&store, Log::Open, &name).await.is_none()).await;
    assert_eq!(settle(&store, Log::Open, &name, after, "too late").await, Settled::Lost(None));
    let refused = settle(&store, Log::Open, &name, 0, &"x".repeat(harness.too_large())).await;
    assert!(matches!(refused, Settled::Refused(_)), "{refused:?}");
}

pub async fn without_a_store_nothing_is_claimed<H: Harness>(harness: H) {
    let store = harness.open().await;
    let name = key("a");
    for fate in [Fate::Done, Fate::Dropped] {
        let after = last(&store, Log::Feeds, &name).await.map_or(0, |entry| entry.sequence);
        let silent = Lossy { is_silent: true, ..Lossy::new(&store, &[fate]) };
        let within = Duration::from_millis(600);
        let settled = settle_within(&silent, Log::Feeds, &name, after, "a".into(), None, within);
        let settled = soon("the end of settling", settled).await;
        assert!(matches!(settled, Settled::Unclear(_)), "{settled:?}");
    }
    append(&store, Log::Feeds, &key("b"), 0, "the store goes on").await.expect("it is the first");
}
