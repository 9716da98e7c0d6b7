//! A reader of `/events` is told every request that ended, in order and once, also over a reconnect, or how many it
//! missed.
//!
//! The ids of events grow by one. A notice of missed events has the id of the last of them.

use std::collections::BTreeMap;

use quorate_core::coordinator::Output;
use quorate_core::id::RequestId;
use serde_json::Value as Json;

use super::touched::Touched;
use super::{Checker, Context};
use crate::event::{Event, FOLLOWED_AGAIN, Read, What};
use crate::host::Host;
use crate::scenario::{Visit, VisitKind};

/// How long after it ended a request may be told, in nanoseconds, beside what the network takes.
const TOLD_WITHIN: u64 = 400_000_000;

/// One coordinator's process.
#[derive(Debug, Default)]
struct Process {
    began: u64,
    /// The requests that ended, and when.
    ended: Vec<(u64, RequestId)>,
}

#[derive(Debug)]
pub(super) struct Events {
    visits: Vec<Visit>,
    touched: Touched,
    processes: BTreeMap<Host, Process>,
    slack: u64,
    /// What a connection and a response may take, in milliseconds.
    response_ms: u64,
}

pub(super) fn new(context: &Context<'_>) -> Events {
    let visits = context.scenario.edges.visits.clone();
    let followed = visits.iter().filter(|visit| matches!(visit.kind, VisitKind::Follow { .. }));
    let processes = followed.map(|visit| (Host::Coordinator(visit.coordinator), Process::default())).collect();
    let slack = TOLD_WITHIN + 4_000 * context.scenario.cluster.network.latency_us.1;
    let response_ms = 10 + 8 * context.scenario.cluster.network.latency_us.1 / 1000;
    Events { visits, touched: Touched::new(context), processes, slack, response_ms }
}

/// What one connection was told.
#[derive(Debug, Default)]
struct Told {
    /// When it was made and when it ended.
    window: Option<(u64, u64)>,
    /// The requests, in order; `None` where some were missed.
    requests: Vec<Option<String>>,
    has_missed: bool,
}

/// Reads what one connection was told. `last` is the number of the last event that is known.
fn read(text: &str, last: &mut Option<u64>) -> Result<Told, String> {
    let mut told = Told::default();
    let mut window = (None, None);
    for block in text.split("\n\n") {
        let field = |name: &str| block.lines().find_map(|line| line.strip_prefix(name));
        if let Some(at) = field(": connected ") {
            window.0 = at.parse().ok();
        }
        if let Some(at) = field(": ended ") {
            window.1 = at.parse().ok();
        }
        let Some(name) = field("event: ") else { continue };
        let data = field("data: ").and_then(|data| serde_json::from_str::<Json>(data).ok());
        let (Some(data), Some(number)) = (data, field("id: ").and_then(number)) else {
            // The end of a connection that breaks may be half an event.
            continue;
        };
        let expected = match (name, data["count"].as_u64()) {
            ("missed", Some(count)) if count > 0 => {
                told.has_missed = true;
                told.requests.push(None);
                last.map(|last| last + count)
            }
            ("outcome", _) => {
                told.requests.push(data["request_id"].as_str().map(str::to_owned));
                last.map(|last| last + 1)
            }
            ("worker", _) => last.map(|last| last + 1),
            _ => return Err(format!("an event that is none: {block:?}")),
        };
        if expected.is_some_and(|expected| expected != number) {
            return Err(format!("after event {last:?} it is told {block:?}"));
        }
        *last = Some(number);
    }
    told.window = window.0.zip(window.1);
    Ok(told)
}

/// The number of an event in its id.
fn number(id: &str) -> Option<u64> {
    id.rsplit_once('-')?.1.parse().ok()
}

impl Process {
    /// Whether what is told is what ended, in order, with nothing left out but what was missed.
    fn is_in_order(&self, told: &[Option<String>]) -> bool {
        let mut from = 0;
        for run in told.split(Option::is_none).filter(|run| !run.is_empty()) {
            let same = |(ended, told): (&(u64, RequestId), &Option<String>)| told.as_deref() == Some(ended.1.as_str());
            let begins = (from..self.ended.len()).find(|begin| {
                let rest = &self.ended[*begin..];
                rest.len() >= run.len() && rest.iter().zip(run).all(same)
            });
            let Some(begin) = begins else { return false };
            from = begin + run.len();
        }
        true
    }

