//! One feed: its rounds, one at a time.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use super::lease::Lease;
use super::record::{Decision, MAX_ROUND, Reason, Record, decide};
use super::{Counters, Definition, Head, Holder, Output, RoundId, Seen};
use crate::outcome::Outcome;
use crate::time::Timestamp;

/// The pause after a refusal of the coordinator or of the store.
pub const RETRY: Duration = Duration::from_secs(1);

/// What the feeds share.
#[derive(Debug, Default)]
pub(super) struct Context {
    pub(super) now: Timestamp,
    pub(super) draining: bool,
    pub(super) counters: Counters,
    pub(super) outputs: VecDeque<Output>,
    last_round: u64,
}

/// One feed.
#[derive(Debug)]
pub(super) struct Feed {
    definition: Arc<Definition>,
    pub(super) lease: Lease,
    stage: Stage,
    /// The sequence of the newest entry that is known; 0 if there is none.
    newest: u64,
    /// Whether the newest entry has to be read before the next round.
    must_read: bool,
    /// The newest record, and when its last report was made.
    head: Option<(Head, Since)>,
    /// When the next round is due.
    due: Timestamp,
    /// Neither the coordinator nor the store is asked before this.
    not_before: Timestamp,
    /// When it is to be looked at next.
    pub(super) wake: Option<Timestamp>,
}

/// What a feed waits for.
#[derive(Debug)]
enum Stage {
    /// Its next round.
    Idle,
    /// The newest entry.
    Reading,
    /// The end of a round that was due at `began`.
    Asking { round: RoundId, began: Timestamp },
    /// The end of an append.
    Storing { began: Timestamp, is_report: bool },
}

/// A time that may lie before the first timestamp.
#[derive(Clone, Copy, Debug)]
pub(super) struct Since {
    at: Timestamp,
    /// How much had passed by then.
    before: Duration,
}

impl Since {
    fn begins(at: Timestamp) -> Self {
        Self { at, before: Duration::ZERO }
    }

    /// How much has passed at `now`.
    pub(super) fn elapsed(self, now: Timestamp) -> Duration {
        now.since(self.at).saturating_add(self.before)
    }
}

impl Feed {
    pub(super) fn new(definition: &Arc<Definition>, now: Timestamp) -> Self {
        Self {
            definition: Arc::clone(definition),
            lease: Lease::new(now),
            stage: Stage::Idle,
            newest: 0,
            must_read: true,
            head: None,
            due: now,
            not_before: now,
            wake: None,
        }
    }

    /// Replaces the definition. A round that asks something else is given up.
    pub(super) fn redefine(&mut self, definition: &Arc<Definition>, now: Timestamp) {
        let asks = |definition: &Definition| (definition.query.clone(), definition.overrides);
        if matches!(self.stage, Stage::Asking { .. }) && asks(definition) != asks(&self.definition) {
            (self.stage, self.due) = (Stage::Idle, now);
        }
        self.due = self.due.min(now.after(definition.min_interval));
        self.definition = Arc::clone(definition);
    }

    pub(super) fn leased(&mut self, sequence: u64, context: &mut Context) {
        let before = self.lease.appended(sequence);
        context.counters.leases_taken += u64::from(before.is_some());
        context.counters.failovers += u64::from(before == Some(Holder::Other));
    }

    /// A record came by the watch, which may be behind. While this coordinator stores one, the store's answer decides.
    pub(super) fn seen(&mut self, record: &Seen, context: &mut Context) {
        let is_news = !self.must_read && record.head.link.sequence > self.newest;
        if is_news && !matches!(self.stage, Stage::Storing { .. }) {
            self.adopt(record.head.link.sequence, Some(record), context.now);
        }
    }

    /// The store has said which entry is the newest.
    pub(super) fn newest(&mut self, sequence: u64, record: Option<&Seen>, context: &mut Context) {
        match self.stage {
            Stage::Storing { .. } => context.counters.lost += 1,
            Stage::Reading => {}
            Stage::Idle | Stage::Asking { .. } => return,
        }
        self.stage = Stage::Idle;
        self.must_read = false;
        self.adopt(sequence, record, context.now);
    }

    /// Takes an entry as the newest. The record in it counts if its round is later than what is known: the store may have
    /// lost records that this coordinator has seen, and their numbers are not used again.
    fn adopt(&mut self, sequence: u64, record: Option<&Seen>, now: Timestamp) {
        self.newest = sequence;
        if let Some(Seen { head, ended_ago, reported_ago }) = record
            && self.head.as_ref().is_none_or(|(known, _)| head.round > known.round)
        {
            self.due = now.after(self.definition.min_interval.saturating_sub(*ended_ago));
            self.head = Some((head.clone(), Since { at: now, before: *reported_ago }));
        }
    }

