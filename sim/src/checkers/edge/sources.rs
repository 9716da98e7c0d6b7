//! A worker's machine receives exactly what its source said about a query: the value and its age, or why there is none.
//!
//! A source that panics fails its own job, and nothing else of its worker.

use std::collections::BTreeMap;
use std::collections::hash_map::DefaultHasher;
use std::hash::{Hash as _, Hasher as _};
use std::sync::Arc;
use std::time::Duration;

use quorate_core::query::Query;
use quorate_core::value::Value;
use quorate_core::worker::{Input, JobId, Output};

use crate::checkers::Context;
use crate::checkers::hosts::{PerHost, ProcessChecker};
use crate::edge::Edge;
use crate::event::{Event, What};

/// The time within which a machine receives what a source said, in nanoseconds.
const MAX_DELAY_NS: u64 = 5_000_000;

/// What one worker's source has said.
#[derive(Debug, Default)]
pub(crate) struct Source {
    jobs: BTreeMap<JobId, Query>,
    /// What was said and not passed on yet, as [`said`] hashes it, with its time.
    read: Vec<(u64, u64)>,
    /// The number of aborted jobs. Their sources may have said something that was dropped.
    aborted: usize,
}

pub(crate) fn new(_: &Context<'_>) -> PerHost<Source> {
    PerHost::new()
}

/// A hash of what a source says about a query.
pub(crate) fn said(query: &str, read: Result<(&Value, Option<Duration>), &str>) -> u64 {
    // Its keys are fixed, so every run of one build gives the same hash.
    let mut hasher = DefaultHasher::new();
    (query, read).hash(&mut hasher);
    hasher.finish()
}

impl Source {
    fn done(&mut self, job: JobId, observed: &Result<Value, Arc<str>>, age: Option<Duration>) -> Result<(), String> {
        let Some(query) = self.jobs.remove(&job) else { return Ok(()) };
        let read = observed.as_ref().map(|value| (value, age)).map_err(AsRef::as_ref);
        let told = said(query.as_str(), read);
        match self.read.iter().position(|(read, _)| *read == told) {
            Some(place) => {
                self.read.swap_remove(place);
                Ok(())
            }
            None => Err(format!(
                "job {} for {query} passed on {observed:?}, {age:?} old, which its source did not say",
                job.0
            )),
        }
    }
}

impl ProcessChecker for Source {
    fn event(&mut self, event: &Event<'_>) -> Result<(), String> {
        match event.what {
            What::Edge(Edge::Reads(read)) => self.read.push((read, event.at)),
            What::WorkerOutput(_, Output::Start { job, query, .. }) => drop(self.jobs.insert(*job, query.clone())),
            What::WorkerOutput(_, Output::Abort(job)) => {
                self.jobs.remove(job);
                self.aborted += 1;
            }
            What::WorkerSettled(..) => {
                let unheard = self.read.iter().filter(|(_, at)| at + MAX_DELAY_NS < event.at).count();
                if unheard > self.aborted {
                    return Err(format!("{}: {unheard} observations of the source were not passed on", event.host));
                }
            }
            What::WorkerInput(_, Input::Done { job, observed, age, .. }) => {
                let told = self.done(*job, observed, *age);
                return told.map_err(|why| format!("{}: {why}", event.host));
            }
            _ => {}
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use quorate_core::time::Timestamp;

    use super::*;
    use crate::checkers::testing::inputs::query;
    use crate::checkers::testing::rig::WORKER;

    fn done(read: u64, observed: Result<Value, Arc<str>>, age: Option<Duration>) -> Result<(), String> {
        let mut source = Source::default();
        let mut tell = |what| source.event(&Event { at: 0, host: WORKER, what });
        let time_left = Duration::from_secs(1);
        let start = Output::Start { job: JobId(1), query: query(), time_left, trace: None };
        tell(What::WorkerOutput(Timestamp::ZERO, &start))?;
        tell(What::Edge(Edge::Reads(read)))?;
        let done = Input::Done { job: JobId(1), observed, age, trace: None };
        tell(What::WorkerInput(Timestamp::ZERO, &done))
    }

    #[test]
    fn exactly_what_a_source_said_must_be_passed_on() {
        let value = Value::Text("cat".into());
        let age = Some(Duration::from_millis(7));
        let read = said("BTC/USD", Ok((&value, age)));
        assert_eq!(done(read, Ok(value.clone()), age), Ok(()));
        assert!(done(read, Ok(value.clone()), None).is_err());
        assert!(done(read, Ok(Value::Text("dog".into())), age).is_err());
        assert!(done(said("ETH/USD", Ok((&value, age))), Ok(value), age).is_err());
        let failed = said("BTC/USD", Err("no"));
        assert_eq!(done(failed, Err("no".into()), None), Ok(()));
        assert!(done(failed, Err("yes".into()), None).is_err());
    }
}
