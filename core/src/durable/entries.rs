//! What becomes of the entries of open requests: they are seen, looked up, and written.

use std::sync::Arc;
use std::time::Duration;

use super::Durable;
use super::events::{Accepted, Content, Entry, Found, Output, Rejection, Work, Written};
use super::requests::{Open, Phase, Standing, Why};
use crate::id::RequestId;

impl Durable {
    /// The watch shows an entry. It may be behind what is known by other means.
    pub(super) fn seen(&mut self, id: &RequestId, entry: &Entry) {
        let Some(mut open) = self.requests.take(id) else { return self.discover(id, entry) };
        if entry.sequence <= open.sequence {
            return self.requests.put(open);
        }
        let is_mine = self.is_mine(&entry.content);
        match open.phase {
            // What is being written tells what has become of the entry.
            Phase::Looking(Why::Submit, _) | Phase::Writing(Why::Submit | Why::Release, _) => self.requests.put(open),
            Phase::Writing(_, _) if is_mine => self.requests.put(open),
            // The round of questions goes on: the outcome that is stored first counts, from any coordinator.
            Phase::Asking(_) | Phase::Keeping(_) | Phase::KeepingAt(_) => self.stands(open, entry),
            Phase::AskingAt(_) if is_mine => self.stands(open, entry),
            Phase::Watching(_) | Phase::Looking(_, _) | Phase::Writing(_, _) | Phase::AskingAt(_) => {
                open.tickets.clear();
                self.discover(id, entry);
            }
        }
    }

    fn is_mine(&self, content: &Content) -> bool {
        matches!(content, Content::Open { holder: Some(holder), .. } if *holder == self.config.holder)
    }

    /// Notes whose a request is that is being served.
    fn stands(&mut self, mut open: Open, entry: &Entry) {
        open.sequence = entry.sequence;
        open.standing = match &entry.content {
            Content::Closed => Standing::Closed,
            Content::Open { turn, .. } => {
                open.turn = open.turn.max(*turn);
                if self.is_mine(&entry.content) { Standing::Mine } else { Standing::Theirs }
            }
        };
        self.requests.put(open);
    }

    /// An entry of a request that nothing is being done for.
    pub(super) fn discover(&mut self, id: &RequestId, entry: &Entry) {
        let Content::Open { job, holder, turn } = &entry.content else { return self.ended(id) };
        // An entry under another request's key is nobody's.
        if self.draining || job.request != *id {
            return;
        }
        if !self.has_room(job) {
            self.overlooks = true;
            self.counters.overlooked += 1;
            return;
        }
        let open = Open { sequence: entry.sequence, turn: *turn, ..self.learned(Arc::clone(job)) };
        match holder {
            // It was written late, or its author was told so late.
            Some(holder) if *holder == self.config.holder && self.can_hold() => {
                self.ask(Open { standing: Standing::Mine, ..open });
            }
            Some(_) => self.watch(open),
            None => self.requests.put(open),
        }
    }

    /// Leaves a request to its holder, as long as the holder may be alive.
    pub(super) fn watch(&mut self, open: Open) {
        if !self.draining {
            let due = self.now.after(open.job.timeout).after(self.config.patience);
            self.requests.put(Open { phase: Phase::Watching(due), taken: false, repeats: 0, ..open });
        }
    }

    /// Tries to take a request over after a pause.
    fn take_later(&mut self, mut open: Open) {
        if !self.draining {
            let due = self.now.after(self.pause(&mut open));
            self.requests.put(Open { phase: Phase::Watching(due), taken: false, ..open });
        }
    }

    /// The pause before the next repetition.
    pub(super) fn pause(&self, open: &mut Open) -> Duration {
        let factor = 2_u32.saturating_pow(open.repeats);
        open.repeats += 1;
        self.config.pause.saturating_mul(factor).min(self.config.max_pause)
    }

    pub(super) fn look(&mut self, open: Open, why: Why) {
        let work = self.work();
        self.outputs.push_back(Output::Look { work, request: open.job.request.clone() });
        self.requests.put(Open { phase: Phase::Looking(why, work), ..open });
    }

