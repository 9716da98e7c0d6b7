//! How the requests that this coordinator holds are served: the workers are asked, and the outcome is stored.

use std::sync::Arc;

use super::Durable;
use super::events::{Content, Got, Kept, Output, Rejection, Work};
use super::requests::{Open, Phase, Standing, Why};

impl Durable {
    /// Serves a request that is stored as this coordinator's.
    pub(super) fn serve(&mut self, open: Open, sequence: u64) {
        let open = Open { sequence, standing: Standing::Mine, repeats: 0, ..open };
        if self.draining { self.release(open) } else { self.ask(open) }
    }

    pub(super) fn ask(&mut self, open: Open) {
        let work = self.work();
        self.outputs.push_back(Output::Ask { work, job: Arc::clone(&open.job) });
        self.requests.put(Open { phase: Phase::Asking(work), ..open });
    }

    pub(super) fn asked(&mut self, work: Work, got: Got) {
        let Some(open) = self.requests.take_by_work(work) else { return };
        if !matches!(open.phase, Phase::Asking(_)) {
            return self.requests.put(open);
        }
        let bytes = match got {
            Got::Outcome { bytes, .. } => bytes,
            Got::Refused(_) | Got::Nothing => 0,
        };
        let waiting = self.requests.outcome_bytes();
        let has_room = waiting == 0 || waiting + bytes <= self.config.max_outcome_bytes;
        if has_room && !got.is_passing() {
            return self.keep(Open { outcome_bytes: bytes, repeats: 0, ..open });
        }
        self.outputs.push_back(Output::Forget(open.job.request.clone()));
        self.ask_later(open);
    }

    fn ask_later(&mut self, mut open: Open) {
        match open.standing {
            Standing::Mine if self.draining => self.release(open),
            Standing::Mine => {
                self.counters.repeated += 1;
                let at = self.now.after(self.pause(&mut open));
                self.requests.put(Open { phase: Phase::AskingAt(at), ..open });
            }
            Standing::Theirs => self.watch(open),
            Standing::Closed => {}
        }
    }

    pub(super) fn keep(&mut self, open: Open) {
        let work = self.work();
        self.outputs.push_back(Output::Keep { work, request: open.job.request.clone() });
        self.requests.put(Open { phase: Phase::Keeping(work), ..open });
    }

    pub(super) fn kept(&mut self, work: Work, kept: Kept) {
        let Some(mut open) = self.requests.take_by_work(work) else { return };
        if !matches!(open.phase, Phase::Keeping(_)) {
            return self.requests.put(open);
        }
        match kept {
            Kept::Stored => self.counters.stored += 1,
            Kept::Lost => self.counters.lost += 1,
            Kept::Unclear if self.draining => {
                // The entry stays as it is: another coordinator takes the request over when its patience ends.
                return self.outputs.push_back(Output::Forget(open.job.request.clone()));
            }
            Kept::Unclear => {
                let at = self.now.after(self.pause(&mut open));
                return self.requests.put(Open { phase: Phase::KeepingAt(at), ..open });
            }
        }
        self.outputs.push_back(Output::Forget(open.job.request.clone()));
        self.ended(&open.job.request);
        let open = Open { outcome_bytes: 0, repeats: 0, ..open };
        match open.standing {
            Standing::Mine => self.write(open, Why::Close, Content::Closed),
            Standing::Theirs => self.watch(open),
            Standing::Closed => {}
        }
    }

    pub(super) fn drain(&mut self) {
        if std::mem::replace(&mut self.draining, true) {
            return;
        }
        for id in self.requests.ids() {
            let open = self.requests.take(&id).expect("it is known");
            match (open.phase, open.standing) {
                (Phase::Looking(_, _), _) => self.reject(open.tickets, Rejection::Draining),
                (Phase::AskingAt(_), Standing::Mine) => self.release(open),
                (Phase::Watching(_) | Phase::AskingAt(_), _) => {}
                (Phase::KeepingAt(_), _) => self.keep(open),
                (Phase::Writing(_, _) | Phase::Asking(_) | Phase::Keeping(_), _) => self.requests.put(open),
            }
        }
    }
}
