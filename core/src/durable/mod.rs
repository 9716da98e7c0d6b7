//! Durable requests: a caller leaves a request, and one outcome is stored, even if coordinators stop in between.
//!
//! The machine decides which open requests this coordinator serves, and when. An open request is an entry of a log,
//! which names the coordinator that holds it. The holder asks the workers and stores the outcome, unless one is stored
//! already. A coordinator that has observed, by its own clock, that an entry did not change for the timeout of the
//! request and [`Config::patience`] takes the request over: it learns that no outcome is stored, and replaces the entry
//! if nobody else has. So the workers may be asked more than once, and exactly one outcome counts: the first that was
//! stored.
//!
//! `events.rs` has the inputs and outputs, `requests.rs` the known requests, `entries.rs` what becomes of their entries,
//! and `serving.rs` how those that this coordinator holds are served.

mod config;
mod entries;
mod events;
mod requests;
mod serving;

use std::collections::VecDeque;
use std::sync::Arc;

pub use config::Config;
pub use events::{Accepted, Content, Counters, Entry, Found, Got, Input, Job, Kept, Output, Rejection, Work, Written};

use crate::id::{RequestId, Ticket};
use crate::time::Timestamp;
use requests::{Open, Phase, Requests, Standing, Why};

/// The state machine that serves durable requests.
#[derive(Debug)]
pub struct Durable {
    config: Config,
    now: Timestamp,
    requests: Requests,
    last_work: Work,
    /// Whether there was no room for some entry since the log was last watched from its beginning.
    overlooks: bool,
    draining: bool,
    drained: bool,
    counters: Counters,
    outputs: VecDeque<Output>,
}

impl Durable {
    /// A coordinator that knows of no requests.
    pub fn new(config: Config) -> Self {
        Self {
            config,
            now: Timestamp::ZERO,
            requests: Requests::default(),
            last_work: Work(0),
            overlooks: false,
            draining: false,
            drained: false,
            counters: Counters::default(),
            outputs: VecDeque::new(),
        }
    }

    /// Handles one input.
    pub fn handle_input(&mut self, now: Timestamp, input: &Input) {
        self.handle_timeout(now);
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

    /// Lets time pass. Call it when [`Durable::poll_timeout`] is due; calling it more often does no harm.
    pub fn handle_timeout(&mut self, now: Timestamp) {
        self.now = self.now.max(now);
        while let Some((at, id)) = self.requests.first_pause().cloned()
            && at <= self.now
        {
            let open = self.requests.take(&id).expect("what waits is known");
            if matches!(open.phase, Phase::AskingAt(_)) { self.ask(open) } else { self.keep(open) }
        }
        self.go_on();
    }

    /// When to call [`Durable::handle_timeout`] next; `None` if the machine waits for nothing.
    pub fn poll_timeout(&self) -> Option<Timestamp> {
        let due = self.requests.first_due().filter(|_| self.can_take());
        due.into_iter().chain(self.requests.first_pause()).map(|(at, _)| *at).min()
    }

    /// The next output. Call it until it returns `None`.
    pub fn poll_output(&mut self) -> Option<Output> {
        self.outputs.pop_front()
    }

    /// What has been counted so far.
    pub fn counters(&self) -> &Counters {
        &self.counters
    }

    /// The number of open requests that are known, of all coordinators.
    pub fn known(&self) -> usize {
        self.requests.len()
    }

    /// The number of requests that this coordinator serves or submits.
    pub fn held(&self) -> usize {
        self.requests.held()
    }

    /// The number of those that another coordinator accepted.
    pub fn taken(&self) -> usize {
        self.requests.taken()
    }

    /// Does what the last step has made possible.
    fn go_on(&mut self) {
        while self.can_take()
            && let Some((at, id)) = self.requests.first_due().cloned()
            && at <= self.now
        {
            let mut open = self.requests.take(&id).expect("what is due is known");
            open.taken = true;
            self.look(open, Why::Take);
        }
        let has_room = self.requests.len() <= self.config.max_known / 2
            && (self.requests.len() == 0 || self.requests.bytes() <= self.config.max_bytes / 2);
        if self.overlooks && has_room && !self.draining {
            self.overlooks = false;
            self.outputs.push_back(Output::Watch);
        }
        if self.draining && !self.drained && self.requests.len() == 0 {
            self.drained = true;
            self.outputs.push_back(Output::Drained);
        }
    }

    fn submit(&mut self, ticket: Ticket, job: &Arc<Job>) {
        if self.draining {
            return self.reject([ticket], Rejection::Draining);
        }
        let Some(mut open) = self.requests.take(&job.request) else {
            if !self.can_hold() || !self.has_room(job) {
                return self.reject([ticket], Rejection::Overloaded);
            }
            let open = Open { tickets: vec![ticket], ..self.learned(Arc::clone(job)) };
            return self.look(open, Why::Submit);
        };
        if open.job.query != job.query {
            self.reject([ticket], Rejection::Conflict);
        } else if !matches!(open.phase, Phase::Looking(Why::Submit, _) | Phase::Writing(Why::Submit, _)) {
            let is_done = matches!(open.phase, Phase::Writing(Why::Close, _));
            self.accept([ticket], if is_done { Accepted::Done } else { Accepted::Open });
        } else if open.tickets.len() < self.config.max_callers {
            open.tickets.push(ticket);
        } else {
            self.reject([ticket], Rejection::Overloaded);
        }
        self.requests.put(open);
    }

    fn accept(&mut self, tickets: impl IntoIterator<Item = Ticket>, how: Accepted) {
        self.outputs.extend(tickets.into_iter().map(|ticket| Output::Answer { ticket, reply: Ok(how) }));
    }

    fn reject(&mut self, tickets: impl IntoIterator<Item = Ticket>, why: Rejection) {
        for ticket in tickets {
            self.counters.rejected += 1;
            self.outputs.push_back(Output::Answer { ticket, reply: Err(why) });
        }
    }

    /// A request that nothing is being done for.
    fn learned(&self, job: Arc<Job>) -> Open {
        Open {
            job,
            sequence: 0,
            turn: 0,
            standing: Standing::Theirs,
            phase: Phase::Watching(self.now),
            taken: false,
            repeats: 0,
            tickets: Vec::new(),
            outcome_bytes: 0,
        }
    }

    fn work(&mut self) -> Work {
        self.last_work.0 += 1;
        self.last_work
    }

    fn can_hold(&self) -> bool {
        self.requests.held() < self.config.max_held
    }

    fn can_take(&self) -> bool {
        self.can_hold() && self.requests.taken() < self.config.max_taken
    }

    /// Whether another request can be known. One always can, so that it is not looked for again and again.
    fn has_room(&self, job: &Job) -> bool {
        self.requests.len() == 0
            || self.requests.len() < self.config.max_known
                && self.requests.bytes() + job.bytes() <= self.config.max_bytes
    }

    fn ended(&mut self, request: &RequestId) {
        self.outputs.push_back(Output::Ended(request.clone()));
    }
}
