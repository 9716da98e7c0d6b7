//! The workers that a request expects.

use super::super::output::Refusal;
use super::super::request::Participant;
use super::super::worker::WorkerRecord;
use super::Registry;
use crate::outcome::count;
use crate::query::Query;
use crate::time::Timestamp;

/// The fewest workers with a record among which one that is wrong can be told from the others.
const FOUNDERS: usize = 3;

/// The expected set of a request, and the number of others that may take part.
#[derive(Debug)]
pub(in super::super) struct Expectation {
    /// The expected workers, in order.
    pub(in super::super) participants: Vec<Participant>,
    /// Whether all of them are founders, which decide and earn a record by answering: see [`Registry::expect`].
    pub(in super::super) founding: bool,
    /// Whether a record that is earned counts for this query only.
    pub(in super::super) is_local: bool,
    /// The number of newcomers that may take part besides the expected workers.
    pub(in super::super) places: u32,
}

impl Registry {
    /// The expected set of a request made now: of the live workers that offer its query, those with a record and, in turn,
    /// some newcomers: at most `max_newcomers`, and no more than there are live workers with a record.
    ///
    /// While no worker that offers the query has a record, all live ones are expected as founders: they decide and earn a
    /// record. For one presence timeout after the first record, while fewer than [`FOUNDERS`] workers have one, the
    /// newcomers that have announced themselves are founders, too. Otherwise a request that comes while workers start
    /// would leave all decisions to the worker that happened to be first. If all workers with a record are away,
    /// newcomers are expected in their place, and earn none.
    ///
    /// A record counts for all queries, except one that is earned without a worker whose record does, while there are
    /// some: it counts for this query alone. Otherwise a stranger could offer and ask a query that nobody else offers,
    /// and decide all others.
    ///
    /// # Errors
    /// There are live workers, and none that can answer the query.
    pub(in super::super) fn expect(
        &mut self,
        now: Timestamp,
        query: &Query,
        key: u64,
        max_newcomers: u32,
    ) -> Result<Expectation, Refusal> {
        self.covering.clear();
        self.covering.extend(self.workers.values().map(|worker| worker.covers(query)));
        let (mut records, mut proven) = (0, 0);
        let (mut all, mut announced, mut heard) = (0, 0, 0);
        let (mut is_anyone_live, mut has_anyone_a_record, mut is_local) = (false, false, true);
        let mut founded_at: Option<Timestamp> = None;
        let mut absent = None;
        for (worker, covers) in self.workers.values().zip(&self.covering) {
            let is_kept = !worker.is_long_gone(now, self.keep_gone);
            is_anyone_live |= worker.is_live();
            has_anyone_a_record |= worker.proven && is_kept;
            if !covers {
                continue;
            }
            if !worker.is_live() {
                // A worker that does not announce itself may be there although it has not been heard.
                absent = absent.max(Some(!worker.announced));
            }
            if worker.has_record(key) {
                if is_kept {
                    records += 1;
                    is_local &= !worker.proven;
                    founded_at = founded_at.into_iter().chain(worker.founded_at(key)).min();
                }
                proven += usize::from(worker.is_live());
            } else if worker.is_live() {
                all += 1;
                announced += usize::from(worker.announced);
                heard += usize::from(!worker.silent);
            }
        }
        if is_anyone_live && proven + all == 0 {
            match absent {
                None => return Err(Refusal::UnknownQuery),
                Some(false) => return Err(Refusal::NoWorkers),
                Some(true) => {}
            }
        }
        if !has_anyone_a_record {
            self.founded_at = None;
        }
        is_local &= records > 0 || has_anyone_a_record;
        if !is_local {
            founded_at = self.founded_at;
        }
        let is_early = records < FOUNDERS && founded_at.is_some_and(|at| now < at.after(self.presence));
        let founding = records == 0 || is_early;
        let newcomers = match () {
            () if records == 0 => all,
            () if is_early => announced,
            () => heard,
        };
        let is_newcomer = |worker: &WorkerRecord, covers: bool| {
            let is_wanted = records == 0 || if is_early { worker.announced } else { !worker.silent };
            covers && worker.is_live() && !worker.has_record(key) && is_wanted
        };
        let max_newcomers = max_newcomers as usize;
        let most = match () {
            () if founding => newcomers,
            () if proven == 0 => records.max(max_newcomers),
            () => proven.min(max_newcomers),
        };
        if newcomers > most {
            let all = self.workers.values().zip(&self.covering).enumerate();
            let all = all.filter(|(_, (worker, covers))| is_newcomer(worker, **covers));
            let mut all: Vec<_> = all.map(|(place, (worker, _))| (worker.tried, worker.known_since, place)).collect();
            all.select_nth_unstable(most);
            for (.., passed_over) in &all[most..] {
                self.covering[*passed_over] = false;
            }
        }
        let mut participants = Vec::with_capacity(proven + newcomers.min(most));
        for ((id, worker), covers) in self.workers.iter_mut().zip(&self.covering) {
            let has_record = worker.has_record(key);
            if (*covers && has_record && worker.is_live()) || is_newcomer(worker, *covers) {
                worker.tried += u64::from(!has_record);
                participants.push(Participant::awaited(id.clone(), founding || has_record));
            }
        }
        let places = match participants.len() {
            0 => max_newcomers,
            expected if founding => max_newcomers.min(expected),
            expected => max_newcomers.min(most - (expected - proven)),
        };
        Ok(Expectation { participants, founding, is_local, places: count(places) })
    }
}
