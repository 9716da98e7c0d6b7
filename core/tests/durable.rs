//! Durable requests, case by case. `durable_model.rs` has the rest.

use std::sync::Arc;
use std::time::Duration;

use quorate_core::coordinator::Refusal;
use quorate_core::durable::{
    Accepted, Config, Content, Entry, Found, Got, Input, Job, Kept, Output, Rejection, Work, Written,
};
use quorate_core::id::{RequestId, Ticket};
use quorate_core::policy::Overrides;
use quorate_core::query::Query;
use quorate_core::time::{Timestamp, UnixTime};
use quorate_core::{Durable, Machine as _};

const GOT: Got = Got::Outcome { failure: None, bytes: 100 };

fn id() -> RequestId {
    RequestId::new("r").expect("an id")
}

fn job(query: &str) -> Arc<Job> {
    Arc::new(Job {
        request: id(),
        query: Query::new(query).expect("a query"),
        overrides: Overrides::default(),
        timeout: Duration::from_secs(5),
        submitted_at: UnixTime::EPOCH,
    })
}

fn at(millis: u64) -> Timestamp {
    Timestamp::from_millis(millis)
}

fn open(holder: Option<&str>, turn: u64) -> Content {
    Content::Open { job: job("q"), holder: holder.map(Into::into), turn }
}

fn seen(sequence: u64, content: Content) -> Input {
    Input::Seen { request: id(), entry: Entry { sequence, content } }
}

fn submit(query: &str) -> Input {
    Input::Submit { ticket: Ticket(1), job: job(query) }
}

fn answered(reply: Result<Accepted, Rejection>) -> Output {
    Output::Answer { ticket: Ticket(1), reply }
}

/// A machine called `me`, and what it puts out for one input.
struct Machine(Durable);

impl Machine {
    fn new() -> Self {
        Self(Durable::new(Config::of("me")))
    }

    fn takes(&mut self, millis: u64, input: impl Into<Option<Input>>) -> Vec<Output> {
        let mut outputs = Vec::new();
        self.0.step(at(millis), input.into().as_ref(), &mut outputs);
        outputs
    }

    /// A machine that has accepted a request, and asks.
    fn asking() -> Self {
        let mut machine = Self::new();
        assert_eq!(machine.takes(0, submit("q")), [Output::Look { work: Work(1), request: id() }]);
        let write = Output::Write { work: Work(2), request: id(), after: 0, content: open(Some("me"), 1) };
        assert_eq!(machine.takes(0, Input::Looked { work: Work(1), found: Found::Nothing }), [write]);
        let stored = machine.takes(0, Input::Written { work: Work(2), written: Written::Stored(7) });
        assert_eq!(stored, [answered(Ok(Accepted::Open)), Output::Ask { work: Work(3), job: job("q") }]);
        machine
    }
}

#[test]
fn a_request_is_accepted_once_it_is_stored_and_closed_once_its_outcome_is() {
    let mut machine = Machine::asking();
    assert_eq!(
        machine.takes(1, Input::Asked { work: Work(3), got: GOT }),
        [Output::Keep { work: Work(4), request: id() }]
    );
    let close = Output::Write { work: Work(5), request: id(), after: 7, content: Content::Closed };
    let ends = [Output::Forget(id()), Output::Ended(id()), close];
    assert_eq!(machine.takes(2, Input::Kept { work: Work(4), kept: Kept::Stored }), ends);
    assert_eq!(machine.takes(3, submit("q")), [answered(Ok(Accepted::Done))]);
    assert_eq!(machine.takes(3, Input::Written { work: Work(5), written: Written::Stored(8) }), []);
    assert_eq!((machine.0.known(), machine.0.poll_timeout()), (0, None));
}

#[test]
fn a_submission_whose_storing_is_unclear_is_neither_accepted_nor_forgotten_if_it_is_stored_after_all() {
    let mut machine = Machine::new();
    machine.takes(0, submit("q"));
    machine.takes(0, Input::Looked { work: Work(1), found: Found::Nothing });
    let unclear = machine.takes(5, Input::Written { work: Work(2), written: Written::Unclear });
    assert_eq!(unclear, [answered(Err(Rejection::Unclear))]);
    let asks = [Output::Ask { work: Work(3), job: job("q") }];
    assert_eq!(machine.takes(9, seen(7, open(Some("me"), 1))), asks, "it arrived late");
}

#[test]
fn an_entry_is_taken_over_once_it_has_not_changed_for_its_timeout_and_the_patience() {
    let mut machine = Machine::new();
    assert_eq!(machine.takes(0, seen(7, open(Some("other"), 1))), []);
    assert_eq!(machine.takes(9_000, seen(8, open(Some("another"), 2))), [], "somebody else is faster");
    assert_eq!(machine.0.poll_timeout(), Some(at(24_000)));
    assert_eq!(machine.takes(23_999, seen(7, open(Some("other"), 1))), [], "the watch repeats itself");
    assert_eq!(machine.takes(24_000, None), [Output::Look { work: Work(1), request: id() }]);
    let write = Output::Write { work: Work(2), request: id(), after: 8, content: open(Some("me"), 3) };
    assert_eq!(machine.takes(24_001, Input::Looked { work: Work(1), found: Found::Nothing }), [write]);
    let lost = Written::Lost(Some(Entry { sequence: 9, content: open(Some("other"), 3) }));
    assert_eq!(machine.takes(24_002, Input::Written { work: Work(2), written: lost }), [], "only one takes it over");
    assert_eq!(machine.0.poll_timeout(), Some(at(39_002)));
}

