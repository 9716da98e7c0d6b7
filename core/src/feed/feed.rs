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
    lease: Lease,
    stage: Stage,
    /// Whether it is defined no longer. It stays until nothing is in progress, so that no answer reaches a later feed of
    /// its name.
    is_leaving: bool,
    /// The sequence of the newest entry that is known; 0 if there is none.
    newest: u64,
    /// Whether the newest entry has to be read before the next round.
    must_read: bool,
    /// The newest entry is not read before this.
    read_at: Timestamp,
    /// The newest record, and when its last report was made.
    head: Option<(Head, Since)>,
    /// When the next round is due.
    due: Timestamp,
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
struct Since {
    at: Timestamp,
    /// How much had passed by then.
    before: Duration,
}

impl Since {
    fn begins(at: Timestamp) -> Self {
        Self { at, before: Duration::ZERO }
    }

    /// How much has passed at a time, which may be before it was known how much.
    fn elapsed(self, time: Timestamp) -> Duration {
        self.before.saturating_add(time.since(self.at)).saturating_sub(self.at.since(time))
    }
}

impl Feed {
    pub(super) fn new(definition: &Arc<Definition>, now: Timestamp) -> Self {
        Self {
            definition: Arc::clone(definition),
            lease: Lease::new(now),
            stage: Stage::Idle,
            is_leaving: false,
            newest: 0,
            must_read: true,
            read_at: now,
            head: None,
            due: now,
            wake: None,
        }
    }

    /// Replaces the definition. A round that asks something else is given up.
    pub(super) fn redefine(&mut self, definition: &Arc<Definition>, context: &mut Context) {
        let asks = |definition: &Definition| (definition.query.clone(), definition.overrides);
        if asks(definition) != asks(&self.definition) {
            self.give_up(context);
        }
        self.due = self.due.min(context.now.after(definition.min_interval));
        self.definition = Arc::clone(definition);
        self.is_leaving = false;
    }

    /// It is defined no longer.
    pub(super) fn leave(&mut self, context: &mut Context) {
        self.is_leaving = true;
        self.give_up(context);
    }

    /// Ends a round that is asked as if it had not begun.
    fn give_up(&mut self, context: &mut Context) {
        if matches!(self.stage, Stage::Asking { .. }) {
            (self.stage, self.due) = (Stage::Idle, context.now);
            context.counters.given_up += 1;
        }
    }

    /// Something became known of its lease. Whoever takes one knows the newest entry only from before, if at all.
    pub(super) fn lease(&mut self, context: &mut Context, change: impl FnOnce(&mut Lease, Timestamp)) {
        let before = self.lease.holder();
        change(&mut self.lease, context.now);
        if before != Holder::Me && self.lease.holder() == Holder::Me {
            self.must_read = true;
            context.counters.leases_taken += 1;
            context.counters.failovers += u64::from(before == Holder::Other);
        }
    }

    /// A record came by the watch, which may be behind. While this coordinator stores one, the store's answer decides.
    pub(super) fn seen(&mut self, record: &Seen, context: &mut Context) {
        let sequence = record.head.link.sequence;
        if sequence > self.newest && !matches!(self.stage, Stage::Storing { .. }) {
            self.adopt(sequence, Some(record), context);
        }
    }

    /// The store has said which entry is the newest.
    pub(super) fn newest(&mut self, sequence: u64, record: Option<&Seen>, context: &mut Context) {
        match self.stage {
            Stage::Storing { .. } => {
                context.counters.lost += 1;
                self.due = context.now.after(RETRY);
            }
            Stage::Reading => {}
            Stage::Idle | Stage::Asking { .. } => return,
        }
        self.stage = Stage::Idle;
        self.must_read = false;
        self.adopt(sequence, record, context);
    }

    /// Takes an entry as the newest. The record in it counts if its round is later than what is known: the store may have
    /// lost records that this coordinator has seen, and their numbers are not used again. If it counts, it stands for
    /// the round that was due or is asked.
    fn adopt(&mut self, sequence: u64, record: Option<&Seen>, context: &mut Context) {
        self.newest = sequence;
        if let Some(Seen { head, ended_ago, reported_ago }) = record
            && head.round > self.last_number()
        {
            self.give_up(context);
            self.due = context.now.after(self.interval(head.is_report()).saturating_sub(*ended_ago));
            self.head = Some((head.clone(), Since { at: context.now, before: *reported_ago }));
        }
    }

