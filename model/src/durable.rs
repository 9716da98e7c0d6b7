//! What a coordinator must do with durable requests.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use quorate_core::Durable;
use quorate_core::coordinator::Refusal;
use quorate_core::durable::{
    Accepted, Config, Content, Counters, Entry, Found, Got, Input, Job, Kept, Output, Rejection, Work, Written,
};
use quorate_core::id::{RequestId, Ticket};
use quorate_core::outcome::Failure;
use quorate_core::query::Query;
use quorate_core::time::Timestamp;

use super::Divergence;

/// What is being done for a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Doing {
    /// Nothing: another coordinator serves it, until then.
    Nothing(Timestamp),
    LooksBeforeSubmitting(Work),
    LooksBeforeTaking(Work),
    Submits(Work),
    Takes(Work),
    Asks(Work),
    Keeps(Work),
    Closes(Work),
    Releases(Work),
    AsksAgain(Timestamp),
    KeepsAgain(Timestamp),
}

/// Whose the newest entry is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Whose {
    Mine,
    Theirs,
    Closed,
}

/// A known request.
#[derive(Clone, Debug)]
struct Request {
    job: Arc<Job>,
    sequence: u64,
    turn: u64,
    whose: Whose,
    doing: Doing,
    is_taken: bool,
    repeats: u32,
    callers: Vec<Ticket>,
    outcome_bytes: usize,
}

/// The model of [`Durable`].
#[derive(Debug)]
pub struct DurableModel {
    config: Config,
    now: Timestamp,
    requests: BTreeMap<RequestId, Request>,
    works: u64,
    overlooked: bool,
    draining: bool,
    drained: bool,
    counters: Counters,
    expected: VecDeque<Output>,
}

impl DurableModel {
    /// The model of a coordinator that knows of no requests.
    pub fn new(config: Config) -> Self {
        Self {
            config,
            now: Timestamp::ZERO,
            requests: BTreeMap::new(),
            works: 0,
            overlooked: false,
            draining: false,
            drained: false,
            counters: Counters::default(),
            expected: VecDeque::new(),
        }
    }

    /// The machine receives an input.
    pub fn input(&mut self, now: Timestamp, input: &Input) {
        self.wake(now);
        match input {
            Input::Submit { ticket, job } => self.submit(*ticket, job),
            Input::Seen { request, entry } => self.seen(request, entry),
            Input::Looked { work, found } => self.looked(*work, found),
            Input::Written { work, written } => self.written(*work, written),
            Input::Asked { work, got } => self.asked(*work, *got),
            Input::Kept { work, kept } => self.kept(*work, *kept),
            Input::Drain => self.drain(),
        }
        self.go_on();
    }

    /// The machine is woken.
    pub fn wake(&mut self, now: Timestamp) {
        self.now = self.now.max(now);
        let mut over: Vec<_> = self.requests.iter().filter_map(|(id, request)| Some((pause(request)?, id))).collect();
        over.retain(|(at, _)| *at <= self.now);
        over.sort_unstable();
        for id in over.into_iter().map(|(_, id)| id.clone()).collect::<Vec<_>>() {
            match self.requests[&id].doing {
                Doing::AsksAgain(_) => self.ask(&id),
                _ => self.keep(&id),
            }
        }
        self.go_on();
    }

    /// The machine puts out an output.
    ///
    /// # Errors
    /// [`Divergence`] if another output or none was expected.
    pub fn output(&mut self, output: &Output) -> Result<(), Divergence> {
        match self.expected.pop_front() {
            Some(expected) if expected == *output => Ok(()),
            Some(expected) => Err(Divergence::new(&expected, output)),
            None => Err(Divergence::new(&format_args!("nothing"), output)),
        }
    }

    /// The machine has no further output.
    ///
    /// # Errors
    /// [`Divergence`] if one was expected.
    pub fn settled(&self) -> Result<(), Divergence> {
        self.expected.front().map_or(Ok(()), |expected| Err(Divergence::new(expected, &format_args!("nothing"))))
    }