#[test]
fn a_request_whose_outcome_is_stored_is_only_closed_by_the_coordinator_that_takes_it_over() {
    let mut machine = Machine::new();
    machine.takes(0, seen(7, open(None, 1)));
    let close = Output::Write { work: Work(2), request: id(), after: 7, content: Content::Closed };
    let found = Found::Outcome(Some(job("q").query.clone()));
    assert_eq!(machine.takes(0, Input::Looked { work: Work(1), found }), [Output::Ended(id()), close]);
}

#[test]
fn a_holder_that_was_replaced_stores_its_outcome_only_if_it_is_first_and_closes_nothing() {
    let mut machine = Machine::asking();
    assert_eq!(machine.takes(20_000, seen(8, open(Some("other"), 2))), [], "what is asked is asked");
    machine.takes(20_001, Input::Asked { work: Work(3), got: GOT });
    let lost = machine.takes(20_002, Input::Kept { work: Work(4), kept: Kept::Lost });
    assert_eq!(lost, [Output::Forget(id()), Output::Ended(id())]);
    assert_eq!(machine.0.counters().lost, 1);
    assert_eq!(machine.0.poll_timeout(), Some(at(35_002)), "if the other one has died, this one closes it");
}

#[test]
fn asking_is_repeated_with_growing_pauses_for_a_passing_reason_only() {
    let mut machine = Machine::asking();
    let mut now = 0;
    for (work, pause) in [(3, 250), (4, 500), (5, 1000), (6, 2000), (7, 4000), (8, 5000), (9, 5000)] {
        let refused = Input::Asked { work: Work(work), got: Got::Refused(Refusal::BusDown) };
        assert_eq!(machine.takes(now, refused), [Output::Forget(id())]);
        now += pause;
        assert_eq!(machine.0.poll_timeout(), Some(at(now)));
        assert_eq!(machine.takes(now, None), [Output::Ask { work: Work(work + 1), job: job("q") }]);
    }
    let refused = Input::Asked { work: Work(10), got: Got::Refused(Refusal::NoWorkers) };
    assert_eq!(machine.takes(now, refused), [Output::Keep { work: Work(11), request: id() }], "that is its outcome");
}

#[test]
fn a_draining_coordinator_releases_what_waits_and_finishes_what_it_asks() {
    let mut waiting = Machine::asking();
    waiting.takes(0, Input::Asked { work: Work(3), got: Got::Nothing });
    let release = Output::Write { work: Work(4), request: id(), after: 7, content: open(None, 2) };
    assert_eq!(waiting.takes(1, Input::Drain), [release]);
    assert_eq!(waiting.takes(2, Input::Written { work: Work(4), written: Written::Stored(8) }), [Output::Drained]);
    assert_eq!(waiting.takes(3, submit("q")), [answered(Err(Rejection::Draining))]);

    let mut asking = Machine::asking();
    assert_eq!(asking.takes(1, Input::Drain), []);
    asking.takes(2, Input::Asked { work: Work(3), got: GOT });
    asking.takes(3, Input::Kept { work: Work(4), kept: Kept::Stored });
    assert_eq!(asking.takes(4, Input::Written { work: Work(5), written: Written::Unclear }), [Output::Drained]);
}

#[test]
fn another_query_under_the_id_of_a_request_is_a_conflict_wherever_it_is_found() {
    let mut known = Machine::asking();
    assert_eq!(known.takes(1, submit("other")), [answered(Err(Rejection::Conflict))]);
    let mut stored = Machine::new();
    stored.takes(0, submit("other"));
    let found = Found::Outcome(Some(job("q").query.clone()));
    let conflict = [answered(Err(Rejection::Conflict))];
    assert_eq!(stored.takes(0, Input::Looked { work: Work(1), found }), conflict);
    let mut elsewhere = Machine::new();
    elsewhere.takes(0, submit("other"));
    elsewhere.takes(0, Input::Looked { work: Work(1), found: Found::Nothing });
    let lost = Written::Lost(Some(Entry { sequence: 7, content: open(Some("other"), 1) }));
    assert_eq!(elsewhere.takes(0, Input::Written { work: Work(2), written: lost }), conflict);
    assert_eq!(elsewhere.0.known(), 1, "it watches the other one");
}

#[test]
fn what_there_was_no_room_for_is_looked_for_again() {
    let mut machine = Machine(Durable::new(Config { max_known: 1, ..Config::of("me") }));
    machine.takes(0, seen(7, open(Some("other"), 1)));
    let second = RequestId::new("s").expect("an id");
    let other = Content::Open {
        job: Arc::new(Job { request: second.clone(), ..(*job("q")).clone() }),
        holder: Some("other".into()),
        turn: 1,
    };
    let entry = Entry { sequence: 8, content: other };
    assert_eq!(machine.takes(0, Input::Seen { request: second, entry }), []);
    assert_eq!(machine.0.counters().overlooked, 1);
    assert_eq!(machine.takes(1, seen(9, Content::Closed)), [Output::Ended(id()), Output::Watch]);
}
