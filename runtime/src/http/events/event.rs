//! An event, and its encoding.

use std::sync::{Arc, OnceLock};

use bytes::Bytes;
use quorate_core::coordinator::WorkerResult;
use quorate_core::id::RequestId;
use quorate_core::pattern::Pattern;
use quorate_core::query::Query;
use quorate_core::value::Value;
use serde::Serialize;

use crate::driver::WorkerView;
use crate::http::sse;
use crate::wire::{EncodedOutcome, Numbers, ResultBody, TYPICAL_BODY_BYTES};

/// An event that has an id and can be replayed.
#[derive(Debug)]
pub(super) enum Event {
    /// A request ended.
    Outcome {
        /// The request.
        request: RequestId,
        /// What it asked.
        query: Query,
        /// The outcome as its callers receive it.
        body: Bytes,
    },
    /// A worker is new, or its state has changed.
    Worker(Box<WorkerView>),
}

/// An event with its number, and with its text once a subscriber has needed it.
#[derive(Debug)]
pub(super) struct Entry {
    pub(super) number: u64,
    /// The approximate number of bytes it keeps. It is stored so that overwriting the event, which is no longer in the
    /// cache by then, need not read it.
    pub(super) weight: usize,
    pub(super) event: Event,
    text: OnceLock<Bytes>,
}

impl Event {
    /// The end of a request.
    pub(super) fn ended(outcome: &EncodedOutcome) -> Self {
        let (request, query) = (outcome.outcome.request.clone(), outcome.outcome.query.clone());
        Self::Outcome { request, query, body: outcome.body.clone() }
    }

    /// Whether it is an event of a query that matches this pattern. A worker's events are of no query.
    pub(super) fn is_of(&self, queries: &Pattern) -> bool {
        matches!(self, Self::Outcome { query, .. } if queries.matches(query.as_str()))
    }

    /// The outcome, if it is the end of this request.
    pub(super) fn outcome_of(&self, id: &RequestId) -> Option<&Bytes> {
        match self {
            Self::Outcome { request, body, .. } if request == id => Some(body),
            _ => None,
        }
    }

    /// The approximate number of bytes it keeps.
    fn weight(&self) -> usize {
        match self {
            Self::Outcome { body, .. } => body.len().max(TYPICAL_BODY_BYTES),
            Self::Worker(_) => size_of::<WorkerView>(),
        }
    }

    fn name(&self) -> &'static str {
        match self {
            Self::Outcome { .. } => "outcome",
            Self::Worker(_) => "worker",
        }
    }

    fn data(&self) -> Bytes {
        match self {
            Self::Outcome { body, .. } => body.clone(),
            Self::Worker(view) => json(&view.body()),
        }
    }
}

impl Entry {
    pub(super) fn new(number: u64, event: Event) -> Self {
        Self { number, weight: event.weight(), event, text: OnceLock::new() }
    }

    /// The event as it goes over the wire, the same bytes for every subscriber.
    pub(super) fn text(&self, process: &str) -> Bytes {
        let text = || written(Some((process, self.number)), self.event.name(), &self.event.data());
        self.text.get_or_init(text).clone()
    }
}

/// A change of the place in the stream without an event: it has the id of the last event that was passed over.
pub(super) fn passed_over(process: &str, last: u64) -> Bytes {
    format!("id: {process}-{last}\n\n").into()
}

/// The length in bytes of the text in a worker's value or failure.
pub(super) fn observed_weight(observed: &Result<Value, Arc<str>>) -> usize {
    match observed {
        Ok(Value::Number(_)) => 0,
        Ok(Value::Text(text)) | Err(text) => text.len(),
    }
}

/// Tells a subscriber that it missed `count` events, because it was too slow or came too late; `None` if their number
/// is unknown. The notice has the id of the last of them.
pub(super) fn missed(process: &str, count: Option<u64>, last: u64) -> Bytes {
    #[derive(Serialize)]
    struct Missed {
        count: Option<u64>,
    }
    written(Some((process, last)), "missed", &json(&Missed { count }))
}

/// A worker's result for a watched request. It has no id, because it is never replayed.
pub(super) fn observation(result: &WorkerResult) -> Bytes {
    let WorkerResult { worker, request, observed, response_time, age, .. } = result;
    written(
        None,
        "observation",
        &json(&ResultBody::new(worker, request, observed, *response_time, *age, Numbers::Number)),
    )
}

/// Writes an event with the name of the process and its number. `data` is JSON without line breaks.
fn written(id: Option<(&str, u64)>, name: &str, data: &[u8]) -> Bytes {
    let id = id.map(|(process, number)| format!("{process}-{number}"));
    sse::event(id.as_deref(), name, data)
}

fn json(body: &impl Serialize) -> Bytes {
    serde_json::to_vec(body).expect("texts and numbers are serializable").into()
}

#[cfg(test)]
pub(super) mod tests {

    use std::sync::Arc;

    use quorate_core::id::WorkerId;
    use quorate_core::outcome::{Observation, Outcome};

    use super::*;
    use crate::wire::EncodedOutcome;

    /// A request that failed with these observations.
    fn failed(query: &str, observations: Vec<Observation>) -> Event {
        let (request, query) = (RequestId::new("r").expect("an id"), Query::new(query).expect("a query"));
        let outcome = Outcome { observations, ..Outcome::unanswered(request, query) };
        Event::ended(&EncodedOutcome::new(Arc::new(outcome)))
    }

    /// A request that no worker answered.
    pub(in crate::http::events) fn outcome(query: &str) -> Event {
        failed(query, Vec::new())
    }

    /// A request for which one worker reported this failure.
    pub(in crate::http::events) fn outcome_with(words: &str) -> Event {
        failed("q", vec![Observation::new(WorkerId::new("a").expect("an id"), Err(words.into()))])
    }

    #[test]
    fn an_event_is_written_once_with_its_id_and_without_line_breaks() {
        let entry = Entry::new(7, outcome_with("one\r\ntwo\nid: forged\n\n"));
        let text = entry.text("c1");
        assert_eq!(text.as_ptr(), entry.text("c1").as_ptr(), "the second reader gets the same bytes");
        let text = std::str::from_utf8(&text).expect("a text");
        assert!(text.starts_with("id: c1-7\nevent: outcome\ndata: {"), "{text}");
        assert_eq!((text.matches('\n').count(), text.matches('\r').count()), (4, 0), "{text}");
        assert!(text.ends_with("}\n\n") && text.contains(r"one\r\ntwo\nid: forged"), "{text}");
    }

    #[test]
    fn a_notice_of_missed_events_has_the_id_of_the_last_of_them() {
        assert_eq!(missed("c1", Some(12), 40), "id: c1-40\nevent: missed\ndata: {\"count\":12}\n\n");
        assert_eq!(missed("c1", None, 0), "id: c1-0\nevent: missed\ndata: {\"count\":null}\n\n");
    }
}
