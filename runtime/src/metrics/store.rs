//! What became of the calls of the store, by log.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use super::page::Page;
use crate::store::{Append, AppendError, Entry, From, Key, Log, Store, Unavailable};

/// A store that counts how its calls end.
#[derive(Clone, Debug)]
pub(crate) struct Counted<S> {
    store: S,
    counts: Arc<StoreCounts>,
}

/// How the calls of a store have ended.
#[derive(Debug, Default)]
pub(super) struct StoreCounts([OfLog; Log::ALL.len()]);

#[derive(Debug, Default)]
struct OfLog {
    stored: AtomicU64,
    conflict: AtomicU64,
    refused: AtomicU64,
    unclear: AtomicU64,
    append_given_up: AtomicU64,
    answered: AtomicU64,
    unavailable: AtomicU64,
    read_given_up: AtomicU64,
}

/// Counts a call when it is dropped, which is before its end if nobody waits for it any longer.
struct Call<'a>(&'a AtomicU64);

impl Drop for Call<'_> {
    fn drop(&mut self) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

impl StoreCounts {
    fn of(&self, log: Log) -> &OfLog {
        &self.0[log as usize]
    }

    pub(super) fn show(&self, page: &mut Page) {
        let logs = || Log::ALL.into_iter().map(|log| (name(log), self.of(log)));
        let count = |part: &AtomicU64| part.load(Ordering::Relaxed);
        let appends = logs().flat_map(|(log, of)| {
            let results = [
                ("stored", &of.stored),
                ("conflict", &of.conflict),
                ("refused", &of.refused),
                ("unclear", &of.unclear),
                ("given_up", &of.append_given_up),
            ];
            results.map(|(result, part)| ([("log", log), ("result", result)], count(part)))
        });
        page.labelled_counters("quorate_store_appends_total", "Entries for the store, by log and result.", appends);
        let reads = logs().flat_map(|(log, of)| {
            let results =
                [("answered", &of.answered), ("unavailable", &of.unavailable), ("given_up", &of.read_given_up)];
            results.map(|(result, part)| ([("log", log), ("result", result)], count(part)))
        });
        page.labelled_counters("quorate_store_reads_total", "Readings from the store, by log and result.", reads);
    }
}

/// The name of a log in a label.
fn name(log: Log) -> &'static str {
    match log {
        Log::Feeds => "feeds",
        Log::Leases => "leases",
        Log::Open => "open",
        Log::Outcomes => "outcomes",
    }
}

impl<S> Counted<S> {
    pub(super) fn new(store: S, counts: Arc<StoreCounts>) -> Self {
        Self { store, counts }
    }

    async fn reading<T>(
        &self,
        log: Log,
        reading: impl Future<Output = Result<T, Unavailable>> + Send,
    ) -> Result<T, Unavailable> {
        let of = self.counts.of(log);
        let mut call = Call(&of.read_given_up);
        let read = reading.await;
        call.0 = if read.is_ok() { &of.answered } else { &of.unavailable };
        read
    }
}

impl<S: Store> Store for Counted<S> {
    type Watch = S::Watch;

    async fn append(&self, log: Log, key: &Key, append: Append) -> Result<u64, AppendError> {
        let of = self.counts.of(log);
        let mut call = Call(&of.append_given_up);
        let appended = self.store.append(log, key, append).await;
        call.0 = match &appended {
            Ok(_) => &of.stored,
            Err(AppendError::Conflict) => &of.conflict,
            Err(AppendError::Refused(_)) => &of.refused,
            Err(AppendError::Unclear(_)) => &of.unclear,
        };
        appended
    }

    async fn last(&self, log: Log, key: &Key) -> Result<Option<Entry>, Unavailable> {
        self.reading(log, self.store.last(log, key)).await
    }

    async fn get(&self, log: Log, sequence: u64) -> Result<Option<Entry>, Unavailable> {
        self.reading(log, self.store.get(log, sequence)).await
    }

    async fn read(&self, log: Log, key: Option<&Key>, from: From, limit: usize) -> Result<Vec<Entry>, Unavailable> {
        self.reading(log, self.store.read(log, key, from, limit)).await
    }

    async fn watch(&self, log: Log) -> Result<S::Watch, Unavailable> {
        self.reading(log, self.store.watch(log)).await
    }
}

