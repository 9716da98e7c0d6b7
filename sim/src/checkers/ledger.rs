//! Who asked what of the coordinators, and what became of it, as their inputs and outputs tell.
//!
//! A coordinator may be told several things before its outputs are looked at. Its outputs are in the order of what
//! caused them, so what an output tells is true of the moment when its cause was handled: whatever was caused before
//! has been told before. Only cancelling and joining leave no output; they are entered when they are told.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::hash::BuildHasherDefault;
use std::sync::Arc;
use std::time::Duration;

use quorate_core::coordinator::{Input, Output, Refusal, Submit, Task};
use quorate_core::id::{RequestId, TaskId, Ticket};
use quorate_core::outcome::{Cause, Failure, Outcome};
use quorate_core::policy::Overrides;
use quorate_core::query::Query;
use quorate_core::time::Timestamp;

use super::Context;
use super::terms::slack;
use crate::event::{Event, What};
use crate::host::Host;
use crate::trace::TraceHash;

/// A map with a hash that is the same in every run.
pub(super) type Map<K, V> = HashMap<K, V, BuildHasherDefault<TraceHash>>;

/// The books on all coordinators.
#[derive(Debug)]
pub(super) struct Ledger {
    books: BTreeMap<Host, Book>,
    memory: Terms,
}

/// How long and how many ended requests are remembered.
#[derive(Clone, Copy, Debug)]
struct Terms {
    keep: Duration,
    most: usize,
    /// How far the time of an end may be known amiss.
    slack: Duration,
}

/// One who asked.
#[derive(Clone, Debug)]
pub(super) struct Caller {
    pub(super) ticket: Ticket,
    pub(super) id: Option<RequestId>,
    pub(super) query: Query,
    pub(super) overrides: Overrides,
    pub(super) submitted: Timestamp,
    /// Whether the bus was up when it asked.
    pub(super) bus_up: bool,
    /// Whether the coordinator was draining when it asked.
    pub(super) draining: bool,
    /// How many requests had been cancelled by then since the coordinator last settled.
    cancelled_before: usize,
    /// Whether it asked since the coordinator last settled.
    pub(super) is_new: bool,
    /// The request that it waits for, as far as is known.
    waits_for: Option<RequestId>,
}

/// A request in flight.
#[derive(Clone, Debug)]
pub(super) struct Asking {
    pub(super) request: RequestId,
    pub(super) query: Query,
    pub(super) overrides: Overrides,
    pub(super) submitted: Timestamp,
    pub(super) task: TaskId,
    pub(super) callers: Vec<Ticket>,
}

/// What an id stands for.
#[derive(Clone, Debug)]
pub(super) struct Remembered {
    pub(super) query: Query,
    /// What a retry gets; `None` if it is asked anew.
    pub(super) outcome: Option<Arc<Outcome>>,
    ended: Timestamp,
    number: u64,
    /// How far its number may be amiss.
    unsure: usize,
}

/// How sure it is that an id is remembered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Certainty {
    No,
    Perhaps,
    Yes,
}

/// Who gets an answer.
#[derive(Debug)]
pub(super) enum Recipient {
    /// One who waits.
    Waiting(Caller),
    /// One who went away since the coordinator last settled; whether the request may have ended before that.
    Gone { may_have_ended: bool },
    /// Nobody who asked and was not answered.
    Nobody,
}

/// Where an outcome comes from.
#[derive(Debug)]
pub(super) enum Source {
    /// A request that was in flight has ended.
    Ended {
        asking: Arc<Asking>,
        /// Whether this is the first that is told of it.
        is_first: bool,
        /// What was told first.
        told: Arc<Outcome>,
    },
    /// It is remembered.
    Replayed(Arc<Outcome>),
    /// Neither.
    Nowhere,
}

