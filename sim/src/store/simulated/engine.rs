//! The store itself: a leader that takes entries, a majority that keeps them, and replicas that are behind.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use bytes::Bytes;
use quorate_core::time::UnixTime;
use quorate_runtime::store::{Append, AppendError, Entry, Key, Log};
use tokio::sync::Notify;
use tokio::time::{Instant, sleep, sleep_until};

use super::conditions::{Conditions, Leader};
use super::ledger::{Ledger, View};
use crate::host::Host;
use crate::random::{Random, Stream};
use crate::scenario::{StoreConfig, StoreFault};

/// What strangers write on the subjects of feeds.
const NO_RECORD: &[u8] = b"no record";

/// What happens in the store, as only a simulation can see it, or what a client of it learns.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Happened {
    /// An entry is stored.
    Stored(Log, Entry),
    /// A stored entry is lost.
    Forgotten(Log, Entry),
    /// What a stranger has written on the subject of a feed is lost: its key and its sequence.
    StrangeForgotten(Key, u64),
    /// An entry was taken by a leader that died before it was stored, and never will be.
    Dropped(Log, Key, Bytes),
    /// A client has the answer to an append, or none.
    Appended(Log, Key, Append, Result<u64, AppendError>),
    /// A client has read something that is behind.
    ReadBehind(Log),
    /// A watch begins again with what it has seen.
    WatchedAgain(Log),
}

/// Sees everything that happens in a store, on the host of the store or of a client.
pub type Observer = Box<dyn FnMut(Host, Happened) + Send>;

pub(super) struct Engine {
    pub(super) config: StoreConfig,
    pub(super) conditions: Conditions,
    began: Instant,
    inner: Mutex<Inner>,
}

struct Inner {
    ledger: Ledger,
    random: Random,
    /// The entries that the leader has taken and that are not stored yet, with the number of elections before each.
    taken: BTreeMap<(Log, Key), u64>,
    losses: Vec<(Duration, u32)>,
    observer: Observer,
    watchers: Vec<Weak<Notify>>,
}

impl Inner {
    /// Wakes the watches that there still are.
    fn notify(&mut self) {
        self.watchers.retain(|watch| watch.upgrade().inspect(|watch| watch.notify_one()).is_some());
    }
}

impl Engine {
    pub(super) fn new(seed: u64, config: StoreConfig, faults: &[StoreFault], observer: Observer) -> Arc<Self> {
        let conditions = Conditions::new(faults);
        let inner = Inner {
            ledger: Ledger::new(seed, Duration::from_millis(config.late_expiry_ms)),
            random: Random::new(seed, Stream::Store, 0),
            taken: BTreeMap::new(),
            losses: conditions.losses(),
            observer,
            watchers: Vec::new(),
        };
        Arc::new(Self { config, conditions, began: Instant::now(), inner: Mutex::new(inner) })
    }

    pub(super) fn now(&self) -> Duration {
        self.began.elapsed()
    }

    pub(super) fn instant(&self, at: Duration) -> Instant {
        self.began + at
    }