    /// Compares the whole visible state of the machine.
    ///
    /// # Errors
    /// [`Divergence`] names the first difference.
    pub fn compare(&self, machine: &Durable) -> Result<(), Divergence> {
        Divergence::unless_equal("the counters", &self.counters, machine.counters())?;
        Divergence::unless_equal("the number of known requests", &self.requests.len(), &machine.known())?;
        Divergence::unless_equal("the number of held requests", &self.held(), &machine.held())?;
        Divergence::unless_equal("the number of taken requests", &self.taken(), &machine.taken())?;
        Divergence::unless_equal("the next timeout", &self.next_timeout(), &machine.poll_timeout())
    }

    fn next_timeout(&self) -> Option<Timestamp> {
        let due = self.first_due().map(|(at, _)| at).filter(|_| self.may_take());
        self.requests.values().filter_map(pause).chain(due).min()
    }

    fn held(&self) -> usize {
        self.requests.values().filter(|request| !matches!(request.doing, Doing::Nothing(_))).count()
    }

    fn taken(&self) -> usize {
        self.requests.values().filter(|request| request.is_taken).count()
    }

    fn may_hold(&self) -> bool {
        self.held() < self.config.max_held
    }

    fn may_take(&self) -> bool {
        self.may_hold() && self.taken() < self.config.max_taken
    }

    fn bytes(&self) -> usize {
        self.requests.values().map(|request| request.job.bytes()).sum()
    }

    fn may_know(&self, job: &Job) -> bool {
        let fits = self.requests.len() < self.config.max_known && self.bytes() + job.bytes() <= self.config.max_bytes;
        fits || self.requests.is_empty()
    }

    fn first_due(&self) -> Option<(Timestamp, RequestId)> {
        let due = self.requests.iter().filter_map(|(id, request)| match request.doing {
            Doing::Nothing(at) => Some((at, id.clone())),
            _ => None,
        });
        due.min()
    }

    fn expect(&mut self, output: Output) {
        self.expected.push_back(output);
    }

    fn next_work(&mut self) -> Work {
        self.works += 1;
        Work(self.works)
    }

    fn answer(&mut self, callers: Vec<Ticket>, reply: Result<Accepted, Rejection>) {
        for ticket in callers {
            self.counters.rejected += u64::from(reply.is_err());
            self.expect(Output::Answer { ticket, reply });
        }
    }

    fn go_on(&mut self) {
        while let Some((at, id)) = self.first_due().filter(|_| self.may_take())
            && at <= self.now
        {
            self.get(&id).is_taken = true;
            let work = self.look(&id);
            self.get(&id).doing = Doing::LooksBeforeTaking(work);
        }
        let is_half_empty = self.requests.len() <= self.config.max_known / 2
            && (self.requests.is_empty() || self.bytes() <= self.config.max_bytes / 2);
        if self.overlooked && is_half_empty && !self.draining {
            self.overlooked = false;
            self.expect(Output::Watch);
        }
        if self.draining && !self.drained && self.requests.is_empty() {
            self.drained = true;
            self.expect(Output::Drained);
        }
    }

    fn get(&mut self, id: &RequestId) -> &mut Request {
        self.requests.get_mut(id).expect("the request is known")
    }

    /// The request that this work is for, if it is still of interest.
    fn of(&self, work: Work, is_kind: fn(Doing) -> Option<Work>) -> Option<RequestId> {
        let mut found = self.requests.iter().filter(|(_, request)| is_kind(request.doing) == Some(work));
        found.next().map(|(id, _)| id.clone())
    }

    fn submit(&mut self, ticket: Ticket, job: &Arc<Job>) {
        let (is_full, is_draining) = (!self.may_hold() || !self.may_know(job), self.draining);
        let max_callers = self.config.max_callers;
        let reply = match self.requests.get_mut(&job.request) {
            _ if is_draining => Err(Rejection::Draining),
            None if is_full => Err(Rejection::Overloaded),
            None => {
                let id = &job.request;
                self.requests.insert(id.clone(), unserved(job, 0, 0, self.now));
                let work = self.look(id);
                let request = self.get(id);
                (request.doing, request.callers) = (Doing::LooksBeforeSubmitting(work), vec![ticket]);
                return;
            }
            Some(known) if known.job.query != job.query => Err(Rejection::Conflict),
            Some(known) => match known.doing {
                Doing::LooksBeforeSubmitting(_) | Doing::Submits(_) if known.callers.len() < max_callers => {
                    return known.callers.push(ticket);
                }
                Doing::LooksBeforeSubmitting(_) | Doing::Submits(_) => Err(Rejection::Overloaded),
                Doing::Closes(_) => Ok(Accepted::Done),
                _ => Ok(Accepted::Open),
            },
        };
        self.answer(vec![ticket], reply);
    }

