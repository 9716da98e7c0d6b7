//! Descriptions of events and faults: all texts about a run that are for people come from here.
//!
//! Ids, queries and workers' texts may be hostile: each description is on one line, and nothing in it can control a
//! terminal.

mod machine;
mod store;

use std::fmt::Write as _;
use std::time::Duration;

use quorate_core::coordinator::{Presence, PresenceState};
use quorate_core::outcome::{Outcome, Status};
use quorate_core::pattern::Pattern;
use quorate_core::time::Timestamp;
use quorate_core::value::Value;
use quorate_runtime::driver::Held;

use crate::edge::{Edge, traceparent};
use crate::event::{Age, Body, Message, Question, Reply, What};
use crate::host::Host;
use crate::scenario::{Fault, FaultKind, Flood, Forgery, Linger, Mischief, Scenario, Visit, VisitKind};

/// The maximum number of characters that are shown of a text from a message or an answer.
const MAX_SHOWN: usize = 120;

/// A short description of an event, for the column of its host. It does not name the other end of a message or an
/// answer.
pub fn event(what: &What<'_>) -> String {
    clean(&match what {
        What::Started { incarnation: 1 } => "started".to_owned(),
        What::Started { incarnation } => format!("started again (process {incarnation})"),
        What::Crashed => "crashed".to_owned(),
        What::Stopping => "told to stop".to_owned(),
        What::Stopped => "stopped".to_owned(),
        What::CoordinatorInput(_, input) => machine::coordinator_input(input),
        What::CoordinatorOutput(_, output) => machine::coordinator_output(output),
        What::CoordinatorWoken(_) | What::WorkerWoken(_) => "woken".to_owned(),
        What::CoordinatorSettled(..) | What::WorkerSettled(..) => "settled".to_owned(),
        What::WorkerInput(_, input) => machine::worker_input(input),
        What::WorkerOutput(_, output) => machine::worker_output(output),
        What::Sent(message) => format!("→ {}", body(message)),
        What::Unsent(message, error) => format!("⇥ {}: {error}", body(message)),
        What::Received(message) => format!("← {}", body(message)),
        What::Visited(place, visit) => format!("visit {place}: {}", self::visit(visit)),
        What::VisitEnded(place, Some(read)) => {
            format!("visit {place} receives HTTP {} {}", read.status, short(&read.body))
        }
        What::VisitEnded(place, None) => format!("visit {place} ends"),
        What::Edge(edge) => self::edge(*edge),
        What::Asked(question) => asked(question),
        What::Replied(number, answer) => format!("answer to #{number}: {}", reply(answer)),
        What::Vanished(number) => format!("gives up #{number}"),
        What::FaultBegan(place, what) => format!("fault {place} begins: {}", fault(what)),
        What::FaultEnded(place, _) => format!("fault {place} ends"),
        What::Healed => "all faults have ended: the cluster must recover".to_owned(),
        What::Ended => "the run is over".to_owned(),
        What::Panicked(text) => format!("panicked: {text}"),
        What::Store(event) => store::event(event),
    })
}

/// A description of a message, without its sender and receivers.
pub fn message(message: &Message) -> String {
    clean(&body(message))
}

