//! A durable request that is accepted is stored, and has exactly one outcome in the end: one that its workers gave, and
//! not a passing failure. Whoever asks for it anywhere is told that one. An id has one query.

use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;
use quorate_core::durable::{Accepted, Rejection};
use quorate_core::id::RequestId;
use quorate_core::outcome::Failure;
use quorate_runtime::store::{Entry, Log};
use quorate_runtime::wire::{Numbers, encode_outcome};
use serde::Deserialize;
use serde_json::value::RawValue;

use super::excuses::SECOND;
use crate::checkers::{Checker, Context};
use crate::event::{Event, StoreEvent, What};
use crate::store::event::Happened;

/// How long it takes to close a request that has an outcome.
const CLOSES: u64 = 30 * SECOND;

#[derive(Default)]
pub(crate) struct Outcomes {
    requests: BTreeMap<String, Request>,
    /// The requests by the numbers of their rounds.
    asked: BTreeMap<u64, String>,
}

#[derive(Default)]
struct Request {
    queries: BTreeMap<usize, String>,
    accepted: Option<String>,
    /// The bodies of what the workers answered.
    answered: BTreeSet<Bytes>,
    outcome: Option<(u64, String)>,
    /// Whether its newest entry says that it is open.
    open: Option<bool>,
    told: BTreeSet<usize>,
    /// The clients that were told that it is accepted.
    waiting: BTreeSet<usize>,
}

/// The entry of an outcome.
#[derive(Deserialize)]
struct Stored<'a> {
    request: &'a str,
    query: &'a str,
    #[serde(borrow)]
    body: &'a RawValue,
}

pub(crate) fn new(_context: &Context<'_>) -> Outcomes {
    Outcomes::default()
}

impl Outcomes {
    fn of(&mut self, id: &RequestId) -> &mut Request {
        self.requests.entry(id.as_str().to_owned()).or_default()
    }

    fn stored(&mut self, at: u64, entry: &Entry) -> Result<(), String> {
        let stored: Stored<'_> = serde_json::from_slice(&entry.body).map_err(|error| error.to_string())?;
        let request = self.requests.entry(stored.request.to_owned()).or_default();
        let id = stored.request;
        if entry.key.text().as_deref() != Some(id) {
            return Err(format!("the outcome of {id} is stored under {:?}", entry.key));
        }
        if request.outcome.is_some() {
            return Err(format!("{id} has a second outcome"));
        }
        if !request.answered.contains(stored.body.get().as_bytes()) {
            return Err(format!("the outcome of {id} is none that its workers gave: {}", stored.body.get()));
        }
        if request.accepted.as_ref().is_some_and(|query| query != stored.query) {
            return Err(format!("{id} was accepted for {:?} and answers {:?}", request.accepted, stored.query));
        }
        request.outcome = Some((at, stored.body.get().to_owned()));
        Ok(())
    }

    fn accepted(
        &mut self,
        place: usize,
        id: &RequestId,
        reply: Option<Result<Accepted, Rejection>>,
    ) -> Result<(), String> {
        let request = self.of(id);
        let Some(Ok(accepted)) = reply else { return Ok(()) };
        let query = request.queries.get(&place).cloned().expect("it was submitted");
        if request.accepted.as_ref().is_some_and(|other| *other != query) {
            return Err(format!("{id} is accepted for {query} and for {:?}", request.accepted));
        }
        request.accepted = Some(query);
        request.waiting.insert(place);
        match accepted {
            Accepted::Open if request.open.is_none() => Err(format!("{id} is accepted and was never stored")),
            Accepted::Done if request.outcome.is_none() => Err(format!("{id} is said to be done and has no outcome")),
            _ => Ok(()),
        }
    }

    fn ended(&self, at: u64) -> Result<(), String> {
        for (id, request) in self.requests.iter().filter(|(_, request)| request.open.is_some()) {
            let Some((stored, _)) = request.outcome else { return Err(format!("{id} has no outcome in the end")) };
            if request.open == Some(true) && at - stored > CLOSES {
                return Err(format!("{id} is still open, and its outcome is stored"));
            }
            if let Some(place) = request.waiting.difference(&request.told).next().filter(|_| at - stored > CLOSES) {
                return Err(format!("the client of request {place} was not told the outcome of {id}"));
            }
        }
        Ok(())
    }
}

impl Checker for Outcomes {
    fn event(&mut self, event: &Event<'_>) -> Result<(), String> {
        let what = match event.what {
            What::Ended => return self.ended(event.at),
            What::Store(what) => what,
            _ => return Ok(()),
        };
        match what {
            StoreEvent::Submitted(place, id, query) => {
                self.of(id).queries.insert(*place, query.as_str().to_owned());
            }
            StoreEvent::Accepted(place, id, reply) => self.accepted(*place, id, *reply)?,
            StoreEvent::Asked(number, _, Some(id)) => {
                self.asked.insert(*number, id.as_str().to_owned());
            }
            StoreEvent::Answered(number, Some(outcome)) => {
                let passes = matches!(outcome.verdict, Err(Failure::BusDown | Failure::Overloaded));
                if let Some(id) = self.asked.get(number).filter(|_| !passes) {
                    let body = encode_outcome(outcome, Numbers::Number);
                    self.requests.entry(id.clone()).or_default().answered.insert(body);
                }
            }
            StoreEvent::Told(place, id, body) => {
                let request = self.of(id);
                let stored = request.outcome.as_ref().map(|(_, stored)| stored.as_bytes());
                if stored != Some(&**body) {
                    return Err(format!("a client is told an outcome of {id} that is not the stored one"));
                }
                request.told.insert(*place);
            }
            StoreEvent::Store(Happened::Stored(Log::Open, entry)) => {
                let id = entry.key.text().unwrap_or_default();
                self.requests.entry(id).or_default().open = Some(!entry.body.is_empty());
            }
            StoreEvent::Store(Happened::Stored(Log::Outcomes, entry)) => self.stored(event.at, entry)?,
            _ => {}
        }
        Ok(())
    }
}
