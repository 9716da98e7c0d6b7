//! A reader of `/events` receives every request that ended, once and in order, even over a reconnect, or the number of
//! events that it missed.
//!
//! The ids of events grow by one. A notice of missed events has the id of the last of them. A client has no more
//! readers at once than it may have, and a reader is refused only while others read.

use std::collections::BTreeMap;

use quorate_core::coordinator::Output;
use quorate_core::id::RequestId;
use serde_json::Value as Json;

use super::touched::Touched;
use crate::checkers::{Checker, Context};
use crate::event::{Event, FOLLOWED_AGAIN, Read, TOO_MANY_READERS, What};
use crate::host::Host;
use crate::scenario::{Visit, VisitKind};

/// The time within which a reader receives an ended request, in nanoseconds, besides the latency of the network.
const MAX_DELAY_NS: u64 = 400_000_000;

/// The state of one coordinator process.
#[derive(Debug, Default)]
struct Process {
    began: u64,
    /// The requests that ended, each with its time.
    ended: Vec<(u64, RequestId)>,
}

#[derive(Debug)]
pub(crate) struct Events {
    visits: Vec<Visit>,
    touched: Touched,
    processes: BTreeMap<Host, Process>,
    slack: u64,
    /// The longest that a connection and its response may take, in milliseconds.
    response_ms: u64,
    /// The most readers that one client may have at once, if a seed bounds it.
    readers: Option<usize>,
    reading: Vec<Reading>,
}

/// A visit in which a client reads events, under way or ended.
#[derive(Debug)]
struct Reading {
    place: usize,
    client: Host,
    coordinator: Host,
    began: u64,
    ended: u64,
    /// The times of its first response and of the end of that connection.
    first: Option<(u64, u64)>,
}

pub(crate) fn new(context: &Context<'_>) -> Events {
    let visits = context.scenario.edges.visits.clone();
    let followed = visits.iter().filter(|visit| matches!(visit.kind, VisitKind::Follow { .. }));
    let processes = followed.map(|visit| (Host::Coordinator(visit.coordinator), Process::default())).collect();
    let slack = MAX_DELAY_NS + 4_000 * context.scenario.cluster.network.latency_us.1;
    let response_ms = 10 + 8 * context.scenario.cluster.network.latency_us.1 / 1000;
    let readers = context.scenario.edges.readers;
    Events { visits, touched: Touched::new(context), processes, slack, response_ms, readers, reading: Vec::new() }
}

/// What one connection received.
#[derive(Debug, Default)]
struct Stream {
    /// When it began and when it ended.
    window: Option<(u64, u64)>,
    /// The ended requests, in order; `None` stands for a gap.
    requests: Vec<Option<String>>,
    has_missed: bool,
}

/// Parses what one connection received. `last` is the number of the last known event.
fn read(text: &str, last: &mut Option<u64>) -> Result<Stream, String> {
    let mut told = Stream::default();
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
            // The last event of a broken connection may be incomplete.
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
            _ => return Err(format!("an unknown event: {block:?}")),
        };
        if expected.is_some_and(|expected| expected != number) {
            return Err(format!("event {last:?} is followed by {block:?}"));
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
    /// Whether a reader received the ended requests in order, leaving out only what it missed.
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
            return Err(format!("the response is {} {:?}", read_text.status, read_text.content_type));
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
                    return Err(format!("{due} requests ended while it read, but it received {count}"));
                }
            }
            all.extend(told.requests);
        }
        if self.is_in_order(&all) {
            Ok(())
        } else {
            Err(format!("it received {all:?}, but these requests ended: {:?}", self.ended))
        }
    }
}

impl Events {
    /// Records that a reader has ended. Returns whether enough others of its client may have read, so that it may be
    /// refused.
    fn others(&mut self, place: usize, read: &Read, now: u64) -> bool {
        let Some(most) = self.readers else { return false };
        let first = read.body.split(FOLLOWED_AGAIN).next().unwrap_or_default();
        let window = self::read(first, &mut None).ok().and_then(|told| told.window);
        let Some(mine) = self.reading.iter_mut().find(|reading| reading.place == place) else { return false };
        (mine.ended, mine.first) = (now, window.filter(|_| read.status == 200));
        let (client, coordinator, began) = (mine.client, mine.coordinator, mine.began.saturating_sub(self.slack));
        let same = |it: &&Reading| it.place != place && (it.client, it.coordinator) == (client, coordinator);
        self.reading.iter().filter(same).filter(|other| other.ended >= began).count() >= most
    }

