//! What a follower is told.

use serde::Deserialize;

use super::parser::Frame;
use crate::body::{ErrorBody, Outcome, Worker, WorkerResponse};
use crate::client::Received;

/// What a follower is told.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Event {
    /// The stream is open, for the first time or again after an error. What follows has happened since, or is what the
    /// coordinator remembers of before.
    Connected,
    /// A request was answered.
    Answered(Box<Received<Outcome>>),
    /// A request ended without an answer.
    Unanswered(Box<Received<ErrorBody>>),
    /// A worker is new, or its state has changed.
    Worker(Box<Received<Worker>>),
    /// The watched request has accepted a worker's result.
    Observation(Box<Received<WorkerResponse>>),
    /// This many events are missing here; `None` if nobody knows their number. The follower was too slow or away for too
    /// long, or the coordinator has restarted.
    Missed(Option<u64>),
}

impl Event {
    /// Reads how a request ended from the JSON of an `outcome`, which a coordinator also publishes on NATS.
    ///
    /// # Errors
    /// A text that is neither an outcome nor an error.
    pub fn outcome(json: impl Into<String>) -> serde_json::Result<Self> {
        #[derive(Deserialize)]
        struct Probe {
            #[serde(default)]
            error: Option<serde::de::IgnoredAny>,
        }
        let json = json.into();
        let failed = serde_json::from_str::<Probe>(&json)?.error.is_some();
        Ok(if failed {
            Self::Unanswered(Box::new(Received::read(json)?))
        } else {
            Self::Answered(Box::new(Received::read(json)?))
        })
    }

    /// Reads an event; `None` if it is of a kind that this client does not know.
    pub(super) fn of(frame: Frame) -> serde_json::Result<Option<Self>> {
        #[derive(Deserialize)]
        struct Missed {
            count: Option<u64>,
        }
        let Frame { name, data, .. } = frame;
        Ok(Some(match name.as_str() {
            "outcome" => Self::outcome(data)?,
            "worker" => Self::Worker(Box::new(Received::read(data)?)),
            "observation" => Self::Observation(Box::new(Received::read(data)?)),
            "missed" => Self::Missed(serde_json::from_str::<Missed>(&data)?.count),
            _ => return Ok(None),
        }))
    }

    /// The query of the request that ended, if this is the end of one.
    pub fn query(&self) -> Option<&str> {
        match self {
            Self::Answered(outcome) => Some(&outcome.query),
            Self::Unanswered(error) => error.query.as_deref(),
            _ => None,
        }
    }
}