    fn check(&self, read_text: &Read, slack: u64, is_touched: bool) -> Result<(), String> {
        if read_text.status != 200 || read_text.content_type != "text/event-stream" {
            return Err(format!("it is answered {} {:?}", read_text.status, read_text.content_type));
        }
        let mut last = None;
        let mut all: Vec<Option<String>> = Vec::new();
        for part in read_text.body.split(FOLLOWED_AGAIN) {
            let resumes = last.is_some();
            let told = read(part, &mut last)?;
            if !resumes {
                all.push(None);
            }
            let count = told.requests.iter().flatten().count();
            if let Some((begin, end)) = told.window
                && !told.has_missed
                && !is_touched
            {
                let due = self.ended.iter().filter(|(at, _)| *at > begin && at.saturating_add(slack) < end).count();
                if count < due {
                    return Err(format!("{due} requests ended while it read, and it was told of {count}"));
                }
            }
            all.extend(told.requests);
        }
        if self.is_in_order(&all) { Ok(()) } else { Err(format!("it is told {all:?} of {:?}", self.ended)) }
    }
}

impl Checker for Events {
    fn event(&mut self, event: &Event<'_>) -> Result<(), String> {
        if self.processes.is_empty() {
            return Ok(());
        }
        self.touched.event(event);
        match event.what {
            What::VisitEnded(place, read) => {
                let Some(Visit { kind: VisitKind::Follow { first_ms, .. }, .. }) = self.visits.get(place) else {
                    return Ok(());
                };
                if read.is_none() && *first_ms < self.response_ms {
                    return Ok(());
                }
                let Some((coordinator, since)) = self.touched.visit(place) else { return Ok(()) };
                let (Some(process), Some(read)) = (self.processes.get(&coordinator), read) else {
                    return self.touched.check_lost(place);
                };
                // What an earlier process told is no longer known.
                if process.began > since || self.touched.excuses(coordinator, coordinator, since) {
                    return Ok(());
                }
                let is_touched = self.touched.excuses(event.host, coordinator, since);
                let checked = process.check(read, self.slack, is_touched);
                return checked.map_err(|why| format!("visit {place} follows {coordinator}: {why}"));
            }
            What::Started { .. } => {
                if let Some(process) = self.processes.get_mut(&event.host) {
                    *process = Process { began: event.at, ended: Vec::new() };
                }
            }
            What::CoordinatorOutput(_, Output::Ended(outcome)) => {
                if let Some(process) = self.processes.get_mut(&event.host) {
                    process.ended.push((event.at, outcome.request.clone()));
                }
            }
            _ => {}
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn process(ended: &[&str]) -> Process {
        let ended = ended.iter().map(|id| (1, RequestId::new(id).expect("an id"))).collect();
        Process { began: 0, ended }
    }

    fn outcome(number: u64, request: &str) -> String {
        format!("id: c1i1-{number}\nevent: outcome\ndata: {{\"request_id\": \"{request}\"}}\n\n")
    }

    fn found(ended: &[&str], parts: &[String]) -> Result<(), String> {
        let body = parts.join(FOLLOWED_AGAIN);
        let read = Read { status: 200, content_type: "text/event-stream".to_owned(), body };
        process(ended).check(&read, 10, false)
    }

    #[test]
    fn what_is_told_in_order_is_well_and_so_is_what_is_missed() {
        let worker = "id: c1i1-5\nevent: worker\ndata: {}\n\n";
        let first = [": connected 0\n\nretry: 1000\n\n", &outcome(4, "b"), worker, ": ended 5\n\n"].concat();
        assert_eq!(found(&["a", "b", "c"], &[first.clone(), outcome(6, "c")]), Ok(()));
        let missed = "id: c1i1-8\nevent: missed\ndata: {\"count\":3}\n\n".to_owned();
        assert_eq!(found(&["a", "b", "c", "d", "e"], &[first, missed + &outcome(9, "e")]), Ok(()));
    }

    #[test]
    fn what_is_left_out_or_told_twice_or_miscounted_is_found() {
        let two = |one: u64, other: u64| vec![outcome(one, "a") + &outcome(other, "c")];
        assert!(found(&["a", "b", "c"], &two(1, 2)).is_err(), "b is left out");
        assert!(found(&["a", "c"], &two(1, 3)).is_err(), "an id is left out");
        assert!(found(&["a", "c"], &[outcome(1, "a"), outcome(1, "a")]).is_err(), "a is told twice");
        let missed = "id: c1i1-3\nevent: missed\ndata: {\"count\":3}\n\n";
        assert!(found(&["a"], &[outcome(1, "a"), missed.to_owned()]).is_err(), "two were missed, and not three");
        let silent = ": connected 0\n\n: ended 100\n\n".to_owned();
        assert!(found(&["a"], &[silent]).is_err(), "it is told nothing");
    }
}