/// What an event tells about requests.
#[derive(Debug)]
pub(super) enum Fact<'a> {
    /// A request was accepted, and is asked by this task.
    Asked(&'a Task),
    /// A task was published for the first time that nobody asked for.
    AskedByNobody(&'a Task),
    /// A ticket was given that is in use.
    TicketReused(Ticket),
    /// A request was refused.
    Refused { to: Recipient, refusal: &'a Refusal },
    /// A request ended with an outcome.
    Answered { to: Recipient, source: Source, outcome: &'a Arc<Outcome> },
    /// The coordinator has settled, and this one who asked was neither refused, nor asked for, nor joined a request.
    Overlooked(Ticket),
}

/// What is known of one coordinator.
#[derive(Debug)]
pub(super) struct Book {
    terms: Terms,
    bus_up: bool,
    draining: bool,
    callers: Map<Ticket, Caller>,
    askings: Map<RequestId, Asking>,
    remembered: VecDeque<(RequestId, u64)>,
    by_id: Map<RequestId, Remembered>,
    next: u64,
    /// What happened since the coordinator last settled.
    lately: Lately,
}

#[derive(Debug, Default)]
struct Lately {
    /// Who asked.
    new: Vec<Ticket>,
    /// Who went away, and whether its request may have ended before that.
    gone: Vec<(Caller, bool)>,
    /// What ended.
    ended: Vec<(Arc<Asking>, Arc<Outcome>)>,
    /// What came to be remembered.
    remembered: Vec<RequestId>,
    /// Which requests callers joined.
    joined: Vec<RequestId>,
    /// What ended because nobody waited for it any more, unless it had ended before.
    cancelled: Vec<Asking>,
    /// Whether something happened by which a request may have ended.
    may_have_ended: bool,
}

impl Ledger {
    pub(super) fn new(context: &Context<'_>) -> Self {
        let settings = &context.scenario.cluster.settings;
        let memory = Terms {
            keep: Duration::from_millis(settings.remember_ms),
            most: settings.max_remembered,
            slack: slack(context.depth),
        };
        Self { books: BTreeMap::new(), memory }
    }

    pub(super) fn book(&self, host: Host) -> Option<&Book> {
        self.books.get(&host)
    }

    /// Some caller who waits, and whom.
    pub(super) fn anyone_waiting(&self) -> Option<(Host, &Caller)> {
        self.books.iter().find_map(|(host, book)| Some((*host, book.waiting()?)))
    }

    /// Enters an event.
    #[inline]
    pub(super) fn event<'a>(&mut self, event: &Event<'a>) -> Option<Fact<'a>> {
        match event.what {
            What::CoordinatorInput(now, input) => self.open(event.host).input(now, input),
            What::CoordinatorOutput(_, output) => self.open(event.host).output(output),
            What::CoordinatorSettled(..) => self.books.get_mut(&event.host)?.settled(),
            What::Started { .. } | What::Crashed | What::Stopped => {
                self.books.remove(&event.host);
                None
            }
            _ => None,
        }
    }

    fn open(&mut self, host: Host) -> &mut Book {
        let terms = self.memory;
        self.books.entry(host).or_insert_with(|| Book::new(terms))
    }
}

impl Book {
    fn new(terms: Terms) -> Self {
        Self {
            terms,
            bus_up: false,
            draining: false,
            callers: Map::default(),
            askings: Map::default(),
            remembered: VecDeque::new(),
            by_id: Map::default(),
            next: 0,
            lately: Lately::default(),
        }
    }

    pub(super) fn waiting(&self) -> Option<&Caller> {
        self.callers.values().min_by_key(|caller| caller.ticket)
    }

    pub(super) fn caller(&self, ticket: Ticket) -> Option<&Caller> {
        self.callers.get(&ticket)
    }

    pub(super) fn in_flight(&self) -> usize {
        self.askings.len()
    }

    pub(super) fn asking(&self, id: &RequestId) -> Option<&Asking> {
        self.askings.get(id)
    }

    /// How many requests were cancelled between a caller's asking and now.
    pub(super) fn cancelled_since(&self, caller: &Caller) -> usize {
        self.lately.cancelled.len().saturating_sub(caller.cancelled_before)
    }

    /// The queries that an id stood for until they were cancelled, since the coordinator last settled.
    pub(super) fn cancelled_lately(&self, id: &RequestId) -> impl Iterator<Item = &Query> {
        self.lately.cancelled.iter().filter(move |asking| asking.request == *id).map(|asking| &asking.query)
    }

    /// How many have asked the same since the coordinator last settled, and may have joined a request.
    pub(super) fn alike_lately(&self, caller: &Caller) -> usize {
        let new = self.lately.new.iter().filter_map(|ticket| self.callers.get(ticket));
        new.filter(|new| new.waits_for.is_none() && new.id == caller.id && new.query == caller.query).count()
    }

    /// How many callers have gone since the coordinator last settled.
    pub(super) fn gone_lately(&self) -> usize {
        self.lately.gone.len()
    }

    /// The requests that were joined since the coordinator last settled.
    pub(super) fn joined_lately(&self) -> impl Iterator<Item = &Asking> {
        self.lately.joined.iter().filter_map(|id| self.askings.get(id))
    }

    /// Whether an ended request was or is remembered under this id at `now`.
    pub(super) fn remembered(&self, id: &RequestId, now: Timestamp) -> Option<(&Remembered, Certainty)> {
        let remembered = self.by_id.get(id)?;
        let age = now.since(remembered.ended);
        let later = (self.next - remembered.number - 1) as usize;
        let unsure = remembered.unsure + self.lately.remembered.len();
        let certainty = if later >= self.terms.most.saturating_add(unsure) || age >= self.terms.keep + self.terms.slack
        {
            Certainty::No
        } else if later + unsure < self.terms.most && age + self.terms.slack < self.terms.keep {
            Certainty::Yes
        } else {
            Certainty::Perhaps
        };
        Some((remembered, certainty))
    }

    fn input<'a>(&mut self, now: Timestamp, input: &'a Input) -> Option<Fact<'a>> {
        match input {
            Input::Submit(submit) => return self.submit(now, submit),
            Input::Cancel(ticket) => self.cancel(now, *ticket),
            Input::Result(_) | Input::Undelivered(_) | Input::Presence(_) => self.lately.may_have_ended = true,
            Input::BusUp => self.bus_up = true,
            Input::BusDown => self.bus_up = false,
            Input::Drain => self.draining = true,
        }
        None
    }

    fn submit(&mut self, now: Timestamp, submit: &Submit) -> Option<Fact<'static>> {
        let asking = submit.id.as_ref().and_then(|id| self.askings.get_mut(id));
        let joined = asking.filter(|asking| asking.query == submit.query);
        let waits_for = joined.map(|asking| {
            asking.callers.push(submit.ticket);
            asking.request.clone()
        });
        self.lately.joined.extend(waits_for.clone());
        self.lately.new.push(submit.ticket);
        let caller = Caller {
            ticket: submit.ticket,
            id: submit.id.clone(),
            query: submit.query.clone(),
            overrides: submit.overrides,
            submitted: now,
            bus_up: self.bus_up,
            draining: self.draining,
            cancelled_before: self.lately.cancelled.len(),
            is_new: true,
            waits_for,
        };
        self.callers.insert(submit.ticket, caller).map(|before| Fact::TicketReused(before.ticket))
    }

    fn cancel(&mut self, now: Timestamp, ticket: Ticket) {
        let Some(caller) = self.callers.remove(&ticket) else { return };
        if let Some(request) = &caller.waits_for {
            self.leave(now, &request.clone(), ticket);
        }
        let may_have_ended = self.lately.may_have_ended || caller.is_new;
        self.lately.gone.push((caller, may_have_ended));
    }

    /// Takes a caller from its request, which ends with its last one.
    fn leave(&mut self, now: Timestamp, request: &RequestId, ticket: Ticket) {
        let Some(asking) = self.askings.get_mut(request) else { return };
        asking.callers.retain(|waiting| *waiting != ticket);
        if asking.callers.is_empty()
            && let Some(asking) = self.askings.remove(request)
        {
            self.remember(asking.request.clone(), asking.query.clone(), None, now);
            self.lately.cancelled.push(asking);
        }
    }

    fn remember(&mut self, request: RequestId, query: Query, outcome: Option<Arc<Outcome>>, ended: Timestamp) {
        let number = self.next;
        self.next += 1;
        self.remembered.push_back((request.clone(), number));
        self.lately.remembered.push(request.clone());
        self.by_id.insert(request, Remembered { query, outcome, ended, number, unsure: 0 });
        // What ended lately is not in order: a few more are kept, of which it is not sure that they are remembered.
        while self.remembered.len() > self.terms.most.saturating_add(64)
            && let Some((oldest, number)) = self.remembered.pop_front()
        {
            if self.by_id.get(&oldest).is_some_and(|remembered| remembered.number == number) {
                self.by_id.remove(&oldest);
            }
        }
    }

    fn output<'a>(&mut self, output: &'a Output) -> Option<Fact<'a>> {
        match output {
            Output::Publish(task) if task.attempt == 1 => Some(self.asked(task)),
            Output::Publish(_) | Output::Drained => None,
            Output::Answer { ticket, reply: Err(refusal) } => {
                let to = self.recipient(*ticket, None);
                if let Recipient::Waiting(Caller { waits_for: Some(request), submitted, .. }) = &to {
                    let (request, submitted) = (request.clone(), *submitted);
                    self.leave(submitted, &request, *ticket);
                }
                Some(Fact::Refused { to, refusal })
            }
            Output::Answer { ticket, reply: Ok(outcome) } => {
                let source = self.source(*ticket, outcome);
                let to = self.recipient(*ticket, Some(outcome));
                Some(Fact::Answered { to, source, outcome })
            }
        }
    }

    /// A task is published for the first time: its request was accepted. It is that of the first who asked for it and
    /// did not join a request in flight.
    fn asked<'a>(&mut self, task: &'a Task) -> Fact<'a> {
        let asks =
            |caller: &Caller| caller.query == task.query && caller.id.as_ref().is_none_or(|id| *id == task.request);
        let is_free = |caller: &Caller| caller.waits_for.is_none();
        let had_ended = |caller: &Caller| {
            let asking = caller.waits_for.as_ref().and_then(|request| self.askings.get(request));
            self.callers.contains_key(&caller.ticket)
                && asking.is_none_or(|asking| !asking.callers.contains(&caller.ticket))
        };
        let new = || self.lately.new.iter().filter_map(|ticket| self.callers.get(ticket));
        let gone = || self.lately.gone.iter().map(|(caller, _)| caller).filter(|caller| caller.is_new);
        let first = |fits: &dyn Fn(&Caller) -> bool| {
            let candidates = new().chain(gone()).filter(|caller| asks(caller) && fits(caller));
            candidates.min_by_key(|caller| self.lately.new.iter().position(|ticket| *ticket == caller.ticket)).cloned()
        };
        let Some(caller) = first(&|caller| is_free(caller) || had_ended(caller)).or_else(|| first(&|_| true)) else {
            return Fact::AskedByNobody(task);
        };
        let waits = self.callers.get_mut(&caller.ticket);
        let is_waiting = waits.is_some();
        if let Some(waits) = waits {
            waits.waits_for = Some(task.request.clone());
        } else if let Some((gone, _)) = self.lately.gone.iter_mut().find(|(gone, _)| gone.ticket == caller.ticket) {
            // Another may have joined its request before it went away.
            gone.is_new = false;
        }
        let asking = Asking {
            request: task.request.clone(),
            query: task.query.clone(),
            overrides: caller.overrides,
            submitted: caller.submitted,
            task: task.id,
            callers: if is_waiting { vec![caller.ticket] } else { Vec::new() },
        };
        self.lately.joined.push(task.request.clone());
        self.askings.insert(task.request.clone(), asking);
        Fact::Asked(task)
    }

    fn recipient(&mut self, ticket: Ticket, outcome: Option<&Arc<Outcome>>) -> Recipient {
        if let Some(caller) = self.callers.remove(&ticket) {
            return Recipient::Waiting(caller);
        }
        let Some(position) = self.lately.gone.iter().position(|(caller, _)| caller.ticket == ticket) else {
            return Recipient::Nobody;
        };
        let (_, may_have_ended) = self.lately.gone.swap_remove(position);
        let by_time = outcome.is_some_and(|outcome| matches!(outcome.cause, Cause::DeadlinePassed | Cause::Stalled));
        Recipient::Gone { may_have_ended: may_have_ended || by_time }
    }

    fn source(&mut self, ticket: Ticket, outcome: &Arc<Outcome>) -> Source {
        let is_kept = !matches!(outcome.verdict, Err(Failure::NoWorkers | Failure::BusDown | Failure::Overloaded));
        let kept = is_kept.then(|| Arc::clone(outcome));
        // It may have ended before its last caller went away, which was told first.
        let is_this = |asking: &Asking| {
            asking.request == outcome.request && asking.query == outcome.query && self.lately.may_have_ended
        };
        let waits = self.callers.contains_key(&ticket) && self.askings.contains_key(&outcome.request);
        let cancelled = self.lately.cancelled.iter().position(is_this).filter(|_| !waits);
        let asking = if let Some(cancelled) = cancelled {
            let asking = self.lately.cancelled.swap_remove(cancelled);
            if let Some(remembered) = self.by_id.get_mut(&outcome.request) {
                (remembered.outcome, remembered.ended) = (kept, asking.submitted.after(outcome.elapsed));
            }
            Some(asking)
        } else if let Some(asking) = self.askings.remove(&outcome.request) {
            let ended = asking.submitted.after(outcome.elapsed);
            self.remember(asking.request.clone(), asking.query.clone(), kept, ended);
            Some(asking)
        } else {
            None
        };
        if let Some(asking) = asking {
            let asking = Arc::new(asking);
            self.lately.ended.push((Arc::clone(&asking), Arc::clone(outcome)));
            return Source::Ended { asking, is_first: true, told: Arc::clone(outcome) };
        }
        let is_this = |(asking, _): &&(Arc<Asking>, Arc<Outcome>)| asking.request == outcome.request;
        if let Some((asking, told)) = self.lately.ended.iter().rev().find(is_this) {
            return Source::Ended { asking: Arc::clone(asking), is_first: false, told: Arc::clone(told) };
        }
        match self.by_id.get(&outcome.request) {
            Some(Remembered { outcome: Some(told), .. }) => Source::Replayed(Arc::clone(told)),
            _ => Source::Nowhere,
        }
    }

    fn settled(&mut self) -> Option<Fact<'static>> {
        let mut overlooked = None;
        if !self.lately.new.is_empty() {
            let is_alone = self.lately.new.len() == 1 && self.lately.gone.is_empty() && !self.lately.may_have_ended;
            for ticket in std::mem::take(&mut self.lately.new) {
                let Some(caller) = self.callers.get_mut(&ticket) else { continue };
                caller.is_new = false;
                let waits_for = caller.waits_for.clone().or_else(|| caller.id.clone());
                let asking = waits_for.as_ref().and_then(|request| self.askings.get_mut(request));
                match asking.filter(|asking| asking.query == caller.query) {
                    Some(asking) => {
                        if !asking.callers.contains(&ticket) {
                            asking.callers.push(ticket);
                        }
                        caller.waits_for = waits_for;
                    }
                    // Among others it is not told for sure whom it joined: if nobody answers it, that is told in the end.
                    None if !is_alone => {}
                    None => overlooked = Some(ticket),
                }
            }
        }
        for request in std::mem::take(&mut self.lately.joined) {
            // Whoever asked for it went away before it was asked.
            if self.askings.get(&request).is_some_and(|asking| asking.callers.is_empty())
                && let Some(asking) = self.askings.remove(&request)
            {
                self.remember(asking.request, asking.query, None, asking.submitted);
            }
        }
        // What is cancelled is entered at once, and what ends otherwise when it is told: their order is not known.
        let unsure = if self.lately.gone.is_empty() { 0 } else { self.lately.remembered.len() };
        for request in std::mem::take(&mut self.lately.remembered) {
            if let Some(remembered) = self.by_id.get_mut(&request).filter(|_| unsure > 1) {
                remembered.unsure = unsure;
            }
        }
        self.lately.gone.clear();
        self.lately.ended.clear();
        self.lately.cancelled.clear();
        self.lately.may_have_ended = false;
        overlooked.map(Fact::Overlooked)
    }
}
