//! The entries of a log as they come, whatever becomes of the store.

use std::time::Duration;

use futures_util::stream::{self, Stream};
use tracing::warn;

use super::{Entry, Log, Store, Watch as _, Watched};

/// The pause before a log is watched again, if the store does not answer.
const AGAIN: Duration = Duration::from_secs(1);

/// The entries of a log, the newest of each key first. Never ends.
pub(crate) fn follow<S: Store>(store: S, log: Log) -> impl Stream<Item = Entry> + Send {
    stream::unfold((store, None::<S::Watch>), move |(store, mut watch)| async move {
        loop {
            match &mut watch {
                Some(watched) => {
                    if let Watched::Entry(entry) = watched.next().await {
                        return Some((entry, (store, watch)));
                    }
                }
                None => match store.watch(log).await {
                    Ok(begun) => watch = Some(begun),
                    Err(error) => {
                        warn!(%error, ?log, "a log cannot be watched");
                        tokio::time::sleep(AGAIN).await;
                    }
                },
            }
        }
    })
}
