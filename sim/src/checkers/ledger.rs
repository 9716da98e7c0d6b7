//! Who asked what of the coordinators, and what became of it, as their inputs and outputs tell.
//!
//! A coordinator may be told several things before its outputs are looked at. Its outputs are in the order of what
//! caused them, and whatever is due comes before an input of the same time. So once a coordinator has settled, what it
//! was told is gone through once more: up to what caused its first output, then up to what caused the next. Each
//! [`Fact`] is told as of then.

use std::collections::{BTreeSet, HashMap, VecDeque};
use std::hash::BuildHasherDefault;
use std::sync::Arc;
use std::time::Duration;

use quorate_core::coordinator::{
    Coordinator, Input, Output, PresenceState, Refusal, Submit, Task, Undelivered, UndeliveredCause, Worker,
};
use quorate_core::id::{RequestId, TaskId, Ticket, WorkerId};
use quorate_core::outcome::{Cause, Failure, Outcome, request_bytes};
use quorate_core::policy::Overrides;
use quorate_core::query::Query;
use quorate_core::time::Timestamp;

use super::Context;
use super::hosts::entry;
use crate::event::{Event, What};
use crate::host::Host;
use crate::trace::TraceHash;

/// A map with a hash that is the same in every run.
pub(super) type Map<K, V> = HashMap<K, V, BuildHasherDefault<TraceHash>>;

/// The books on all coordinators, by number.
#[derive(Debug)]
pub(super) struct Ledger {
    books: Vec<Option<Book>>,
    memory: Terms,
}

/// How long and how many ended requests are remembered, and what they may weigh in all.
#[derive(Clone, Copy, Debug)]
struct Terms {
    keep: Duration,
    most: usize,
    most_bytes: usize,
}

/// One who asked.
#[derive(Clone, Debug)]
pub(crate) struct Caller {
    pub(super) ticket: Ticket,
    pub(super) id: Option<RequestId>,
    pub(super) query: Query,
    pub(super) overrides: Overrides,
    pub(super) submitted: Timestamp,
    /// The request that it waits for.
    waits_for: Option<RequestId>,
}

/// A request in flight.
#[derive(Clone, Debug)]
pub(crate) struct Asking {
    pub(super) request: RequestId,
    pub(super) query: Query,
    pub(super) overrides: Overrides,
    pub(super) submitted: Timestamp,
    pub(super) task: TaskId,
    pub(super) callers: Vec<Ticket>,
    /// Who has answered it, as far as the coordinator was told before.
    answered: Vec<WorkerId>,
}

/// What an id stands for.
#[derive(Clone, Debug)]
pub(crate) struct Remembered {
    pub(super) query: Query,
    /// What a retry gets; `None` if it is dispatched again.
    pub(super) outcome: Option<Arc<Outcome>>,
    ended: Timestamp,
    number: u64,
    /// What had been remembered before it, in bytes.
    bytes_before: usize,
}

/// Where an outcome comes from.
#[derive(Debug)]
pub(crate) enum Source {
    /// A request that was in flight has ended.
    Ended {
        asking: Arc<Asking>,
        /// Whether this is the first that is told of it.
        is_first: bool,
        /// What was told first.
        told: Arc<Outcome>,
        /// What the bus said of its task, if it ended by that.
        undelivered: Option<Undelivered>,
    },
    /// It was told before, and is told at once to one who asks again.
    Replayed(Arc<Outcome>),
    /// Neither.
    Nowhere,
}

/// Something that is known of a coordinator's requests, and all that was known before it.
#[derive(Debug)]
pub(crate) struct Fact<'a> {
    /// When the coordinator's output told it, on its own clock.
    pub(super) now: Timestamp,
    pub(super) book: &'a Book,
    pub(super) what: Told<'a>,
}

