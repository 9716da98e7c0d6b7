use std::sync::Arc;
use std::time::Duration;

use quorate_core::coordinator::{self, Presence, PresenceState, Refusal, Submit};
use quorate_core::id::{RequestId, TaskId, Ticket, WorkerId};
use quorate_core::policy::Overrides;
use quorate_core::query::Query;
use quorate_core::time::Timestamp;
use quorate_core::value::Value;

use super::*;
use crate::checkers::Violation;
use crate::coverage::Reached;
use crate::event::{Body, Event, Message, Question, Reply, Task, What, WorkerResult};
use crate::host::Host;
use crate::scenario::{Fault, FaultKind, Policy, QUERIES, Request};

const MS: u64 = 1_000_000;
const HOSTILE: &str = "</script><script>alert(1)</script><img src=https://evil.example/x onerror=alert(1)>&amp;";

fn request(id: &str) -> RequestId {
    RequestId::new(id).expect("an id")
}

fn query() -> Query {
    Query::new(QUERIES[0].text).expect("a query")
}

fn task(id: &str) -> Message {
    let task = Task { request: request(id), query: query(), ttl: Duration::from_secs(2), attempt: 1, packed: None };
    Message { subject: "tasks".into(), reply: Some("inbox.1".into()), body: Body::Task(task) }
}

fn result(id: &str, observed: Result<Value, Arc<str>>) -> Message {
    let worker = WorkerId::new("w1").expect("an id");
    let result = WorkerResult::new(worker, request(id), observed);
    Message { subject: "inbox.1".into(), reply: None, body: Body::Result(result) }
}

fn live(worker: &str) -> Message {
    let worker = WorkerId::new(worker).expect("an id");
    let presence = Presence::new(worker, "".into(), PresenceState::Live);
    Message { subject: "presence".into(), reply: None, body: Body::Presence(presence) }
}

fn asked(number: u32, id: Option<u32>) -> Question {
    let request = Request {
        at_ms: 0,
        client: 1,
        coordinator: 1,
        query: 0,
        id,
        policy: Policy::default(),
        gives_up_ms: None,
        retries: 0,
    };
    Question { number, coordinator: Host::Coordinator(1), place: Some(0), request }
}

fn submit(ticket: u64, id: Option<&str>) -> coordinator::Input {
    let id = id.map(request);
    coordinator::Input::Submit(Submit {
        ticket: Ticket(ticket),
        id,
        query: query(),
        overrides: Overrides::default(),
        trace: None,
    })
}

fn publish(task: u64, id: &str) -> coordinator::Output {
    let (id, request, ttl) = (TaskId(task), request(id), Duration::from_secs(2));
    let task = coordinator::Task { id, request, query: query(), ttl, attempt: 1, trace: None, may_be_packed: false };
    coordinator::Output::Publish(task)
}

