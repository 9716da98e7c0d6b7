//! What the store holds, and what it held earlier: a reading that is behind sees it as it was.

use std::collections::BTreeMap;
use std::time::Duration;

use bytes::Bytes;
use quorate_core::time::UnixTime;
use quorate_runtime::store::{Entry, Key, Log};

/// The number of streams: open requests and outcomes share one.
const STREAMS: usize = 3;

/// Everything that was ever stored. Times are since the run began.
#[derive(Debug)]
pub(super) struct Ledger {
    seed: u64,
    late_expiry: Duration,
    /// The last sequence of each stream.
    last: [u64; STREAMS],
    logs: [BTreeMap<u64, Kept>; Log::ALL.len()],
    by_key: BTreeMap<(Log, Key), Vec<u64>>,
}

#[derive(Debug)]
struct Kept {
    entry: Entry,
    stored: Duration,
    replaced: Option<Duration>,
    expires: Option<Duration>,
}

/// When a reading sees the ledger.
#[derive(Clone, Copy, Debug)]
pub(super) struct View {
    /// The time.
    pub(super) at: Duration,
    /// The number of elections so far. Each leader removes what has expired in its own time, so that an entry that one
    /// has removed may be there again under the next.
    pub(super) elections: u64,
}

fn stream(log: Log) -> usize {
    match log {
        Log::Feeds => 0,
        Log::Leases => 1,
        Log::Open | Log::Outcomes => 2,
    }
}

impl Ledger {
    pub(super) fn new(seed: u64, late_expiry: Duration) -> Self {
        Self { seed, late_expiry, last: [0; STREAMS], logs: Default::default(), by_key: BTreeMap::new() }
    }

    /// Stores an entry.
    pub(super) fn push(
        &mut self,
        (log, key): (Log, &Key),
        body: Bytes,
        (stored, stored_at): (Duration, UnixTime),
        ttl: Option<Duration>,
    ) -> &Entry {
        let sequence = self.last[stream(log)] + 1;
        self.last[stream(log)] = sequence;
        let keyed = self.by_key.entry((log, key.clone())).or_default();
        if log.keeps_only_the_last()
            && let Some(replaced) = keyed.last().and_then(|last| self.logs[log as usize].get_mut(last))
        {
            replaced.replaced = Some(stored);
        }
        keyed.push(sequence);
        let entry = Entry { key: key.clone(), sequence, stored_at, body };
        let expires = ttl.map(|ttl| stored + Duration::from_secs(ttl.as_nanos().div_ceil(1_000_000_000) as u64));
        let kept = Kept { entry, stored, replaced: None, expires };
        &self.logs[log as usize].entry(sequence).or_insert(kept).entry
    }

    /// Loses the newest entries of a log. Returns them, the newest first.
    pub(super) fn forget(&mut self, log: Log, count: usize) -> Vec<Entry> {
        let mut lost = Vec::new();
        while lost.len() < count
            && let Some((sequence, kept)) = self.logs[log as usize].pop_last()
        {
            let keyed = self.by_key.get_mut(&(log, kept.entry.key.clone())).expect("each entry has its key");
            keyed.pop();
            if let Some(before) = keyed.last().and_then(|last| self.logs[log as usize].get_mut(last)) {
                before.replaced = None;
            }
            if self.last[stream(log)] == sequence {
                self.last[stream(log)] -= 1;
            }
            lost.push(kept.entry);
        }
        lost
    }

    fn sees(&self, log: Log, kept: &Kept, view: View) -> bool {
        let late = || {
            let mut mixed = self.seed ^ (kept.entry.sequence << 8) ^ (view.elections << 40) ^ log as u64;
            // The finalizer of splitmix64.
            mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
            mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
            let share = (mixed ^ (mixed >> 31)) >> 32;
            self.late_expiry.mul_f64(share as f64 / f64::from(u32::MAX))
        };
        kept.stored <= view.at
            && kept.replaced.is_none_or(|at| view.at < at)
            && kept.expires.is_none_or(|at| view.at < at + late())
    }

    /// The newest entry under a key.
    pub(super) fn newest(&self, log: Log, key: &Key, view: View) -> Option<&Entry> {
        let keyed = self.by_key.get(&(log, key.clone()))?;
        let mut kept = keyed.iter().rev().filter_map(|sequence| self.logs[log as usize].get(sequence));
        kept.find(|kept| self.sees(log, kept, view)).map(|kept| &kept.entry)
    }

    /// The newest entry of every key of a log, in order.
    pub(super) fn newest_of_all(&self, log: Log, view: View) -> Vec<Entry> {
        let keys = self.by_key.keys().filter(|(of, _)| *of == log);
        let mut newest: Vec<_> = keys.filter_map(|(_, key)| self.newest(log, key, view)).cloned().collect();
        newest.sort_unstable_by_key(|entry| entry.sequence);
        newest
    }

    /// The entries of a log from a sequence on, in order.
    pub(super) fn from(&self, log: Log, sequence: u64, view: View) -> impl Iterator<Item = &Entry> {
        let kept = self.logs[log as usize].range(sequence..).map(|(_, kept)| kept);
        kept.filter(move |kept| self.sees(log, kept, view)).map(|kept| &kept.entry)
    }

    /// When the first entry after a sequence was stored.
    pub(super) fn next_stored(&self, log: Log, after: u64) -> Option<Duration> {
        self.logs[log as usize].range(after + 1..).next().map(|(_, kept)| kept.stored)
    }

    /// The last sequence that was given to an entry of a log before a time, and is not lost.
    pub(super) fn last_before(&self, log: Log, at: Duration) -> u64 {
        let mut kept = self.logs[log as usize].iter().rev();
        kept.find(|(_, kept)| kept.stored <= at).map_or(0, |(sequence, _)| *sequence)
    }
}
