//! Stores one entry, and finds out whether it was stored.

use std::time::Duration;

use bytes::Bytes;
use tokio::time::{Instant, sleep, timeout_at};

use super::{Append, AppendError, Entry, Key, Log, Store};

/// The pause before the store is asked again.
const PAUSE: Duration = Duration::from_millis(250);

/// What became of an entry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Settled {
    /// It is stored, with this sequence.
    Stored(u64),
    /// Another entry is the newest one under the key, or `None` if that has been removed since. It was stored instead of
    /// this one, or after it, when nobody had acknowledged this one yet.
    Lost(Option<Entry>),
    /// The store refuses it, and why.
    Refused(String),
    /// The time was up. It may be stored, now or later.
    Unclear(String),
}

/// Stores `body` under `key` if the newest entry there still has the sequence `after`, and finds out whether it is
/// stored. If no acknowledgement comes, the newest entry tells: it is this one, or another one, or nothing has come, and
/// the same entry is appended again. Whatever arrives late, at most one of them is stored.
///
/// `body` must not equal that of any other entry under the key: it names its author.
pub async fn settle<S: Store>(
    store: &S,
    log: Log,
    key: &Key,
    after: u64,
    body: Bytes,
    ttl: Option<Duration>,
    within: Duration,
) -> Settled {
    let until = Instant::now() + within;
    let mut why = "no time was left".to_owned();
    loop {
        let append = Append { after, body: body.clone(), ttl };
        match timeout_at(until, store.append(log, key, append)).await {
            Ok(Ok(sequence)) => return Settled::Stored(sequence),
            Ok(Err(AppendError::Refused(why))) => return Settled::Refused(why),
            Ok(Err(AppendError::Conflict)) => {}
            Ok(Err(AppendError::Unclear(unclear))) => why = unclear,
            Err(_) => return Settled::Unclear(why),
        }
        match timeout_at(until, store.last(log, key)).await {
            Ok(Ok(Some(entry))) if entry.body == body => return Settled::Stored(entry.sequence),
            Ok(Ok(newest)) if newest.as_ref().map_or(0, |entry| entry.sequence) != after => {
                return Settled::Lost(newest);
            }
            Ok(Ok(_)) => {}
            Ok(Err(unavailable)) => why = unavailable.to_string(),
            Err(_) => return Settled::Unclear(why),
        }
        if timeout_at(until, sleep(PAUSE)).await.is_err() {
            return Settled::Unclear(why);
        }
    }
}