/// A description of a fault, without its times.
pub fn fault(fault: &Fault) -> String {
    let permille = |permille: u32| format!("{}.{} %", permille / 10, permille % 10);
    match &fault.kind {
        FaultKind::Partition(one, other) => format!("no messages pass between {one} and {other}"),
        FaultKind::PartitionOneWay(from, to) => format!("no messages pass from {from} to {to}"),
        FaultKind::Hold(one, other) => format!("messages between {one} and {other} are held back"),
        FaultKind::Slow(one, other, millis) => format!("messages between {one} and {other} take at least {millis} ms"),
        FaultKind::Loss(one, other, part) => {
            format!("{} of the messages between {one} and {other} are lost", permille(*part))
        }
        FaultKind::Crash(host) => format!("{host} is killed"),
        FaultKind::Stop(host) => format!("{host} is told to stop"),
        FaultKind::Freeze(host) => format!("{host} is frozen"),
        FaultKind::ReconnectStorm(times) => format!("the broker closes all connections, {}", self::times(*times)),
        FaultKind::Bridge(part, millis) => {
            format!("{} of tasks and announcements are repeated up to {millis} ms later", permille(*part))
        }
        FaultKind::SlowSource(host, millis) => format!("the source of {host} takes {millis} ms longer"),
        FaultKind::FailSource(host, part) => format!("the source of {host} fails in {} of cases", permille(*part)),
        FaultKind::PanicSource(host, part) => format!("the source of {host} panics in {} of cases", permille(*part)),
        FaultKind::StaleSource(host, millis) => format!("the values of the source of {host} are {millis} ms older"),
        FaultKind::Lie(hosts, permille) => format!("{} report values that are {permille} ‰ too high", list(hosts)),
        FaultKind::Mischief(host, what, part) => {
            format!("{} of the results of {host} {}", permille(*part), mischief(*what))
        }
        FaultKind::PresenceLost(host) => format!("presence announcements of {host} are lost"),
        FaultKind::Forge(forgery, times) => format!("the adversary {}, {}", forge(*forgery), self::times(*times)),
    }
}

/// The fault schedule of a scenario, with a line per fault.
pub fn schedule(scenario: &Scenario) -> Vec<String> {
    let line = |fault: &Fault| {
        let end = fault.at_ms.saturating_add(fault.for_ms);
        format!("{} to {}: {}", millis(fault.at_ms), millis(end), self::fault(fault))
    };
    scenario.faults.iter().map(line).chain(store::schedule(&scenario.stored.faults)).collect()
}

/// Simulated time, in seconds with microseconds.
pub fn time(nanos: u64) -> String {
    format!("{}.{:06} s", nanos / 1_000_000_000, nanos / 1_000 % 1_000_000)
}

/// A list of hosts; more than three are counted instead of named.
pub fn list(hosts: &[Host]) -> String {
    match hosts {
        [] => "nobody".to_owned(),
        [one] => one.to_string(),
        [one, other] => format!("{one} and {other}"),
        [one, two, three] => format!("{one}, {two} and {three}"),
        _ => format!("{} hosts", hosts.len()),
    }
}

/// `text` on one line: control characters, and those that change the direction of text, become escapes.
pub fn clean(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    for character in text.chars() {
        let steers = character.is_control()
            || matches!(
                character,
                '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}'
            );
        if steers {
            let _ = write!(shown, "\\u{{{:x}}}", u32::from(character));
        } else {
            shown.push(character);
        }
    }
    shown
}

fn millis(millis: u64) -> String {
    format!("{}.{:03} s", millis / 1000, millis % 1000)
}

fn times(times: u32) -> String {
    if times == 1 { "once".to_owned() } else { format!("{times} times") }
}

fn short(text: &str) -> String {
    match text.char_indices().nth(MAX_SHOWN) {
        Some((end, _)) => format!("{}… ({} bytes)", &text[..end], text.len()),
        None => text.to_owned(),
    }
}

fn value(value: &Value) -> String {
    match value {
        Value::Number(number) => number.to_string(),
        Value::Text(text) => format!("{:?}", short(text)),
    }
}

/// A value as a message carries it.
fn sent(value: &Result<Value, std::sync::Arc<str>>, age: Option<Age>) -> String {
    match age {
        Some(Age::ObservedAt(at)) => {
            format!("{}, observed at {} ms", observed(value, None), at.since(Timestamp::ZERO).as_millis())
        }
        Some(Age::Stated(age)) => observed(value, Some(age)),
        None => observed(value, None),
    }
}

fn observed(observed: &Result<Value, std::sync::Arc<str>>, age: Option<Duration>) -> String {
    match observed {
        Ok(number) => match age {
            Some(age) => format!("{}, {} ms old", value(number), age.as_millis()),
            None => value(number),
        },
        Err(text) => format!("failed: {}", short(text)),
    }
}