/// The timeline of some events, each with its time in milliseconds.
fn timeline(events: &[(u64, Host, What<'_>)], violation: Option<Violation>) -> Timeline {
    let scenario = Scenario::generate(7);
    let play = |mut listener: Listener| {
        for (millis, host, what) in events {
            listener(&Event { at: millis * MS, host: *host, what: *what });
        }
        Report { hash: 0, events: 0, steps: 0, messages: 0, bytes: 0, reached: Reached::default(), violation }
    };
    record(&scenario, Depth::Machines, play).0
}

const CLIENT: Host = Host::Client(1);
const COORDINATOR: Host = Host::Coordinator(1);
const WORKER: Host = Host::Worker(1);

fn texts(timeline: &Timeline) -> Vec<&str> {
    timeline.moments.iter().map(|moment| moment.text.as_str()).collect()
}

fn lane(timeline: &Timeline, host: Host) -> usize {
    timeline.hosts.iter().position(|name| *name == host.to_string()).expect("it has a lane")
}

#[test]
fn a_message_goes_from_its_sender_to_all_its_receivers() {
    let (task, result) = (task("request-5"), result("request-5", Ok(Value::number("42.5").expect("a number"))));
    let timeline = timeline(
        &[
            (10, COORDINATOR, What::Sent(&task)),
            (11, WORKER, What::Received(&task)),
            (12, Host::Worker(2), What::Received(&task)),
            (40, WORKER, What::Sent(&result)),
            (41, COORDINATOR, What::Received(&result)),
            (42, Host::Worker(2), What::Sent(&result)),
        ],
        None,
    );
    assert_eq!(
        texts(&timeline),
        [
            "→ worker-1 and worker-2 task request-5 (BTC/USD, 2000 ms left)",
            "← coordinator-1 task request-5 (BTC/USD, 2000 ms left)",
            "← coordinator-1 task request-5 (BTC/USD, 2000 ms left)",
            "→ coordinator-1 result request-5 as w1: 42.5",
            "← worker-1 result request-5 as w1: 42.5",
            "→ nobody result request-5 as w1: 42.5",
        ]
    );
    let arrows: Vec<_> = timeline.arrows.iter().map(|arrow| (arrow.from, arrow.sent / MS, arrow.to)).collect();
    let [coordinator, one, two] = [COORDINATOR, WORKER, Host::Worker(2)].map(|host| lane(&timeline, host));
    assert_eq!(
        arrows,
        [
            (coordinator, 10, Some((one, 11 * MS))),
            (coordinator, 10, Some((two, 12 * MS))),
            (one, 40, Some((coordinator, 41 * MS))),
            (two, 42, None),
        ]
    );
    assert!(timeline.arrows.iter().all(|arrow| arrow.request.as_deref() == Some("request-5")));
    assert_eq!(timeline.requests, ["request-5"]);
}

#[test]
fn identical_messages_are_each_received_once_and_a_lost_one_stays_lost() {
    let live = live("w1");
    let timeline = timeline(
        &[
            (0, WORKER, What::Sent(&live)),
            (2000, WORKER, What::Sent(&live)),
            (2010, WORKER, What::Sent(&live)),
            (2020, COORDINATOR, What::Received(&live)),
            (2030, COORDINATOR, What::Received(&live)),
        ],
        None,
    );
    let sent: Vec<_> = timeline.arrows.iter().map(|arrow| (arrow.sent / MS, arrow.to.is_some())).collect();
    assert_eq!(sent, [(2000, true), (2010, true), (0, false)]);
    assert!(timeline.moments.iter().all(|moment| moment.chatter));
}

#[test]
fn a_question_without_an_id_is_found_by_the_id_that_was_drawn() {
    let (asked, submit, publish) = (asked(3, None), submit(9, None), publish(1, "drawn"));
    let request = RequestId::new("drawn").expect("an id");
    let dispatched = coordinator::Output::Event(coordinator::Event::Dispatched { ticket: Ticket(9), request });
    let answer = coordinator::Output::Answer { ticket: Ticket(9), reply: Err(Refusal::Draining) };
    let reply = Reply::Ended(Err(Refusal::Draining));
    let now = Timestamp::ZERO;
    let timeline = timeline(
        &[
            (1, CLIENT, What::Asked(&asked)),
            (2, COORDINATOR, What::CoordinatorInput(now, &submit)),
            (2, COORDINATOR, What::CoordinatorOutput(now, &publish)),
            (2, COORDINATOR, What::CoordinatorOutput(now, &dispatched)),
            (7, COORDINATOR, What::CoordinatorOutput(now, &answer)),
            (8, CLIENT, What::Replied(3, &reply)),
        ],
        None,
    );
    assert!(timeline.moments.iter().all(|moment| moment.request.as_deref() == Some("drawn")), "{timeline:#?}");
    assert_eq!(texts(&timeline)[5], "answer to #3: refused: the coordinator is draining");
    let [client, coordinator] = [CLIENT, COORDINATOR].map(|host| lane(&timeline, host));
    let arrows: Vec<_> = timeline.arrows.iter().map(|arrow| (arrow.from, arrow.sent / MS, arrow.to)).collect();
    assert_eq!(arrows, [(client, 1, Some((coordinator, 2 * MS))), (coordinator, 7, Some((client, 8 * MS)))]);
    assert!(timeline.arrows.iter().all(|arrow| arrow.request.as_deref() == Some("drawn")));
}

/// A timeline with moments of every kind.
fn eventful() -> Timeline {
    let task = task("request-5");
    let fault = Fault { at_ms: 5, for_ms: 20, kind: FaultKind::Crash(WORKER) };
    let violation = Violation { checker: "answers", at: 30 * MS, text: "answered twice".to_owned() };
    let (asked, submit) = (asked(1, Some(5)), submit(1, Some("request-5")));
    timeline(
        &[
            (0, WORKER, What::Started { incarnation: 1 }),
            (1, COORDINATOR, What::CoordinatorInput(Timestamp::ZERO, &submit)),
            (2, COORDINATOR, What::Sent(&task)),
            (3, WORKER, What::Received(&task)),
            (5, WORKER, What::FaultBegan(0, &fault)),
            (5, WORKER, What::Crashed),
            (10, CLIENT, What::Asked(&asked)),
            (25, WORKER, What::FaultEnded(0, &fault)),
            (26, WORKER, What::Started { incarnation: 2 }),
            (30, COORDINATOR, What::Healed),
        ],
        Some(violation),
    )
}

#[test]
fn a_fault_and_a_violation_are_marked() {
    let timeline = eventful();
    let lanes = vec![lane(&timeline, WORKER)];
    let text = "worker-1 is killed".to_owned();
    assert_eq!(timeline.spans, [Span { began: 5 * MS, ended: Some(25 * MS), lanes, text }]);
    assert_eq!(timeline.violation.as_deref(), Some("0.030000 s answers: answered twice"));
    let last = timeline.moments.last().expect("the timeline has moments");
    assert_eq!((last.kind, last.lane), (Kind::Violation, lane(&timeline, COORDINATOR)));
}

#[test]
fn a_wide_terminal_has_the_text_in_the_columns() {
    let timeline = eventful();
    let drawn = lines(&timeline, Detail::Messages, TERMINAL);
    let column = |line: &str, text: &str| line.find(text).map(|at| line[..at].chars().count());
    let head = &drawn[0];
    for (text, host) in [("← coordinator-1", "worker-1"), ("→ worker-1 task", "coordinator-1"), ("crashed", "worker-1")]
    {
        let line = drawn.iter().find(|line| line.contains(text)).expect(text);
        assert_eq!(column(line, text), column(head, host), "{drawn:#?}");
    }
    assert!(
        drawn.iter().any(|line| line.contains("0.005000  ┄┄ fault 0 begins: worker-1 is killed ┄┄┄")),
        "{drawn:#?}"
    );
    assert!(drawn.iter().any(|line| line.contains("━━ coordinator-1: VIOLATION of answers: answered twice ━")));
    assert!(!drawn.iter().any(|line| line.contains("takes request-5")), "a machine's input is not shown");
    let all = lines(&timeline, Detail::All, TERMINAL);
    assert!(all.iter().any(|line| line.contains("takes request-5")), "{all:#?}");
}

const TERMINAL: usize = 200;

#[test]
fn lines_are_no_wider_than_the_terminal() {
    use unicode_width::UnicodeWidthStr as _;

    for width in [60, 80, 100, 133, 200, 300] {
        for line in lines(&eventful(), Detail::All, width) {
            assert!(line.width() <= width, "{} of {width}: {line}", line.width());
        }
    }
}

#[test]
fn a_narrow_terminal_marks_the_column_and_has_the_text_next_to_it() {
    let drawn = lines(&eventful(), Detail::Messages, 80);
    assert!(drawn.iter().any(|line| line == "   0.005000  │ │ │ ● │ │ worker-1 crashed"), "{drawn:#?}");
    assert!(drawn.iter().any(|line| line.contains("→ worker-1 task request-5")), "{drawn:#?}");
    // The line of a host is dashed while it has a fault.
    let broken: Vec<_> = drawn.iter().filter(|line| line.contains('┊')).collect();
    assert!(
        !broken.is_empty()
            && broken
                .iter()
                .all(|line| line.starts_with("   0.010000  ● │ │ ┊ │ │") || line.starts_with("              │ │ ┊")),
        "{drawn:#?}"
    );
}

#[test]
fn a_page_holds_the_whole_run_and_fetches_nothing() {
    let page = page(&eventful());
    let json = data(&page);
    let read: serde_json::Value = serde_json::from_str(json).expect("the data is JSON");
    assert_eq!(read, serde_json::to_value(eventful()).expect("JSON"));
    for fetching in ["http://", "https://", "src=", "href=", "@import", "url(", "fetch(", "XMLHttpRequest"] {
        assert!(!page.contains(fetching), "{fetching}");
    }
    assert!(page.contains("default-src 'none'"), "the page's policy forbids fetching");
}

#[test]
fn hostile_texts_cannot_leave_their_place() {
    let task = task(HOSTILE);
    let result = result(HOSTILE, Err(format!("{HOSTILE}\u{2028}\u{1b}[2J\u{202e}<!--").into()));
    let timeline = timeline(
        &[(1, COORDINATOR, What::Sent(&task)), (2, WORKER, What::Sent(&result)), (3, WORKER, What::Panicked(HOSTILE))],
        Some(Violation { checker: "answers", at: 3 * MS, text: HOSTILE.to_owned() }),
    );
    let page = page(&timeline);
    let data = data(&page);
    for character in ['<', '>', '&', '\u{2028}', '\u{1b}', '\u{202e}'] {
        assert!(!data.contains(character), "{character:?}");
    }
    assert!(data.contains(r"\u003c/script\u003e"));
    let read: serde_json::Value = serde_json::from_str(data).expect("the data is JSON");
    assert_eq!(read["requests"][0], HOSTILE, "the id is unchanged");
    // Texts never become markup.
    for markup in ["innerHTML", "outerHTML", "insertAdjacentHTML", "document.write", "eval("] {
        assert!(!page.contains(markup), "{markup}");
    }
    for line in lines(&timeline, Detail::All, 80) {
        assert!(!line.chars().any(|character| character.is_control() || character == '\u{202e}'), "{line:?}");
    }
}

/// The data in a page.
fn data(page: &str) -> &str {
    let (_, after) = page.split_once(r#"<script type="application/json" id="data">"#).expect("it has data");
    after.split_once("</script>").expect("an element ends").0
}