    /// The state of the store, without what its disks have lost by now.
    fn inner(&self) -> MutexGuard<'_, Inner> {
        let now = self.now();
        let mut inner = self.inner.lock().unwrap_or_else(PoisonError::into_inner);
        while let Some((_, count)) = inner.losses.first().copied().filter(|(at, _)| *at <= now) {
            inner.losses.remove(0);
            for entry in inner.ledger.forget(Log::Feeds, count as usize) {
                let happened = if entry.body == NO_RECORD {
                    Happened::StrangeForgotten(entry.key, entry.sequence)
                } else {
                    Happened::Forgotten(Log::Feeds, entry)
                };
                (inner.observer)(Host::Broker, happened);
            }
        }
        inner
    }

    pub(super) fn random<T>(&self, draw: impl FnOnce(&mut Random) -> T) -> T {
        draw(&mut self.inner().random)
    }

    /// Looks at the store as it is, or as it was some time ago.
    pub(super) fn look<T>(&self, behind: Duration, look: impl FnOnce(&Ledger, View) -> T) -> T {
        let now = self.now();
        let view = View { at: now.saturating_sub(behind), elections: self.conditions.elections(now) };
        look(&self.inner().ledger, view)
    }

    /// Tells the observer what happens on the host of a client.
    pub(super) fn tell(&self, host: Host, happened: Happened) {
        (self.inner().observer)(host, happened);
    }

    /// Wakes a watch whenever something is stored.
    pub(super) fn wake(&self, watch: &Arc<Notify>) {
        self.inner().watchers.push(Arc::downgrade(watch));
    }

    /// A message is on its way between a host and the store. `false` if it is lost.
    pub(super) async fn travel(&self, host: Host, is_request: bool) -> bool {
        let begins = self.now();
        let (permille, late_ms) = self.conditions.late_requests(begins);
        let (low, high) = self.config.latency_us;
        let (latency, late, is_kept) = self.random(|random| {
            let latency = random.within(low..=high);
            let late = if is_request && random.chance(permille) { random.within(0..=late_ms) } else { 0 };
            (latency, late, random.chance(500))
        });
        let time = Duration::from_micros(latency) + Duration::from_millis(late);
        sleep(time).await;
        let now = self.now();
        let cut = self.conditions.cut(host, now).or_else(|| self.conditions.minority(host, now).map(|(_, end)| end));
        match cut {
            None => true,
            // The connection survives, and sends again what was not acknowledged.
            Some(until) if is_kept => {
                sleep_until(self.instant(until) + time).await;
                true
            }
            Some(_) => false,
        }
    }

    /// The answer to a message is on its way. `false` if it is lost.
    pub(super) async fn answer(&self, host: Host) -> bool {
        let permille = self.conditions.lost_answers(self.now());
        let is_lost = self.random(|random| random.chance(permille));
        !is_lost && self.travel(host, false).await
    }

    /// Waits for a leader that does something. `false` if there is none, or none any more.
    async fn leader(&self) -> bool {
        let begins = self.now();
        loop {
            match self.conditions.leader(self.now()) {
                Leader::Leads => return !self.conditions.has_elected(begins, self.now()),
                Leader::Paused(until) => sleep_until(self.instant(until)).await,
                Leader::Electing(_) => return false,
            }
        }
    }

    /// Whether a client that has found no leader is told so at once.
    fn tells_that_nobody_leads(&self) -> bool {
        self.random(|random| random.chance(500))
    }

    /// Lets the leader take an entry. `None` if its author is not told what became of it.
    pub(super) async fn append(&self, log: Log, key: Key, append: Append) -> Option<Result<u64, AppendError>> {
        if !self.leader().await {
            return self.tells_that_nobody_leads().then(|| Err(AppendError::Unclear("it has no leader".to_owned())));
        }
        if append.body.len() > self.config.max_body {
            return Some(Err(AppendError::Refused(format!("it is longer than {} bytes", self.config.max_body))));
        }
        let elections = self.conditions.elections(self.now());
        let newest = self.look(Duration::ZERO, |ledger, view| ledger.newest(log, &key, view).map(|it| it.sequence));
        {
            let mut inner = self.inner();
            // What another one of this key waits for is refused by the leader, whatever becomes of that one.
            let is_taken = inner.taken.contains_key(&(log, key.clone()));
            if is_taken || newest.unwrap_or(0) != append.after {
                return Some(Err(AppendError::Conflict));
            }
            inner.taken.insert((log, key.clone()), elections);
        }
        self.store(log, key, append).await.map(Ok)
    }

    /// Stores an entry that the leader has taken. `None` if the leader dies before.
    async fn store(&self, log: Log, key: Key, append: Append) -> Option<u64> {
        let taken = self.now();
        let (low, high) = self.config.commit_us;
        let commit = self.random(|random| Duration::from_micros(random.within(low..=high)));
        sleep(commit).await;
        if let Leader::Paused(until) = self.conditions.leader(self.now()) {
            sleep_until(self.instant(until)).await;
        }
        let mut has_died = false;
        if self.conditions.has_elected(taken, self.now()) {
            let survives = self.random(|random| random.chance(500));
            if !survives {
                let mut inner = self.inner();
                inner.taken.remove(&(log, key.clone()));
                (inner.observer)(Host::Broker, Happened::Dropped(log, key, append.body));
                return None;
            }
            has_died = true;
            while let Leader::Electing(until) | Leader::Paused(until) = self.conditions.leader(self.now()) {
                sleep_until(self.instant(until)).await;
            }
        }
        let now = self.now();
        let mut inner = self.inner();
        inner.taken.remove(&(log, key.clone()));
        let stored_at = UnixTime::EPOCH.after(now);
        let entry = inner.ledger.push((log, &key), append.body, (now, stored_at), append.ttl).clone();
        let sequence = entry.sequence;
        (inner.observer)(Host::Broker, Happened::Stored(log, entry));
        inner.notify();
        (!has_died).then_some(sequence)
    }

    /// Stores what somebody else writes on the subject of a feed, whatever is there, if there is a leader.
    pub(super) fn intrude(&self, feed: &Key) {
        let now = self.now();
        let leads = matches!(self.conditions.leader(now), Leader::Leads);
        let mut inner = self.inner();
        if !leads || inner.taken.contains_key(&(Log::Feeds, feed.clone())) {
            return;
        }
        let body = Bytes::from_static(NO_RECORD);
        inner.ledger.push((Log::Feeds, feed), body, (now, UnixTime::EPOCH.after(now)), None);
        inner.notify();
    }

    /// The newest entry, as the leader knows it. `None` if there is no answer; an error if there is no leader.
    pub(super) async fn last(&self, log: Log, key: &Key) -> Option<Result<Option<Entry>, String>> {
        if !self.leader().await {
            return self.tells_that_nobody_leads().then(|| Err("it has no leader".to_owned()));
        }
        Some(Ok(self.look(Duration::ZERO, |ledger, view| ledger.newest(log, key, view).cloned())))
    }

    /// By how much a reading of a host that begins now is behind; `None` if nothing reads for it.
    pub(super) fn behind(&self, host: Host) -> Option<Duration> {
        let now = self.now();
        if let Some((from, _)) = self.conditions.minority(host, now) {
            return Some(now.saturating_sub(from));
        }
        if self.conditions.cut(host, now).is_some() {
            return None;
        }
        let most = self.config.lag_ms.max(self.conditions.lag_ms(now));
        Some(self.random(|random| Duration::from_millis(random.within(0..=most))))
    }
}
