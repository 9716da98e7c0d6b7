//! What one process has of the store: a connection that fails.

use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use quorate_runtime::store::{self, Append, AppendError, Entry, From, Key, Log, Store, Unavailable};
use tokio::sync::oneshot;
use tokio::time::{Instant, sleep, sleep_until, timeout_at};

use super::engine::{Engine, Happened, Observer};
use super::watch::SimulatedWatch;
use crate::host::Host;
use crate::scenario::{StoreConfig, StoreFault};

/// A simulated store, as one process reaches it.
#[derive(Clone)]
pub struct SimulatedStore {
    pub(super) engine: Arc<Engine>,
    pub(super) host: Host,
    is_dead: Arc<AtomicBool>,
}

impl std::fmt::Debug for SimulatedStore {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("SimulatedStore").field(&self.host).finish()
    }
}

impl SimulatedStore {
    /// A new store, as a process on `host` reaches it. Its faults count from now on. Needs a runtime of tokio.
    pub fn new(seed: u64, host: Host, config: StoreConfig, faults: &[StoreFault], observer: Observer) -> Self {
        let engine = Engine::new(seed, config, faults, observer);
        Self { engine, host, is_dead: Arc::default() }
    }

    /// The same store, as another process reaches it.
    #[must_use]
    pub fn of(&self, host: Host) -> Self {
        Self { engine: Arc::clone(&self.engine), host, is_dead: Arc::default() }
    }

    /// Kills the process: nothing that it still does reaches the store, and no answer reaches it.
    pub(crate) fn kill(&self) {
        self.is_dead.store(true, Ordering::Relaxed);
    }

    /// Until when the process is paused, as an instant.
    pub(crate) fn paused(&self) -> Option<Instant> {
        let until = self.engine.conditions.paused(self.host, self.engine.now())?;
        Some(self.engine.instant(until))
    }

    /// Writes what is no record on the subject of a feed, again and again.
    pub(crate) async fn strangers(self, feed: Key, every: Duration, until: Instant) {
        while Instant::now() < until {
            self.engine.intrude(&feed);
            sleep(every).await;
        }
    }

    /// Waits while the process is paused, and for ever if it is killed.
    pub(super) async fn live(&self) {
        while let Some(until) = self.paused() {
            sleep_until(until).await;
        }
        if self.is_dead.load(Ordering::Relaxed) {
            std::future::pending::<()>().await;
        }
    }

    /// Sends a request, which goes on whatever becomes of its author, and waits for the answer for as long as a client
    /// does.
    async fn exchange<T, F>(&self, handle: impl FnOnce(Arc<Engine>) -> F) -> Option<T>
    where
        T: Send + 'static,
        F: Future<Output = Option<T>> + Send + 'static,
    {
        self.live().await;
        let until = Instant::now() + Duration::from_millis(self.engine.config.answer_ms);
        let (tell, hear) = oneshot::channel();
        let (engine, host) = (Arc::clone(&self.engine), self.host);
        let handled = handle(Arc::clone(&engine));
        tokio::spawn(async move {
            if engine.travel(host, true).await
                && let Some(answer) = handled.await
                && engine.answer(host).await
            {
                // The author may have given up, or be dead.
                let _ = tell.send(answer);
            }
        });
        let answer = timeout_at(until, hear).await.ok().and_then(Result::ok);
        if answer.is_none() {
            sleep_until(until).await;
        }
        self.live().await;
        answer
    }

    /// Asks a replica that may be behind.
    async fn look<T: Send + 'static>(
        &self,
        log: Log,
        look: impl FnOnce(&Engine, Duration) -> T + Send + 'static,
    ) -> Result<T, Unavailable> {
        let silent = || Unavailable("no answer came".to_owned());
        self.live().await;
        let Some(behind) = self.engine.behind(self.host) else {
            sleep_until(Instant::now() + Duration::from_millis(self.engine.config.answer_ms)).await;
            self.live().await;
            return Err(silent());
        };
        let host = self.host;
        let look = move |engine: &Engine| {
            let newest = |behind| engine.look(behind, |ledger, view| ledger.last_before(log, view.at));
            if newest(behind) != newest(Duration::ZERO) {
                engine.tell(host, Happened::ReadBehind(log));
            }
            look(engine, behind)
        };
        if self.engine.conditions.minority(host, self.engine.now()).is_some() {
            return Ok(look(&self.engine));
        }
        self.exchange(move |engine| async move { Some(look(&engine)) }).await.ok_or_else(silent)
    }
}

impl Store for SimulatedStore {
    type Watch = SimulatedWatch;

    async fn append(&self, log: Log, key: &Key, append: Append) -> Result<u64, AppendError> {
        let (to, sent) = (key.clone(), append.clone());
        let answer = self.exchange(|engine| async move { engine.append(log, to, sent).await }).await;
        let answer = answer.unwrap_or_else(|| Err(AppendError::Unclear("no answer came".to_owned())));
        self.engine.tell(self.host, Happened::Appended(log, key.clone(), append, answer.clone()));
        answer
    }

    async fn last(&self, log: Log, key: &Key) -> Result<Option<Entry>, Unavailable> {
        let key = key.clone();
        let answer = self.exchange(|engine| async move { engine.last(log, &key).await }).await;
        answer.unwrap_or_else(|| Err("no answer came".to_owned())).map_err(Unavailable)
    }

    async fn get(&self, log: Log, sequence: u64) -> Result<Option<Entry>, Unavailable> {
        self.look(log, move |engine, behind| {
            let there = |entry: &&Entry| entry.sequence == sequence;
            engine.look(behind, |ledger, view| ledger.from(log, sequence, view).next().filter(there).cloned())
        })
        .await
    }

    async fn read(&self, log: Log, key: Option<&Key>, from: From, limit: usize) -> Result<Vec<Entry>, Unavailable> {
        let key = key.cloned();
        self.look(log, move |engine, behind| {
            let (first, time) = match from {
                From::Sequence(sequence) => (sequence, None),
                From::Time(time) => (0, Some(time)),
            };
            let is_asked_for = |entry: &&Entry| {
                key.as_ref().is_none_or(|key| entry.key == *key) && time.is_none_or(|time| entry.stored_at >= time)
            };
            engine.look(behind, |ledger, view| store::page(ledger.from(log, first, view).filter(is_asked_for), limit))
        })
        .await
    }

    async fn watch(&self, log: Log) -> Result<SimulatedWatch, Unavailable> {
        let (newest, seen) = self
            .look(log, move |engine, behind| {
                engine.look(behind, |ledger, view| (ledger.newest_of_all(log, view), ledger.last_before(log, view.at)))
            })
            .await?;
        Ok(SimulatedWatch::new(self.clone(), log, newest, seen))
    }
}
