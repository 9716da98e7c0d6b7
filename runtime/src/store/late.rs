//! A store that opens while its users already run.

use std::time::Duration;

use tokio::sync::watch;
use tokio::time::timeout;

use super::{Append, AppendError, Entry, From, Key, Log, Store, Unavailable};

/// How long an operation waits for the store to open.
const OPEN_WITHIN: Duration = Duration::from_secs(5);

/// A store that may not be open yet. Until then it is one that does not answer.
#[derive(Clone, Debug)]
pub struct LateStore<S>(watch::Receiver<Option<S>>);

/// Opens a [`LateStore`].
#[derive(Debug)]
pub struct Opener<S>(watch::Sender<Option<S>>);

impl<S> Opener<S> {
    /// Opens it.
    pub fn open(&self, store: S) {
        self.0.send_replace(Some(store));
    }
}

impl<S: Store> LateStore<S> {
    /// A store, and what opens it.
    pub fn new() -> (Self, Opener<S>) {
        let (sender, receiver) = watch::channel(None);
        (Self(receiver), Opener(sender))
    }

    async fn opened(&self) -> Result<S, Unavailable> {
        let mut opened = self.0.clone();
        let opened = timeout(OPEN_WITHIN, opened.wait_for(Option::is_some)).await;
        let store = opened.ok().and_then(Result::ok).and_then(|store| store.clone());
        store.ok_or_else(|| Unavailable("it is not open yet".to_owned()))
    }
}

impl<S: Store> Store for LateStore<S> {
    type Watch = S::Watch;

    async fn append(&self, log: Log, key: &Key, append: Append) -> Result<u64, AppendError> {
        let store = self.opened().await.map_err(|error| AppendError::Unclear(error.to_string()))?;
        store.append(log, key, append).await
    }

    async fn last(&self, log: Log, key: &Key) -> Result<Option<Entry>, Unavailable> {
        self.opened().await?.last(log, key).await
    }

    async fn get(&self, log: Log, sequence: u64) -> Result<Option<Entry>, Unavailable> {
        self.opened().await?.get(log, sequence).await
    }

    async fn read(&self, log: Log, key: Option<&Key>, from: From, limit: usize) -> Result<Vec<Entry>, Unavailable> {
        self.opened().await?.read(log, key, from, limit).await
    }

    async fn watch(&self, log: Log) -> Result<S::Watch, Unavailable> {
        self.opened().await?.watch(log).await
    }
}