    fn names_me(&self, content: &Content) -> bool {
        matches!(content, Content::Open { holder: Some(name), .. } if *name == self.config.holder)
    }

    fn seen(&mut self, id: &RequestId, entry: &Entry) {
        let is_mine = self.names_me(&entry.content);
        let Some(known) = self.requests.get_mut(id) else { return self.learn(id, entry) };
        if entry.sequence <= known.sequence {
            return;
        }
        match known.doing {
            Doing::LooksBeforeSubmitting(_) | Doing::Submits(_) | Doing::Releases(_) => {}
            Doing::Takes(_) | Doing::Closes(_) if is_mine => {}
            Doing::Asks(_) | Doing::Keeps(_) | Doing::KeepsAgain(_) => known.follow(entry, is_mine),
            Doing::AsksAgain(_) if is_mine => known.follow(entry, is_mine),
            _ => {
                self.requests.remove(id);
                self.learn(id, entry);
            }
        }
    }

    /// A request that nothing is being done for has this entry.
    fn learn(&mut self, id: &RequestId, entry: &Entry) {
        let (job, holder, turn) = match &entry.content {
            Content::Closed => return self.expect(Output::Ended(id.clone())),
            Content::Open { job, holder, turn } => (job, holder, *turn),
        };
        if self.draining || job.request != *id {
            return;
        }
        if !self.may_know(job) {
            self.overlooked = true;
            self.counters.overlooked += 1;
            return;
        }
        let adopts = self.names_me(&entry.content) && self.may_hold();
        self.requests.insert(id.clone(), unserved(job, entry.sequence, turn, self.now));
        if adopts {
            self.get(id).whose = Whose::Mine;
            self.ask(id);
        } else if holder.is_some() {
            self.leave(id);
        }
    }

    /// Another coordinator has as long as it needs.
    fn leave(&mut self, id: &RequestId) {
        let (now, patience) = (self.now, self.config.patience);
        let request = self.get(id);
        let until = now.after(request.job.timeout).after(patience);
        (request.doing, request.is_taken, request.repeats) = (Doing::Nothing(until), false, 0);
    }

    /// The time of the next attempt.
    fn again_at(&mut self, id: &RequestId) -> Timestamp {
        let Config { pause, max_pause, .. } = self.config;
        let repeats = self.get(id).repeats;
        self.get(id).repeats += 1;
        let doubled = (0..repeats).fold(pause, |pause: Duration, _| pause.saturating_add(pause).min(max_pause));
        self.now.after(doubled.min(max_pause))
    }

    fn try_again(&mut self, id: &RequestId) {
        if self.draining {
            self.requests.remove(id);
        } else {
            let at = self.again_at(id);
            let request = self.get(id);
            (request.doing, request.is_taken) = (Doing::Nothing(at), false);
        }
    }

    fn look(&mut self, id: &RequestId) -> Work {
        let work = self.next_work();
        self.expect(Output::Look { work, request: id.clone() });
        work
    }

    fn write(&mut self, id: &RequestId, doing: fn(Work) -> Doing, content: Content) {
        let (work, after) = (self.next_work(), self.get(id).sequence);
        self.expect(Output::Write { work, request: id.clone(), after, content });
        self.get(id).doing = doing(work);
    }

    fn write_open(&mut self, id: &RequestId, doing: fn(Work) -> Doing, holder: Option<Arc<str>>) {
        let request = self.get(id);
        request.turn = request.turn.saturating_add(1);
        let content = Content::Open { job: Arc::clone(&request.job), holder, turn: request.turn };
        self.write(id, doing, content);
    }