fn left(time: Duration) -> String {
    format!("{} ms left", time.as_millis())
}

fn body(message: &Message) -> String {
    match &message.body {
        Body::Task(task) => {
            let again = if task.attempt > 1 { ", redispatched" } else { "" };
            format!("task {} ({}, {}{again})", task.request, task.query, left(task.ttl))
        }
        Body::Result(result) => {
            format!("result {} as {}: {}", result.request, result.worker, sent(&result.observed, result.age))
        }
        Body::Presence(presence) => self::presence(presence),
        Body::Outcome(told) => format!("outcome of {}", told.request),
        Body::Ping => "ping".to_owned(),
        Body::NoResponders => "nobody listens".to_owned(),
        Body::Garbage(bytes) => format!("garbage, {bytes} bytes"),
    }
}

fn presence(presence: &Presence) -> String {
    let replicated = if presence.replicated { ", replicated" } else { "" };
    let offered: Vec<_> = presence.offer.patterns().iter().map(Pattern::as_str).collect();
    let offers = if offered.is_empty() { String::new() } else { format!(", offers {}", short(&offered.join(", "))) };
    format!("{} is {}{replicated}{offers}", presence.worker, state(presence.state))
}

fn state(state: PresenceState) -> &'static str {
    match state {
        PresenceState::Live => "live",
        PresenceState::Draining => "draining",
        PresenceState::Left => "gone",
    }
}

fn asked(asked: &Question) -> String {
    let Question { number, coordinator, place, request } = asked;
    let id = request.id_text().unwrap_or_else(|| "any id".to_owned());
    let probe = if place.is_none() { " (a probe)" } else { "" };
    format!("asks {coordinator} #{number} {id}: {}{probe}", request.query_text())
}

fn reply(reply: &Reply) -> String {
    match reply {
        Reply::Ended(Ok(outcome)) => self::outcome(outcome),
        Reply::Ended(Err(refusal)) => format!("refused: {refusal}"),
        Reply::Http { status, retry_after, body } => {
            let retry = retry_after.map_or_else(String::new, |seconds| format!(", retry after {seconds} s"));
            format!("HTTP {status}{retry} {}", short(body))
        }
        Reply::Lost => "none".to_owned(),
    }
}

fn outcome(outcome: &Outcome) -> String {
    let (succeeded, expected) = (outcome.succeeded, outcome.expected());
    match &outcome.verdict {
        Ok(answer) => {
            let status = match answer.status {
                Status::Complete => "complete",
                Status::Partial => "partial",
                Status::LowReliability => "low reliability",
                Status::Disputed => "disputed",
            };
            format!("{} is {} ({status}, {succeeded} of {expected})", outcome.request, value(&answer.value))
        }
        Err(failure) => format!("{} failed: {failure} ({succeeded} of {expected})", outcome.request),
    }
}

fn visit(Visit { coordinator, kind, .. }: &Visit) -> String {
    match kind {
        VisitKind::Malformed(malformed) => {
            let (method, path, ..) = malformed.request();
            format!("sends coordinator-{coordinator} {method} {path}, malformed: {malformed:?}")
        }
        VisitKind::Read(page) => format!("reads {} of coordinator-{coordinator}", page.path()),
        VisitKind::Follow { first_ms, away_ms, then_ms, .. } => format!(
            "reads events of coordinator-{coordinator} for {first_ms} ms, and {away_ms} ms later for {then_ms} ms more"
        ),
        VisitKind::Linger(how, millis) => {
            let how = match how {
                Linger::Silent => "and sends nothing",
                Linger::HalfHead => "and sends half of a request head",
                Linger::HalfBody => "and sends half of a request body",
                Linger::Unread => "and does not read the response",
            };
            format!("holds a connection to coordinator-{coordinator} for {millis} ms {how}")
        }
    }
}