    /// Checks that no more readers of a client were served at once than it may have.
    fn check_readers(&self, place: usize) -> Result<(), String> {
        let Some(most) = self.readers else { return Ok(()) };
        let Some(mine) = self.reading.iter().find(|reading| reading.place == place) else { return Ok(()) };
        let Some((begins, _)) = mine.first else { return Ok(()) };
        let round_trip = self.response_ms * 1_000_000;
        let same = |it: &&Reading| it.place != place && (it.client, it.coordinator) == (mine.client, mine.coordinator);
        let others = self.reading.iter().filter(same).filter_map(|other| other.first);
        let at_once = others.filter(|(since, until)| since + round_trip < begins && begins < *until).count();
        if at_once >= most {
            return Err(format!("{} has more than {most} event streams open at {}", mine.client, mine.coordinator));
        }
        Ok(())
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
                // The requests of an earlier process are not known.
                if process.began > since || self.touched.excuses(coordinator, coordinator, since) {
                    return Ok(());
                }
                let is_touched = self.touched.excuses(event.host, coordinator, since);
                let others = self.others(place, read, event.at);
                if !is_touched {
                    self.check_readers(place)?;
                }
                if others && read.status == TOO_MANY_READERS || self.touched.excuses_refusal(read) {
                    return Ok(());
                }
                let is_touched = is_touched || others;
                let Some(process) = self.processes.get(&coordinator) else { return Ok(()) };
                let checked = process.check(read, self.slack, is_touched);
                return checked.map_err(|why| format!("visit {place} follows {coordinator}: {why}"));
            }
            What::Visited(place, Visit { kind: VisitKind::Follow { .. }, coordinator, .. }) => {
                let coordinator = Host::Coordinator(*coordinator);
                let (client, began) = (event.host, event.at);
                self.reading.push(Reading { place, client, coordinator, began, ended: u64::MAX, first: None });
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
    use crate::Depth;
    use crate::checkers::testing::rig::Rig;
    use crate::scenario::Scenario;

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
    fn events_in_order_are_fine_and_so_is_a_notice_of_missed_ones() {
        let worker = "id: c1i1-5\nevent: worker\ndata: {}\n\n";
        let first = [": connected 0\n\nretry: 1000\n\n", &outcome(4, "b"), worker, ": ended 5\n\n"].concat();
        assert_eq!(found(&["a", "b", "c"], &[first.clone(), outcome(6, "c")]), Ok(()));
        let missed = "id: c1i1-8\nevent: missed\ndata: {\"count\":3}\n\n".to_owned();
        assert_eq!(found(&["a", "b", "c", "d", "e"], &[first, missed + &outcome(9, "e")]), Ok(()));
    }

    fn follow() -> Visit {
        let kind = VisitKind::Follow { first_ms: 500, away_ms: 1, then_ms: 1, recent: false };
        Visit { at_ms: 1, client: 1, coordinator: 1, kind }
    }

    /// Two visits of a client that may have one reader at a time. The second is answered at `second_at` with `status`.
    fn twice(second_at: u64, status: u16) -> Rig {
        let (mut scenario, visit) = (Scenario::quiet(), follow());
        scenario.edges.visits = vec![visit; 2];
        scenario.edges.readers = Some(1);
        let mut run = Rig::at(&scenario, Depth::Network, new);
        let read = |status, from: u64, until: u64| Read {
            status,
            content_type: "text/event-stream".to_owned(),
            body: format!(": connected {from}\n\n: ended {until}\n\n"),
        };
        run.pass(100);
        for place in 0..2 {
            run.tell(Host::Client(1), What::Visited(place, &visit));
        }
        run.pass(600);
        run.tell(Host::Client(1), What::VisitEnded(0, Some(&read(200, 110_000_000, 600_000_000))));
        run.tell(Host::Client(1), What::VisitEnded(1, Some(&read(status, second_at, 700_000_000))));
        run
    }

    #[test]
    fn one_reader_too_many_must_be_refused() {
        twice(300_000_000, TOO_MANY_READERS).expect_fine();
        twice(650_000_000, 200).expect_fine();
        twice(300_000_000, 200).expect_violation("more than 1 event streams");
    }

    #[test]
    fn a_reader_may_be_refused_as_one_connection_too_many_where_these_are_bounded() {
        let refused = |most| {
            let (mut scenario, visit) = (Scenario::quiet(), follow());
            scenario.edges.visits = vec![visit];
            scenario.edges.connections_per_peer = most;
            let mut run = Rig::at(&scenario, Depth::Network, new);
            let body = r#"{"error": "overloaded", "details": "too many connections"}"#.to_owned();
            let read = Read { status: 503, content_type: "application/json".to_owned(), body };
            run.pass(100);
            run.tell(Host::Client(1), What::Visited(0, &visit));
            run.tell(Host::Client(1), What::VisitEnded(0, Some(&read)));
            run
        };
        refused(Some(12)).expect_fine();
        refused(None).expect_violation("the response is 503");
    }

    #[test]
    fn events_left_out_repeated_or_miscounted_are_found() {
        let two = |one: u64, other: u64| vec![outcome(one, "a") + &outcome(other, "c")];
        assert!(found(&["a", "b", "c"], &two(1, 2)).is_err(), "b is left out");
        assert!(found(&["a", "c"], &two(1, 3)).is_err(), "an id is left out");
        assert!(found(&["a", "c"], &[outcome(1, "a"), outcome(1, "a")]).is_err(), "a is received twice");
        let missed = "id: c1i1-3\nevent: missed\ndata: {\"count\":3}\n\n";
        assert!(found(&["a"], &[outcome(1, "a"), missed.to_owned()]).is_err(), "two were missed, not three");
        let silent = ": connected 0\n\n: ended 100\n\n".to_owned();
        assert!(found(&["a"], &[silent]).is_err(), "it received nothing");
    }
}