    fn looked(&mut self, work: Work, found: &Found) {
        let submits = self.of(work, |doing| match doing {
            Doing::LooksBeforeSubmitting(work) => Some(work),
            _ => None,
        });
        let takes = self.of(work, |doing| match doing {
            Doing::LooksBeforeTaking(work) => Some(work),
            _ => None,
        });
        let me = Some(Arc::clone(&self.config.holder));
        if let Some(id) = submits {
            let reply = match found {
                Found::Nothing => return self.write_open(&id, Doing::Submits, me),
                Found::Outcome(query) if *query == Some(self.query(&id)) => Ok(Accepted::Done),
                Found::Outcome(_) => Err(Rejection::Conflict),
                Found::Unknown => Err(Rejection::Unclear),
            };
            self.forget_and_answer(&id, reply);
        } else if let Some(id) = takes {
            match found {
                Found::Nothing => self.write_open(&id, Doing::Takes, me),
                Found::Outcome(_) => {
                    self.expect(Output::Ended(id.clone()));
                    self.write(&id, Doing::Closes, Content::Closed);
                }
                Found::Unknown => self.try_again(&id),
            }
        }
    }

    fn query(&self, id: &RequestId) -> Query {
        self.requests[id].job.query.clone()
    }

    fn forget_and_answer(&mut self, id: &RequestId, reply: Result<Accepted, Rejection>) {
        if let Some(request) = self.requests.remove(id) {
            self.answer(request.callers, reply);
        }
    }

    fn written(&mut self, work: Work, written: &Written) {
        let of = self.of(work, |doing| match doing {
            Doing::Submits(work) | Doing::Takes(work) | Doing::Closes(work) | Doing::Releases(work) => Some(work),
            _ => None,
        });
        let Some(id) = of else { return };
        match (self.requests[&id].doing, written) {
            (Doing::Submits(_), Written::Stored(sequence)) => {
                self.counters.accepted += 1;
                let callers = std::mem::take(&mut self.get(&id).callers);
                self.answer(callers, Ok(Accepted::Open));
                self.serve(&id, *sequence);
            }
            (Doing::Submits(_), Written::Lost(newest)) => self.submitted_late(&id, newest.as_ref()),
            (Doing::Submits(_), Written::Unclear) => self.forget_and_answer(&id, Err(Rejection::Unclear)),
            (Doing::Submits(_), Written::Refused) => self.forget_and_answer(&id, Err(Rejection::Refused)),
            (Doing::Takes(_), Written::Stored(sequence)) => {
                self.counters.taken_over += 1;
                self.serve(&id, *sequence);
            }
            (Doing::Takes(_) | Doing::Closes(_), Written::Lost(Some(entry))) => {
                self.requests.remove(&id);
                self.learn(&id, entry);
            }
            (Doing::Takes(_), Written::Lost(None)) => {
                self.requests.remove(&id);
                self.expect(Output::Ended(id));
            }
            (Doing::Takes(_) | Doing::Closes(_), Written::Unclear | Written::Refused) => self.try_again(&id),
            _ => {
                self.requests.remove(&id);
            }
        }
    }

    /// Another entry came before that of a submission.
    fn submitted_late(&mut self, id: &RequestId, newest: Option<&Entry>) {
        if let Some(entry) = newest
            && let Content::Open { job, .. } = &entry.content
        {
            let is_same = job.query == self.query(id);
            self.forget_and_answer(id, if is_same { Ok(Accepted::Open) } else { Err(Rejection::Conflict) });
            self.learn(id, entry);
        } else if self.draining {
            self.forget_and_answer(id, Err(Rejection::Draining));
        } else if self.get(id).repeats >= self.config.max_looks {
            self.forget_and_answer(id, Err(Rejection::Unclear));
        } else {
            let work = self.look(id);
            let request = self.get(id);
            request.repeats += 1;
            request.sequence = newest.map_or(0, |entry| entry.sequence);
            request.doing = Doing::LooksBeforeSubmitting(work);
        }
    }

    /// The request is stored as this coordinator's.
    fn serve(&mut self, id: &RequestId, sequence: u64) {
        let request = self.get(id);
        (request.sequence, request.whose, request.repeats) = (sequence, Whose::Mine, 0);
        if self.draining { self.write_open(id, Doing::Releases, None) } else { self.ask(id) }
    }

    fn ask(&mut self, id: &RequestId) {
        let (work, job) = (self.next_work(), Arc::clone(&self.get(id).job));
        self.expect(Output::Ask { work, job });
        self.get(id).doing = Doing::Asks(work);
    }