fn edge(edge: Edge) -> String {
    match edge {
        Edge::Bus { connected: true, connections } => format!("connected to the bus, connection {connections}"),
        Edge::Bus { connected: false, .. } => "not connected to the bus".to_owned(),
        Edge::Arrived(number) => format!("takes message {number}"),
        Edge::Carries(trace) => format!("the next message carries {}", traceparent(trace)),
        Edge::Reads(_) => "its source has answered".to_owned(),
        Edge::Observes(Some(trace)) => format!("its source is asked in the trace {}", traceparent(trace)),
        Edge::Observes(None) => "its source is asked without a trace".to_owned(),
        Edge::PassEnded(Held { waiting, trails, announced, running }) => {
            format!("{waiting} callers wait, {trails} trails followed, {announced} announcements held, {running} jobs")
        }
    }
}

fn mischief(mischief: Mischief) -> String {
    match mischief {
        Mischief::Duplicate => "are sent twice".to_owned(),
        Mischief::Equivocate => "are followed by a contradiction".to_owned(),
        Mischief::Delay(millis) => format!("are sent {millis} ms late"),
        Mischief::Reorder => "are sent after the next one".to_owned(),
        Mischief::Corrupt => "are replaced by garbage".to_owned(),
        Mischief::Oversize => "are too long".to_owned(),
        Mischief::Impersonate(number) => format!("are also sent as w{number}"),
        Mischief::Misattribute => "name the previous request".to_owned(),
        Mischief::Misdirect => "are sent to the previous reply subject".to_owned(),
        Mischief::Drop => "are not sent".to_owned(),
    }
}

fn forge(forgery: Forgery) -> String {
    match forgery {
        Forgery::UnknownRequest => "answers a request that was never made".to_owned(),
        Forgery::Answer(number) => format!("answers a task as w{number}"),
        Forgery::AnswerShared(number) => format!("answers a task as w{number} on the shared subject"),
        Forgery::Live(number) => format!("announces that w{number} is live"),
        Forgery::Left(number) => format!("announces that w{number} has left"),
        Forgery::Draining(number) => format!("announces that w{number} is draining"),
        Forgery::NoResponders => "claims that nobody listens for a task".to_owned(),
        Forgery::First(number) => format!("answers the next task first, as w{number}"),
        Forgery::Repeats(number, count) => format!("gives {count} different answers to a task as w{number}"),
        Forgery::Flood(flood, names) => {
            let act = match flood {
                Flood::Answers => "answers a task",
                Flood::Shared => "answers a task on the shared subject",
                Flood::Ended => "answers an earlier task",
                Flood::Live => "announces that it is live",
            };
            format!("{act} under {names} invented names")
        }
        Forgery::Garbage => "sends garbage".to_owned(),
        Forgery::Task => "sends a task of its own".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_from_a_message_steers_the_terminal() {
        let message = Message { subject: "s".into(), reply: None, body: Body::Garbage(7) };
        assert_eq!(event(&What::Sent(&message)), "→ garbage, 7 bytes");
        assert_eq!(event(&What::Panicked("a\x1b[2J\n\u{202e}b")), r"panicked: a\u{1b}[2J\u{a}\u{202e}b");
    }

    #[test]
    fn a_schedule_reads_as_sentences() {
        let mut scenario = Scenario::generate(1);
        scenario.stored.faults.clear();
        scenario.faults = vec![
            Fault { at_ms: 1500, for_ms: 20, kind: FaultKind::Loss(Host::Broker, Host::Worker(2), 125) },
            Fault { at_ms: 2000, for_ms: 500, kind: FaultKind::Forge(Forgery::Live(3), 1) },
        ];
        assert_eq!(
            schedule(&scenario),
            [
                "1.500 s to 1.520 s: 12.5 % of the messages between broker and worker-2 are lost",
                "2.000 s to 2.500 s: the adversary announces that w3 is live, once",
            ]
        );
    }
}