    pub(super) fn stored(&mut self, head: &Head, context: &mut Context) {
        let Stage::Storing { began, is_report } = self.stage else { return };
        let counters = &mut context.counters;
        *(if is_report { &mut counters.reported } else { &mut counters.unreported }) += 1;
        let last_report = self.head.as_ref().map(|(_, since)| *since).filter(|_| !is_report);
        self.newest = head.link.sequence;
        self.head = Some((head.clone(), last_report.unwrap_or(Since::begins(began))));
        self.stage = Stage::Idle;
    }

    /// The store has not said what became of a record, or which entry is the newest.
    pub(super) fn unclear(&mut self, context: &mut Context) {
        match self.stage {
            Stage::Storing { .. } => context.counters.unclear += 1,
            Stage::Reading => {}
            Stage::Idle | Stage::Asking { .. } => return,
        }
        self.stage = Stage::Idle;
        self.must_read = true;
        self.not_before = context.now.after(RETRY);
    }

    pub(super) fn ended(&mut self, id: RoundId, outcome: Option<&Arc<Outcome>>, context: &mut Context) {
        let Stage::Asking { round, began } = self.stage else { return };
        if round != id {
            return;
        }
        self.stage = Stage::Idle;
        let Some(outcome) = outcome else {
            context.counters.refused += 1;
            (self.due, self.not_before) = (context.now, context.now.after(RETRY));
            return;
        };
        let last = self.head.as_ref().and_then(|(head, since)| head.report.as_ref().map(|report| (report, *since)));
        match decide(&self.definition, last, began, outcome) {
            Decision::Quiet => context.counters.quiet += 1,
            Decision::Record(reason) => {
                let record = self.record(reason, outcome);
                self.stage = Stage::Storing { began, is_report: reason.is_some() };
                context.outputs.push_back(Output::Store { record, after: self.newest });
            }
        }
    }

    fn record(&self, reported: Option<Reason>, outcome: &Arc<Outcome>) -> Record {
        let head = self.head.as_ref().map(|(head, _)| head);
        Record {
            feed: self.definition.name.clone(),
            round: head.map_or(0, |head| head.round) + 1,
            reported,
            last_report: head.and_then(|head| head.report.clone()),
            outcome: Arc::clone(outcome),
            previous: head.map(|head| head.link),
            lease: self.lease.sequence(),
        }
    }

    /// Does what can be done now, and notes when there is more to do.
    pub(super) fn advance(&mut self, context: &mut Context) {
        if context.draining {
            if matches!(self.stage, Stage::Idle) {
                context.outputs.extend(self.lease.release(&self.definition.name));
            }
            self.wake = None;
            return;
        }
        let now = context.now;
        if self.lease.due().is_some_and(|due| due <= now) {
            context.outputs.push_back(self.lease.append(now, &self.definition.name));
        }
        let round_due = self.round_due();
        if self.lease.is_held(now) && round_due.is_some_and(|due| due <= now) {
            self.begin(context);
        }
        let round_due = self.round_due().filter(|_| self.lease.is_held(now));
        self.wake = [self.lease.due(), round_due].into_iter().flatten().min();
    }

    /// When it can begin something; `None` while it waits for something to end, or if no number is left for a round.
    fn round_due(&self) -> Option<Timestamp> {
        let is_full = self.head.as_ref().is_some_and(|(head, _)| head.round >= MAX_ROUND);
        match self.stage {
            Stage::Idle if self.must_read => Some(self.not_before),
            Stage::Idle if !is_full => Some(self.due.max(self.not_before)),
            Stage::Idle | Stage::Reading | Stage::Asking { .. } | Stage::Storing { .. } => None,
        }
    }

    /// Begins with the newest entry, or a round.
    fn begin(&mut self, context: &mut Context) {
        let feed = self.definition.name.clone();
        if self.must_read {
            self.stage = Stage::Reading;
            context.outputs.push_back(Output::Read(feed));
            return;
        }
        let interval = self.definition.min_interval;
        // A round that is late by less than the interval does not delay those after it.
        let began = if context.now.since(self.due) < interval { self.due } else { context.now };
        self.due = began.after(interval);
        context.last_round += 1;
        context.counters.rounds += 1;
        let round = RoundId(context.last_round);
        self.stage = Stage::Asking { round, began };
        let Definition { query, overrides, .. } = self.definition.as_ref();
        context.outputs.push_back(Output::Ask { feed, round, query: query.clone(), overrides: *overrides });
    }

    /// Whether nothing is in progress, and the lease is released.
    pub(super) fn is_drained(&self) -> bool {
        matches!(self.stage, Stage::Idle) && self.lease.is_released()
    }
}