    fn asked(&mut self, work: Work, got: Got) {
        let of = self.of(work, |doing| match doing {
            Doing::Asks(work) => Some(work),
            _ => None,
        });
        let Some(id) = of else { return };
        let kept: usize = self.requests.values().map(|request| request.outcome_bytes).sum();
        let (passes, bytes) = match got {
            Got::Nothing => (true, 0),
            Got::Refused(Refusal::NoWorkers | Refusal::UnknownQuery | Refusal::Policy(_)) => (false, 0),
            Got::Refused(_) => (true, 0),
            Got::Outcome { failure, bytes } => (matches!(failure, Some(Failure::BusDown | Failure::Overloaded)), bytes),
        };
        if !passes && (kept == 0 || kept + bytes <= self.config.max_outcome_bytes) {
            let request = self.get(&id);
            (request.outcome_bytes, request.repeats) = (bytes, 0);
            return self.keep(&id);
        }
        self.expect(Output::Forget(id.clone()));
        match (self.get(&id).whose, self.draining) {
            (Whose::Mine, true) => self.write_open(&id, Doing::Releases, None),
            (Whose::Mine, false) => {
                self.counters.repeated += 1;
                let at = self.again_at(&id);
                self.get(&id).doing = Doing::AsksAgain(at);
            }
            (Whose::Theirs, false) => self.leave(&id),
            (Whose::Theirs, true) | (Whose::Closed, _) => {
                self.requests.remove(&id);
            }
        }
    }

    fn keep(&mut self, id: &RequestId) {
        let work = self.next_work();
        self.expect(Output::Keep { work, request: id.clone() });
        self.get(id).doing = Doing::Keeps(work);
    }

    fn kept(&mut self, work: Work, kept: Kept) {
        let of = self.of(work, |doing| match doing {
            Doing::Keeps(work) => Some(work),
            _ => None,
        });
        let Some(id) = of else { return };
        if kept == Kept::Unclear && !self.draining {
            let at = self.again_at(&id);
            self.get(&id).doing = Doing::KeepsAgain(at);
            return;
        }
        self.expect(Output::Forget(id.clone()));
        if kept == Kept::Unclear {
            self.requests.remove(&id);
            return;
        }
        *(if kept == Kept::Stored { &mut self.counters.stored } else { &mut self.counters.lost }) += 1;
        self.expect(Output::Ended(id.clone()));
        let request = self.get(&id);
        (request.outcome_bytes, request.repeats) = (0, 0);
        let whose = request.whose;
        match whose {
            Whose::Mine => self.write(&id, Doing::Closes, Content::Closed),
            Whose::Theirs if !self.draining => self.leave(&id),
            Whose::Theirs | Whose::Closed => {
                self.requests.remove(&id);
            }
        }
    }

    fn drain(&mut self) {
        if self.draining {
            return;
        }
        self.draining = true;
        for id in self.requests.keys().cloned().collect::<Vec<_>>() {
            let request = &self.requests[&id];
            match request.doing {
                Doing::Nothing(_) => {
                    self.requests.remove(&id);
                }
                Doing::LooksBeforeSubmitting(_) | Doing::LooksBeforeTaking(_) => {
                    self.forget_and_answer(&id, Err(Rejection::Draining));
                }
                Doing::AsksAgain(_) => self.write_open(&id, Doing::Releases, None),
                Doing::KeepsAgain(_) => self.keep(&id),
                _ => {}
            }
        }
    }
}

impl Request {
    /// Notes whose the request is, while it is being served.
    fn follow(&mut self, entry: &Entry, is_mine: bool) {
        self.sequence = entry.sequence;
        if let Content::Open { turn, .. } = entry.content {
            self.turn = self.turn.max(turn);
            self.whose = if is_mine { Whose::Mine } else { Whose::Theirs };
        } else {
            self.whose = Whose::Closed;
        }
    }
}

/// When something is done again for a request, if something is.
fn pause(request: &Request) -> Option<Timestamp> {
    match request.doing {
        Doing::AsksAgain(at) | Doing::KeepsAgain(at) => Some(at),
        _ => None,
    }
}

/// A request that nothing is being done for, and that may be taken over at once.
fn unserved(job: &Arc<Job>, sequence: u64, turn: u64, now: Timestamp) -> Request {
    Request {
        job: Arc::clone(job),
        sequence,
        turn,
        whose: Whose::Theirs,
        doing: Doing::Nothing(now),
        is_taken: false,
        repeats: 0,
        callers: Vec::new(),
        outcome_bytes: 0,
    }
}