/// What is known of a request.
#[derive(Debug)]
pub(crate) enum Told<'a> {
    /// A request was accepted, and is asked by this task.
    Asked { by: &'a Caller, task: &'a Task },
    /// A task was published for the first time that nobody asked for.
    AskedByNobody(&'a Task),
    /// One more waits for a request in flight.
    Joined(&'a Asking),
    /// A ticket was given that is in use.
    TicketReused(Ticket),
    /// A request was refused: `to` whom, if it was waiting, and whether it had asked just then.
    Refused { to: Option<&'a Caller>, at_once: bool, refusal: &'a Refusal },
    /// A request ended with an outcome; `to` is whoever waited.
    Answered { to: Option<&'a Caller>, source: &'a Source, outcome: &'a Arc<Outcome> },
    /// One who asked was neither refused, nor asked for, nor joined a request.
    Overlooked(Ticket),
    /// The coordinator has stopped or the run has ended, and this one still waits.
    Unanswered { by: Host, caller: &'a Caller },
}

/// What a coordinator was told.
#[derive(Debug)]
enum Step {
    Submit(Submit),
    Cancel(Ticket),
    Result { request: RequestId, worker: WorkerId, task: Option<TaskId> },
    Undelivered(Undelivered),
    Presence { worker: WorkerId, is_farewell: bool },
    BusUp,
    BusDown,
    Drain,
}

/// What is known of one coordinator.
#[derive(Debug)]
pub(crate) struct Book {
    terms: Terms,
    bus_up: bool,
    last_bus_down: Option<Timestamp>,
    draining: bool,
    /// When each worker said last that it goes away.
    farewells: Map<WorkerId, Timestamp>,
    /// Who has answered on a reply subject, so that its answers elsewhere are not taken.
    direct: BTreeSet<WorkerId>,
    /// What was said first of tasks that reached nobody.
    undelivered: Map<TaskId, Undelivered>,
    callers: Map<Ticket, Caller>,
    askings: Map<RequestId, Asking>,
    remembered: VecDeque<(RequestId, u64)>,
    by_id: Map<RequestId, Remembered>,
    next: u64,
    /// What all weigh that were ever remembered, in bytes.
    bytes: usize,
    /// What it was told and did since it last settled, as far as that has not been gone through.
    steps: VecDeque<(Timestamp, Step)>,
    outputs: VecDeque<(Timestamp, Output)>,
    /// What ended last since then.
    ending: Option<(Arc<Asking>, Arc<Outcome>)>,
}

impl Ledger {
    pub(super) fn new(context: &Context<'_>) -> Self {
        let settings = &context.scenario.cluster.settings;
        let config = settings.config();
        let memory =
            Terms { keep: config.remember, most: config.max_remembered, most_bytes: config.max_remembered_bytes };
        Self { books: Vec::new(), memory }
    }

    /// Enters an event, and tells what is known by it.
    #[inline]
    pub(super) fn event<E>(
        &mut self,
        event: &Event<'_>,
        tell: &mut impl FnMut(&Fact<'_>) -> Result<(), E>,
    ) -> Result<(), E> {
        match (event.what, event.host) {
            (What::CoordinatorInput(now, input), Host::Coordinator(number)) => {
                self.open(number).steps.push_back((now, Step::of(input)));
            }
            // What those are told who follow all requests is `followed`'s affair.
            (What::CoordinatorOutput(_, Output::Ended(_)), _) => {}
            (What::CoordinatorOutput(now, output), Host::Coordinator(number)) => {
                self.open(number).outputs.push_back((now, output.clone()));
            }
            (What::CoordinatorSettled(now, machine), Host::Coordinator(number)) => {
                let book = self.open(number);
                let has_heard = book.steps.iter().any(|(_, step)| matches!(step, Step::Result { .. }));
                book.settle(now, tell)?;
                if has_heard {
                    update(&mut book.direct, machine, |worker| worker.answers_directly);
                }
            }
            (What::Started { .. } | What::Crashed, Host::Coordinator(number)) => *entry(&mut self.books, number) = None,
            (What::Stopped, Host::Coordinator(number)) => {
                if let Some(book) = entry(&mut self.books, number).take() {
                    return book.unanswered(event.host, tell);
                }
            }
            (What::Ended, _) => {
                for (number, book) in (0..).zip(&self.books) {
                    book.as_ref().map_or(Ok(()), |book| book.unanswered(Host::Coordinator(number), tell))?;
                }
            }
            _ => {}
        }
        Ok(())
    }

    fn open(&mut self, number: u8) -> &mut Book {
        let terms = self.memory;
        entry(&mut self.books, number).get_or_insert_with(|| Book::new(terms))
    }
}

impl Step {
    fn of(input: &Input) -> Self {
        match input {
            Input::Submit(submit) => Self::Submit(submit.clone()),
            Input::Cancel(ticket) => Self::Cancel(*ticket),
            Input::Result(result) => {
                Self::Result { request: result.request.clone(), worker: result.worker.clone(), task: result.task }
            }
            Input::Undelivered(undelivered) => Self::Undelivered(*undelivered),
            Input::Presence(presence) => {
                let is_farewell = presence.state != PresenceState::Live;
                Self::Presence { worker: presence.worker.clone(), is_farewell }
            }
            Input::BusUp => Self::BusUp,
            Input::BusDown => Self::BusDown,
            Input::Drain => Self::Drain,
        }
    }

    fn is_submit_of(&self, ticket: Ticket) -> bool {
        matches!(self, Self::Submit(submit) if submit.ticket == ticket)
    }
}

/// Sets those of a coordinator's workers for which something holds, which mostly are the same as before.
pub(super) fn update(those: &mut BTreeSet<WorkerId>, machine: &Coordinator, holds: impl Fn(&Worker) -> bool) {
    let now = machine.workers().filter(|(_, worker)| holds(worker)).map(|(id, _)| id);
    if !now.eq(those.iter()) {
        let now = machine.workers().filter(|(_, worker)| holds(worker));
        *those = now.map(|(id, _)| id.clone()).collect();
    }
}

/// Whether a request that ended so was undelivered for that.
fn is_undelivered_for(cause: UndeliveredCause, outcome: &Outcome) -> bool {
    let failure = match cause {
        UndeliveredCause::NoResponders => Failure::NoWorkers,
        UndeliveredCause::Disconnected => Failure::BusDown,
        UndeliveredCause::QueueFull => Failure::Overloaded,
    };
    outcome.verdict == Err(failure)
}

impl Book {
    fn new(terms: Terms) -> Self {
        Self {
            terms,
            bus_up: false,
            last_bus_down: None,
            draining: false,
            farewells: Map::default(),
            undelivered: Map::default(),
            callers: Map::default(),
            askings: Map::default(),
            remembered: VecDeque::new(),
            by_id: Map::default(),
            direct: BTreeSet::new(),
            next: 0,
            bytes: 0,
            steps: VecDeque::new(),
            outputs: VecDeque::new(),
            ending: None,
        }
    }

    pub(super) fn is_bus_up(&self) -> bool {
        self.bus_up
    }

    /// Whether the bus has been down at some time since `since`.
    pub(super) fn bus_was_down(&self, since: Timestamp) -> bool {
        !self.bus_up || self.last_bus_down.is_some_and(|down| down >= since)
    }

    pub(super) fn is_draining(&self) -> bool {
        self.draining
    }

    pub(super) fn in_flight(&self) -> usize {
        self.askings.len()
    }

    pub(super) fn asking(&self, id: &RequestId) -> Option<&Asking> {
        self.askings.get(id)
    }

    /// What is remembered under this id at `now`.
    pub(super) fn remembered(&self, id: &RequestId, now: Timestamp) -> Option<&Remembered> {
        self.by_id.get(id).filter(|remembered| {
            let later = (self.next - remembered.number - 1) as usize;
            let bytes = self.bytes - remembered.bytes_before;
            later < self.terms.most && bytes <= self.terms.most_bytes && now.since(remembered.ended) < self.terms.keep
        })
    }

    fn unanswered<E>(&self, by: Host, tell: &mut impl FnMut(&Fact<'_>) -> Result<(), E>) -> Result<(), E> {
        match self.callers.values().min_by_key(|caller| caller.ticket) {
            Some(caller) => self.tell(Timestamp::MAX, Told::Unanswered { by, caller }, tell),
            None => Ok(()),
        }
    }

    #[inline]
    fn tell<E>(
        &self,
        now: Timestamp,
        what: Told<'_>,
        tell: &mut impl FnMut(&Fact<'_>) -> Result<(), E>,
    ) -> Result<(), E> {
        tell(&Fact { now, book: self, what })
    }

    fn settle<E>(&mut self, now: Timestamp, tell: &mut impl FnMut(&Fact<'_>) -> Result<(), E>) -> Result<(), E> {
        while let Some((now, output)) = self.outputs.pop_front() {
            match output {
                Output::Publish(task) if task.attempt == 1 => self.asked(now, &task, tell)?,
                Output::Publish(_) | Output::CallWorkers | Output::Ended(_) | Output::Drained => {}
                Output::Answer { ticket, reply: Ok(outcome) } => self.answered(now, ticket, &outcome, tell)?,
                Output::Answer { ticket, reply: Err(refusal) } => self.refused(now, ticket, &refusal, tell)?,
            }
        }
        while !self.steps.is_empty() {
            self.pass(now, tell)?;
        }
        self.ending = None;
        Ok(())
    }

    /// Goes past the next thing that the coordinator was told, of which no output came.
    fn pass<E>(&mut self, now: Timestamp, tell: &mut impl FnMut(&Fact<'_>) -> Result<(), E>) -> Result<(), E> {
        let Some((at, step)) = self.steps.pop_front() else { return Ok(()) };
        match step {
            Step::Submit(submit) => {
                let mut caller = self.caller(at, submit, now, tell)?;
                let ticket = caller.ticket;
                let joined = caller.id.as_ref().filter(|id| self.is_asking(id, &caller.query)).cloned();
                caller.waits_for.clone_from(&joined);
                self.callers.insert(ticket, caller);
                if let Some(asking) = joined.as_ref().and_then(|id| self.askings.get_mut(id)) {
                    asking.callers.push(ticket);
                }
                return match joined.as_ref().and_then(|id| self.askings.get(id)) {
                    Some(asking) => self.tell(now, Told::Joined(asking), tell),
                    None => self.tell(now, Told::Overlooked(ticket), tell),
                };
            }
            Step::Cancel(ticket) => {
                if let Some(caller) = self.callers.remove(&ticket) {
                    self.leave(at, &caller);
                }
            }
            Step::Result { request, worker, task } => {
                if let Some(asking) = self.askings.get_mut(&request)
                    && task.map_or(!self.direct.contains(&worker), |task| task == asking.task)
                {
                    asking.answered.push(worker);
                }
            }
            Step::Presence { worker, is_farewell: true } => drop(self.farewells.insert(worker, at)),
            Step::Undelivered(it) if it.cause == UndeliveredCause::NoResponders => {
                self.undelivered.insert(it.task, it);
            }
            Step::Undelivered(_) | Step::Presence { .. } => {}
            Step::BusUp => self.bus_up = true,
            Step::BusDown => (self.bus_up, self.last_bus_down) = (false, Some(at)),
            Step::Drain => self.draining = true,
        }
        Ok(())
    }

    fn is_asking(&self, id: &RequestId, query: &Query) -> bool {
        self.askings.get(id).is_some_and(|asking| asking.query == *query)
    }

    fn caller<E>(
        &self,
        submitted: Timestamp,
        submit: Submit,
        now: Timestamp,
        tell: &mut impl FnMut(&Fact<'_>) -> Result<(), E>,
    ) -> Result<Caller, E> {
        let Submit { ticket, id, query, overrides, .. } = submit;
        if self.callers.contains_key(&ticket) {
            self.tell(now, Told::TicketReused(ticket), tell)?;
        }
        Ok(Caller { ticket, id, query, overrides, submitted, waits_for: None })
    }

    /// Takes a caller from its request, which ends with its last one.
    fn leave(&mut self, now: Timestamp, caller: &Caller) {
        let Some(asking) = caller.waits_for.as_ref().and_then(|request| self.askings.get_mut(request)) else { return };
        asking.callers.retain(|waiting| *waiting != caller.ticket);
        if asking.callers.is_empty()
            && let Some(asking) = caller.waits_for.as_ref().and_then(|request| self.askings.remove(request))
        {
            self.remember(asking.request, asking.query, None, now);
        }
    }

    fn remember(&mut self, request: RequestId, query: Query, outcome: Option<Arc<Outcome>>, ended: Timestamp) {
        let (number, bytes_before) = (self.next, self.bytes);
        self.next += 1;
        self.bytes += match &outcome {
            Some(outcome) => outcome.bytes(),
            None => request_bytes(&request, &query),
        };
        self.remembered.push_back((request.clone(), number));
        self.by_id.insert(request, Remembered { query, outcome, ended, number, bytes_before });
        // A few more are kept, to tell what was to be forgotten from what never was.
        while self.remembered.len() > self.terms.most.saturating_add(64)
            && let Some((oldest, number)) = self.remembered.pop_front()
        {
            if self.by_id.get(&oldest).is_some_and(|remembered| remembered.number == number) {
                self.by_id.remove(&oldest);
            }
        }
    }

    /// Goes up to a question, and takes it.
    fn up_to<E>(
        &mut self,
        now: Timestamp,
        is_it: impl Fn(&Self, &Step) -> bool,
        tell: &mut impl FnMut(&Fact<'_>) -> Result<(), E>,
    ) -> Result<Option<Caller>, E> {
        while let Some((_, step)) = self.steps.front() {
            if !is_it(self, step) {
                self.pass(now, tell)?;
            } else if let Some((at, Step::Submit(submit))) = self.steps.pop_front() {
                return self.caller(at, submit, now, tell).map(Some);
            }
        }
        Ok(None)
    }

    /// Goes up to the question with this ticket, if that is still ahead.
    fn up_to_ticket<E>(
        &mut self,
        now: Timestamp,
        ticket: Ticket,
        tell: &mut impl FnMut(&Fact<'_>) -> Result<(), E>,
    ) -> Result<Option<Caller>, E> {
        if !self.steps.iter().any(|(_, step)| step.is_submit_of(ticket)) {
            return Ok(None);
        }
        self.up_to(now, |_, step| step.is_submit_of(ticket), tell)
    }

    /// A task is published for the first time: its request was accepted. It is that of the first who asked for it and
    /// did not join a request in flight.
    fn asked<E>(
        &mut self,
        now: Timestamp,
        task: &Task,
        tell: &mut impl FnMut(&Fact<'_>) -> Result<(), E>,
    ) -> Result<(), E> {
        let asks = |step: &Step| match step {
            Step::Submit(Submit { id, query, .. }) => {
                *query == task.query && id.as_ref().is_none_or(|id| *id == task.request)
            }
            _ => false,
        };
        let joins = |book: &Self, step: &Step| match step {
            Step::Submit(Submit { id: Some(id), query, .. }) => book.is_asking(id, query),
            _ => false,
        };
        if !self.steps.iter().any(|(_, step)| asks(step)) {
            return self.tell(now, Told::AskedByNobody(task), tell);
        }
        let Some(mut caller) = self.up_to(now, |book, step| asks(step) && !joins(book, step), tell)? else {
            return self.tell(now, Told::AskedByNobody(task), tell);
        };
        self.tell(now, Told::Asked { by: &caller, task }, tell)?;
        let asking = Asking {
            request: task.request.clone(),
            query: task.query.clone(),
            overrides: caller.overrides,
            submitted: caller.submitted,
            task: task.id,
            callers: vec![caller.ticket],
            answered: Vec::new(),
        };
        caller.waits_for = Some(task.request.clone());
        self.callers.insert(caller.ticket, caller);
        self.askings.insert(task.request.clone(), asking);
        Ok(())
    }

    fn refused<E>(
        &mut self,
        now: Timestamp,
        ticket: Ticket,
        refusal: &Refusal,
        tell: &mut impl FnMut(&Fact<'_>) -> Result<(), E>,
    ) -> Result<(), E> {
        let asks = self.up_to_ticket(now, ticket, tell)?;
        let at_once = asks.is_some();
        let to = asks.or_else(|| self.callers.remove(&ticket));
        self.tell(now, Told::Refused { to: to.as_ref(), at_once, refusal }, tell)?;
        if let Some(caller) = to {
            self.leave(now, &caller);
        }
        Ok(())
    }

    fn answered<E>(
        &mut self,
        now: Timestamp,
        ticket: Ticket,
        outcome: &Arc<Outcome>,
        tell: &mut impl FnMut(&Fact<'_>) -> Result<(), E>,
    ) -> Result<(), E> {
        let request = &outcome.request;
        let ending = self.ending.as_ref().filter(|(asking, _)| asking.request == *request);
        let mut to = None;
        let source = if let Some((asking, told)) = ending.filter(|(asking, _)| asking.callers.contains(&ticket)) {
            Source::Ended { asking: Arc::clone(asking), is_first: false, told: Arc::clone(told), undelivered: None }
        } else if self.askings.contains_key(request) {
            self.end(now, ticket, outcome, tell)?
        } else {
            to = self.up_to_ticket(now, ticket, tell)?;
            match self.by_id.get(request) {
                Some(Remembered { outcome: Some(told), .. }) if to.is_some() => Source::Replayed(Arc::clone(told)),
                _ => Source::Nowhere,
            }
        };
        let to = to.or_else(|| self.callers.remove(&ticket));
        self.tell(now, Told::Answered { to: to.as_ref(), source: &source, outcome }, tell)
    }

    /// A request in flight has ended.
    fn end<E>(
        &mut self,
        now: Timestamp,
        first: Ticket,
        outcome: &Arc<Outcome>,
        tell: &mut impl FnMut(&Fact<'_>) -> Result<(), E>,
    ) -> Result<Source, E> {
        let place = self.askings.get(&outcome.request).map_or(0, |asking| self.place_of_end(asking, first, outcome));
        for _ in 0..place {
            self.pass(now, tell)?;
        }
        let Some(asking) = self.askings.remove(&outcome.request) else { return Ok(Source::Nowhere) };
        let before = self.undelivered.remove(&asking.task);
        let undelivered = match self.steps.front() {
            Some((_, Step::Undelivered(it))) if it.task == asking.task => Some(*it),
            _ => None,
        };
        let is_of = |it: &Undelivered| is_undelivered_for(it.cause, outcome);
        let undelivered = undelivered.filter(is_of).or(before);
        let is_kept = !matches!(outcome.verdict, Err(Failure::NoWorkers | Failure::BusDown | Failure::Overloaded));
        let kept = is_kept.then(|| Arc::clone(outcome));
        let ended = asking.submitted.after(outcome.elapsed);
        self.remember(asking.request.clone(), asking.query.clone(), kept, ended);
        let (asking, told) = (Arc::new(asking), Arc::clone(outcome));
        self.ending = Some((Arc::clone(&asking), Arc::clone(outcome)));
        Ok(Source::Ended { asking, is_first: true, told, undelivered })
    }

    /// How many of the things that the coordinator was told come before the end of a request of which `first` is told
    /// first.
    fn place_of_end(&self, asking: &Asking, first: Ticket, outcome: &Outcome) -> usize {
        let all = self.steps.len();
        let ended = asking.submitted.after(outcome.elapsed);
        let mut steps = self.steps.iter();
        let place = match outcome.cause {
            Cause::Stalled | Cause::DeadlinePassed => steps.position(|(now, _)| *now >= ended),
            // At once, or when nobody had said otherwise for long enough.
            Cause::Undelivered => {
                let says_so = |step: &Step| matches!(step, Step::Undelivered(it) if it.task == asking.task && is_undelivered_for(it.cause, outcome));
                let was_doubted =
                    self.undelivered.contains_key(&asking.task) && outcome.verdict == Err(Failure::NoWorkers);
                let at_once = self.steps.iter().position(|(now, step)| *now == ended && says_so(step));
                at_once.filter(|_| !was_doubted).or_else(|| steps.position(|(now, _)| *now >= ended))
            }
            Cause::AllAnswered | Cause::QuorumMet => Some(self.place_of_last_answer(asking, first, outcome)),
        };
        place.unwrap_or(all)
    }

    /// A request ended by an answer or a farewell: by the last of them that made a difference, before anyone who is told
    /// went away and after all those who waited and are not told.
    fn place_of_last_answer(&self, asking: &Asking, first: Ticket, outcome: &Outcome) -> usize {
        let request = &asking.request;
        let asks_again = self.outputs.iter().any(
            |(_, output)| matches!(output, Output::Publish(task) if task.attempt == 1 && task.request == *request),
        );
        let next = self.outputs.iter().find_map(|(_, output)| self.place_of_question(output));
        let mut most = next.unwrap_or(self.steps.len());
        let mut least = 0;
        for (place, (_, step)) in self.steps.iter().enumerate() {
            let Step::Cancel(ticket) = step else { continue };
            let mut answers = self.outputs.iter().filter_map(|(_, output)| match output {
                Output::Answer { ticket: to, reply } if to == ticket => Some(reply),
                _ => None,
            });
            if *ticket == first || answers.any(|reply| reply.as_ref().is_ok_and(|told| told.request == *request)) {
                most = most.min(place);
            } else if asking.callers.contains(ticket) || !asks_again && self.joins_silently(asking, *ticket) {
                least = place + 1;
            }
        }
        let is_answer_of = |by: &WorkerId, step: &Step| match step {
            Step::Result { request: of, worker, task } => {
                let is_for_it = task.map_or(!self.direct.contains(by), |task| task == asking.task);
                of == request && worker == by && is_for_it
            }
            _ => false,
        };
        let is_farewell_of =
            |by: &WorkerId, step: &Step| matches!(step, Step::Presence { worker, is_farewell: true } if worker == by);
        let first = |is_it: &dyn Fn(&Step) -> bool| self.steps.iter().position(|(_, step)| is_it(step));
        let observed = outcome.observations.iter().map(|observation| &observation.worker);
        let answers = observed
            .filter(|worker| !asking.answered.contains(worker))
            .filter_map(|worker| first(&|step| is_answer_of(worker, step)));
        let had_gone = |worker: &WorkerId| self.farewells.get(worker).is_some_and(|at| *at >= asking.submitted);
        let farewells = outcome
            .missing
            .iter()
            .filter(|worker| !had_gone(worker))
            .filter_map(|worker| first(&|step| is_farewell_of(worker, step)));
        let mut causes: Vec<usize> = answers.collect();
        // A quorum is met by who leaves only if those who stay had met it.
        if outcome.cause == Cause::AllAnswered || causes.is_empty() {
            causes.extend(farewells);
        }
        let latest = causes.iter().copied().filter(|place| (least..most).contains(place)).max();
        // A worker that began anew has gone, too.
        let is_of_missing = |place: &usize| match &self.steps[*place].1 {
            Step::Presence { worker, .. } => outcome.missing.contains(worker),
            _ => false,
        };
        let latest = latest.or_else(|| (least..most).find(is_of_missing));
        // An end that fits nobody who is told comes when its cause does, and is told to the wrong ones.
        latest.or_else(|| causes.iter().copied().max()).unwrap_or(most.max(least))
    }

    /// Which of the questions ahead caused an output, if one alone can have.
    fn place_of_question(&self, output: &Output) -> Option<usize> {
        let mut steps = self.steps.iter().map(|(_, step)| step);
        match output {
            Output::Answer { ticket, reply: Err(_) } => steps.position(|step| step.is_submit_of(*ticket)),
            Output::Publish(task) if task.attempt == 1 => {
                let is_it = |step: &Step| match step {
                    Step::Submit(Submit { id, query, .. }) => {
                        id.as_ref() == Some(&task.request) && *query == task.query
                    }
                    _ => false,
                };
                let is_nameless =
                    |step: &Step| matches!(step, Step::Submit(Submit { id: None, query, .. }) if *query == task.query);
                // Others may have joined the request of the same name before it ended.
                steps.clone().rposition(is_it).or_else(|| steps.position(is_nameless))
            }
            _ => None,
        }
    }

    /// Whether one who is still to ask joins a request in flight and hears nothing more.
    fn joins_silently(&self, asking: &Asking, ticket: Ticket) -> bool {
        let joins = |(_, step): &(Timestamp, Step)| match step {
            Step::Submit(submit) => {
                submit.ticket == ticket && submit.id.as_ref() == Some(&asking.request) && submit.query == asking.query
            }
            _ => false,
        };
        let is_refused = |(_, output): &(Timestamp, Output)| matches!(output, Output::Answer { ticket: to, reply: Err(_) } if *to == ticket);
        self.steps.iter().any(joins) && !self.outputs.iter().any(is_refused)
    }
}