    pub(super) fn stored(&mut self, head: &Head, context: &mut Context) {
        let Stage::Storing { began, is_report } = self.stage else { return };
        let counters = &mut context.counters;
        *(if is_report { &mut counters.reported } else { &mut counters.unreported }) += 1;
        let last_report = self.head.as_ref().map(|(_, since)| *since).filter(|_| !is_report);
        self.newest = head.link.sequence;
        self.must_read = false;
        self.head = Some((head.clone(), last_report.unwrap_or(Since::begins(began))));
        self.stage = Stage::Idle;
    }

    /// The store has not said what became of a record, or which entry is the newest. A round whose record turns out not
    /// to be stored is due again.
    pub(super) fn unclear(&mut self, context: &mut Context) {
        match self.stage {
            Stage::Storing { .. } => {
                context.counters.unclear += 1;
                self.due = context.now;
            }
            Stage::Reading => {}
            Stage::Idle | Stage::Asking { .. } => return,
        }
        self.stage = Stage::Idle;
        self.must_read = true;
        self.read_at = context.now.after(RETRY);
    }

    pub(super) fn ended(&mut self, id: RoundId, outcome: Option<&Arc<Outcome>>, context: &mut Context) {
        let Stage::Asking { round, began } = self.stage else { return };
        if round != id {
            return;
        }
        if self.lease.holder() != Holder::Me {
            return self.give_up(context);
        }
        self.stage = Stage::Idle;
        let Some(outcome) = outcome else {
            context.counters.refused += 1;
            self.due = context.now.after(RETRY);
            return;
        };
        let last = self.head.as_ref().and_then(|(head, since)| Some((head.report.as_ref()?, since.elapsed(began))));
        match decide(&self.definition, last, outcome) {
            Decision::Record(reason) if !self.is_full() => {
                let record = self.record(reason, outcome);
                self.stage = Stage::Storing { began, is_report: reason.is_some() };
                self.due = self.due.min(began.after(self.interval(reason.is_some())));
                context.outputs.push_back(Output::Store { record, after: self.newest });
            }
            Decision::Quiet | Decision::Record(_) => context.counters.quiet += 1,
        }
    }

    /// The time from the start of a recorded round to the start of the next.
    fn interval(&self, is_report: bool) -> Duration {
        if is_report { self.definition.min_interval } else { self.definition.retry_interval() }
    }

    fn record(&self, reported: Option<Reason>, outcome: &Arc<Outcome>) -> Record {
        let head = self.head.as_ref().map(|(head, _)| head);
        Record {
            feed: self.definition.name.clone(),
            round: self.last_number() + 1,
            reported,
            last_report: head.and_then(|head| head.report.clone()),
            outcome: Arc::clone(outcome),
            previous: head.map(|head| head.link),
            lease: self.lease.sequence(),
        }
    }

    /// The number of the newest record; 0 if there is none.
    fn last_number(&self) -> u64 {
        self.head.as_ref().map_or(0, |(head, _)| head.round)
    }

    /// Whether no number is left for another record.
    fn is_full(&self) -> bool {
        self.last_number() >= MAX_ROUND
    }

    /// Does what can be done now, and notes when there is more to do.
    pub(super) fn advance(&mut self, context: &mut Context) {
        let now = context.now;
        self.wake = None;
        if context.draining || self.is_leaving {
            if matches!(self.stage, Stage::Idle) && !self.lease.is_appending() {
                context.outputs.extend(self.lease.release(&self.definition.name));
            }
            return;
        }
        if self.lease.due().is_some_and(|due| due <= now) {
            context.outputs.push_back(self.lease.append(now, &self.definition.name));
        }
        if self.lease.is_held(now) && self.next_due().is_some_and(|due| due <= now) {
            self.begin(context);
        }
        // What is due later than this coordinator may rely on its lease waits until the lease is renewed.
        let next_due = self.next_due().filter(|due| *due > now && self.lease.is_held(*due));
        self.wake = self.lease.due().into_iter().chain(next_due).min();
    }

    /// When it can begin something; `None` while it waits for something to end, or if no number is left for a round.
    fn next_due(&self) -> Option<Timestamp> {
        match self.stage {
            Stage::Idle if self.must_read => Some(self.read_at),
            Stage::Idle if !self.is_full() => Some(self.due),
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

    /// Whether this coordinator drives it.
    pub(super) fn is_driven(&self, now: Timestamp) -> bool {
        !self.is_leaving && self.lease.is_held(now)
    }

    /// Whether it is defined no longer.
    pub(super) fn is_leaving(&self) -> bool {
        self.is_leaving
    }

    /// Whether nothing is in progress, and the lease is released.
    pub(super) fn is_drained(&self) -> bool {
        matches!(self.stage, Stage::Idle) && !self.lease.is_appending() && self.lease.holder() != Holder::Me
    }
}