#[cfg(test)]
mod tests {
    use std::future::pending;

    use bytes::Bytes;
    use futures_util::FutureExt as _;

    use super::*;
    use crate::clock::Clock;
    use crate::store::memory::{MemoryStore, Retention};

    /// How a store answers.
    #[derive(Clone, Copy, Debug)]
    enum Answer {
        Never,
        Badly,
    }

    impl Answer {
        async fn wait(self) {
            if matches!(self, Self::Never) {
                pending::<()>().await;
            }
        }

        async fn unavailable<T>(self) -> Result<T, Unavailable> {
            self.wait().await;
            Err(Unavailable(String::new()))
        }
    }

    impl Store for Answer {
        type Watch = <MemoryStore as Store>::Watch;

        async fn append(&self, log: Log, _: &Key, _: Append) -> Result<u64, AppendError> {
            self.wait().await;
            Err(if log == Log::Feeds {
                AppendError::Refused(String::new())
            } else {
                AppendError::Unclear(String::new())
            })
        }

        async fn last(&self, _: Log, _: &Key) -> Result<Option<Entry>, Unavailable> {
            self.unavailable().await
        }

        async fn get(&self, _: Log, _: u64) -> Result<Option<Entry>, Unavailable> {
            self.unavailable().await
        }

        async fn read(&self, _: Log, _: Option<&Key>, _: From, _: usize) -> Result<Vec<Entry>, Unavailable> {
            self.unavailable().await
        }

        async fn watch(&self, _: Log) -> Result<Self::Watch, Unavailable> {
            self.unavailable().await
        }
    }

    #[tokio::test]
    async fn every_call_is_counted_by_its_result_and_one_that_nobody_waits_for_as_given_up() {
        let counts = Arc::<StoreCounts>::default();
        let key = Key::new("k");
        let append = || Append { after: 0, body: Bytes::from_static(b"x"), ttl: None };
        let good = Counted::new(MemoryStore::new(Clock::new(), Retention::default()), Arc::clone(&counts));
        good.append(Log::Feeds, &key, append()).await.expect("it is the first");
        good.append(Log::Feeds, &key, append()).await.expect_err("it is not");
        good.last(Log::Feeds, &key).await.expect("memory answers");
        good.get(Log::Feeds, 1).await.expect("memory answers");
        good.read(Log::Open, None, From::Sequence(0), 1).await.expect("memory answers");
        good.watch(Log::Open).await.expect("memory answers");
        let bad = Counted::new(Answer::Badly, Arc::clone(&counts));
        for log in [Log::Feeds, Log::Leases] {
            bad.append(log, &key, append()).await.expect_err("it answers badly");
        }
        bad.last(Log::Outcomes, &key).await.expect_err("it answers badly");
        let silent = Counted::new(Answer::Never, Arc::clone(&counts));
        assert!(silent.append(Log::Leases, &key, append()).now_or_never().is_none());
        assert!(silent.last(Log::Outcomes, &key).now_or_never().is_none());
        let mut page = Page::default();
        counts.show(&mut page);
        let text = page.text();
        for (sample, value) in [
            (r#"quorate_store_appends_total{log="feeds",result="stored"}"#, 1),
            (r#"quorate_store_appends_total{log="feeds",result="conflict"}"#, 1),
            (r#"quorate_store_appends_total{log="feeds",result="refused"}"#, 1),
            (r#"quorate_store_appends_total{log="feeds",result="unclear"}"#, 0),
            (r#"quorate_store_appends_total{log="leases",result="unclear"}"#, 1),
            (r#"quorate_store_appends_total{log="leases",result="given_up"}"#, 1),
            (r#"quorate_store_reads_total{log="feeds",result="answered"}"#, 2),
            (r#"quorate_store_reads_total{log="open",result="answered"}"#, 2),
            (r#"quorate_store_reads_total{log="outcomes",result="unavailable"}"#, 1),
            (r#"quorate_store_reads_total{log="outcomes",result="given_up"}"#, 1),
            (r#"quorate_store_reads_total{log="outcomes",result="answered"}"#, 0),
        ] {
            assert!(text.lines().any(|line| line == format!("{sample} {value}")), "{sample} {value}: {text}");
        }
    }
}
