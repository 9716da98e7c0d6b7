//! Stores the outcomes of plain requests for the history. Their answers do not wait for it: if the store is slower than
//! the requests, outcomes are left out, and counted.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use futures_util::StreamExt as _;
use futures_util::stream::unfold;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;
use tracing::debug;

use super::ledger::{Ledger, Storing};
use super::stored::StoredOutcome;
use crate::store::Store;
use crate::wire::EncodedOutcome;

/// How many outcomes may wait.
const WAITING: usize = 1024;
/// How many are stored at a time.
const AT_ONCE: usize = 16;
/// How long the store may take for one.
const WITHIN: Duration = Duration::from_secs(10);

/// Where outcomes are left to be stored.
#[derive(Clone, Debug)]
pub(super) struct Recorder {
    outcomes: mpsc::Sender<EncodedOutcome>,
    omitted: Arc<AtomicU64>,
}

/// The end at which they are stored.
#[derive(Debug)]
pub(super) struct Recording {
    outcomes: mpsc::Receiver<EncodedOutcome>,
    omitted: Arc<AtomicU64>,
}

pub(super) fn recorder() -> (Recorder, Recording) {
    let (sender, outcomes) = mpsc::channel(WAITING);
    let omitted = Arc::<AtomicU64>::default();
    (Recorder { outcomes: sender, omitted: Arc::clone(&omitted) }, Recording { outcomes, omitted })
}

impl Recorder {
    /// Leaves an outcome to be stored, if there is room.
    pub(super) fn record(&self, told: EncodedOutcome) {
        if self.outcomes.try_send(told).is_err() {
            self.omitted.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// The number of outcomes that are not in the history, because there was no room or the store did not take them.
    pub(super) fn omitted(&self) -> u64 {
        self.omitted.load(Ordering::Relaxed)
    }
}

impl Recording {
    /// Stores what comes, until every [`Recorder`] is gone, or what has come when it is stopped.
    pub(super) async fn run<S: Store>(self, ledger: Ledger<S>, stop: CancellationToken) {
        let Self { outcomes, omitted } = self;
        let coming = unfold((outcomes, stop), async |(mut outcomes, stop)| {
            let next = tokio::select! {
                biased;
                () = stop.cancelled() => {
                    outcomes.close();
                    outcomes.recv().await
                }
                next = outcomes.recv() => next,
            };
            Some((next?, (outcomes, stop)))
        });
        coming
            .for_each_concurrent(AT_ONCE, async |told| {
                let stored = StoredOutcome::of(&told, true);
                let kept = ledger.keep(&stored.request, ledger.entry(&stored), WITHIN).await;
                if let Storing::Unclear(why) = kept {
                    debug!(request = %stored.request, why, "an outcome is not in the history");
                    omitted.fetch_add(1, Ordering::Relaxed);
                }
            })
            .await;
    }
}