    pub(super) fn looked(&mut self, work: Work, found: &Found) {
        let Some(open) = self.requests.take_by_work(work) else { return };
        match (open.phase, found) {
            (Phase::Looking(why, _), Found::Nothing) => self.hold(open, why),
            (Phase::Looking(Why::Submit, _), Found::Outcome(query)) if query.as_ref() == Some(&open.job.query) => {
                self.accept(open.tickets, Accepted::Done);
            }
            (Phase::Looking(Why::Submit, _), Found::Outcome(_)) => self.reject(open.tickets, Rejection::Conflict),
            (Phase::Looking(Why::Submit, _), Found::Unknown) => self.reject(open.tickets, Rejection::Unclear),
            (Phase::Looking(_, _), Found::Outcome(_)) => {
                self.ended(&open.job.request);
                self.write(open, Why::Close, Content::Closed);
            }
            (Phase::Looking(_, _), Found::Unknown) => self.take_later(open),
            _ => self.requests.put(open),
        }
    }

    /// Writes that this coordinator holds a request.
    fn hold(&mut self, mut open: Open, why: Why) {
        open.turn = open.turn.saturating_add(1);
        let (job, turn) = (Arc::clone(&open.job), open.turn);
        let holder = Some(self.config.holder.clone());
        self.write(open, why, Content::Open { job, holder, turn });
    }

    /// Writes that nobody holds a request.
    pub(super) fn release(&mut self, mut open: Open) {
        open.turn = open.turn.saturating_add(1);
        let (job, turn) = (Arc::clone(&open.job), open.turn);
        self.write(open, Why::Release, Content::Open { job, holder: None, turn });
    }

    pub(super) fn write(&mut self, open: Open, why: Why, content: Content) {
        let work = self.work();
        let (request, after) = (open.job.request.clone(), open.sequence);
        self.outputs.push_back(Output::Write { work, request, after, content });
        self.requests.put(Open { phase: Phase::Writing(why, work), ..open });
    }

    pub(super) fn written(&mut self, work: Work, written: &Written) {
        let Some(open) = self.requests.take_by_work(work) else { return };
        match open.phase {
            Phase::Writing(Why::Submit, _) => self.submitted(open, written),
            Phase::Writing(Why::Take, _) => match written {
                Written::Stored(sequence) => {
                    self.counters.taken_over += 1;
                    self.serve(open, *sequence);
                }
                Written::Lost(Some(entry)) => self.discover(&open.job.request, entry),
                Written::Lost(None) => self.ended(&open.job.request),
                Written::Unclear | Written::Refused => self.take_later(open),
            },
            Phase::Writing(Why::Close, _) => match written {
                Written::Stored(_) | Written::Lost(None) => {}
                Written::Lost(Some(entry)) => self.discover(&open.job.request, entry),
                Written::Unclear | Written::Refused => self.take_later(open),
            },
            Phase::Writing(Why::Release, _) => {}
            _ => self.requests.put(open),
        }
    }

    fn submitted(&mut self, mut open: Open, written: &Written) {
        let tickets = std::mem::take(&mut open.tickets);
        match written {
            Written::Stored(sequence) => {
                self.counters.accepted += 1;
                self.accept(tickets, Accepted::Open);
                self.serve(open, *sequence);
            }
            Written::Lost(Some(entry)) if let Content::Open { job, .. } = &entry.content => {
                if job.query == open.job.query {
                    self.accept(tickets, Accepted::Open);
                } else {
                    self.reject(tickets, Rejection::Conflict);
                }
                self.discover(&open.job.request, entry);
            }
            Written::Lost(_) if self.draining => self.reject(tickets, Rejection::Draining),
            // The request was closed: there is an outcome, or there was one.
            Written::Lost(closed) if open.repeats < self.config.max_looks => {
                let sequence = closed.as_ref().map_or(0, |entry| entry.sequence);
                let repeats = open.repeats + 1;
                self.look(Open { sequence, repeats, tickets, ..open }, Why::Submit);
            }
            Written::Lost(_) | Written::Unclear => self.reject(tickets, Rejection::Unclear),
            Written::Refused => self.reject(tickets, Rejection::Refused),
        }
    }
}
