//! Tests of `wire`.

use std::sync::Arc;
use std::time::Duration;

use quorate_core::coordinator::{Input, Output, Presence, PresenceState, Undelivered, UndeliveredCause};
use quorate_core::id::TaskId;
use quorate_core::offer::Offer;
use quorate_core::outcome::Outcome;
use quorate_core::value::Value;
use quorate_core::worker;
use quorate_runtime::bus::PublishError;

use crate::Depth;
use crate::checkers::Context;
use crate::checkers::testing::inputs::{
    announcement, answer, ask, live, outcome_message, query, request_id, task, task_message, worker_id,
};
use crate::checkers::testing::rig::{COORDINATOR, Rig, WORKER};
use crate::event::{Age, Body, Message, Task, What, WorkerResult};
use crate::scenario::{FaultKind, Mischief, Scenario};

fn message(subject: &str, body: Body) -> Message {
    Message { subject: subject.into(), reply: None, body }
}

fn result_message(subject: &str, name: &str, value: i64) -> Message {
    let observed = Ok(Value::Number(value.into()));
    let (response_time, age) = (Duration::from_millis(3), Some(Age::Stated(Duration::from_millis(1500))));
    let result = WorkerResult::new(worker_id(name), request_id(1), observed);
    message(subject, Body::Result(WorkerResult { response_time, age, ..result }))
}

/// A rig whose coordinator has dispatched request 1 on a bus that is up.
fn asking() -> Rig {
    let mut rig = Rig::new(super::new);
    rig.sends = true;
    rig.coordinator(0, &Input::BusUp);
    rig.coordinator(1, &ask(1));
    rig
}

#[test]
fn what_is_received_is_passed_on_and_what_is_put_out_is_sent() {
    let mut rig = asking();
    rig.tell(COORDINATOR, What::Received(&message("oracle.workers", Body::Presence(live("w1")))));
    rig.tell(COORDINATOR, What::Received(&result_message("_INBOX.c1.4294967296", "w1", 5)));
    rig.tell(COORDINATOR, What::Received(&result_message("oracle.results", "w1", 6)));
    rig.tell(COORDINATOR, What::Received(&message("oracle.results", Body::Garbage(7))));
    rig.tell(COORDINATOR, What::Received(&message("_INBOX.c1.ping", Body::Presence(live("w2")))));
    rig.begin_coordinator(&answer("w1", 1, Some(TaskId(1 << 32)), 5));
    rig.begin_coordinator(&answer("w1", 1, None, 6));
    rig.begin_coordinator(&Input::Presence(live("w2")));
    rig.begin_coordinator(&Input::Presence(live("w1")));
    rig.end_coordinator_pass();
    let received = Message { reply: Some("_INBOX.c1.1".into()), ..message("oracle.tasks", Body::Garbage(1)) };
    rig.tell(WORKER, What::Received(&received));
    let asked =
        Task { request: request_id(1), query: query(), ttl: Duration::from_millis(500), attempt: 1, packed: None };
    rig.tell(WORKER, What::Received(&Message { body: Body::Task(asked), ..received }));
    rig.worker(2, &task(1, 500));
    rig.expect_fine();
}

/// A task whose time to live is rounded on the wire.
fn meant() -> quorate_core::coordinator::Task {
    quorate_core::coordinator::Task {
        id: TaskId(1),
        request: request_id(1),
        query: query(),
        ttl: Duration::from_micros(1_500),
        attempt: 1,
        trace: None,
        may_be_packed: false,
    }
}

#[test]
fn a_task_that_is_not_sent_or_is_changed_is_found() {
    let mut rig = Rig::new(super::new);
    rig.coordinator(0, &Input::BusUp);
    rig.coordinator(1, &ask(1));
    rig.expect_violation("did not send");
    let mut rig = Rig::new(super::new);
    let meant = meant();
    rig.tell(COORDINATOR, What::CoordinatorOutput(rig.now(), &Output::Publish(meant.clone())));
    rig.tell(COORDINATOR, What::Sent(&task_message(&meant)));
    rig.expect_fine();
    rig.tell(COORDINATOR, What::CoordinatorOutput(rig.now(), &Output::Publish(meant.clone())));
    let other = quorate_core::coordinator::Task { ttl: Duration::from_millis(1), ..meant };
    rig.tell(COORDINATOR, What::Sent(&task_message(&other)));
    rig.expect_violation("sent");
}

/// A coordinator sends a task, its bus refuses it, and the machine receives this cause.
fn refused(rig: &mut Rig, cause: UndeliveredCause) {
    let meant = meant();
    rig.tell(COORDINATOR, What::CoordinatorOutput(rig.now(), &Output::Publish(meant.clone())));
    rig.tell(COORDINATOR, What::Unsent(&task_message(&meant), PublishError::Full));
    let undelivered = Undelivered { task: meant.id, cause };
    rig.tell(COORDINATOR, What::CoordinatorInput(rig.now(), &Input::Undelivered(undelivered)));
}

#[test]
fn a_refusal_by_the_bus_must_be_passed_on() {
    let refused = |cause| {
        let mut rig = Rig::new(super::new);
        rig.tell(COORDINATOR, What::CoordinatorInput(rig.now(), &Input::BusUp));
        refused(&mut rig, cause);
        rig
    };
    refused(UndeliveredCause::QueueFull).expect_fine();
    refused(UndeliveredCause::Disconnected).expect_violation("instead of");
}

/// An outcome without an answer.
fn outcome(number: u64) -> Outcome {
    Outcome::unanswered(request_id(number), query())
}

/// A rig with a driver. Its coordinator has ended request 1, and has then learned that the bus refused a task.
fn ended() -> Rig {
    let at_network = |context: &Context<'_>| super::new(&Context { scenario: context.scenario, depth: Depth::Network });
    let mut rig = Rig::new(at_network);
    rig.tell(COORDINATOR, What::CoordinatorOutput(rig.now(), &Output::Ended(Arc::new(outcome(1)))));
    refused(&mut rig, UndeliveredCause::QueueFull);
    rig
}

#[test]
fn an_outcome_is_sent_once_and_soon() {
    let mut rig = ended();
    rig.tell(COORDINATOR, What::Sent(&outcome_message(&outcome(1))));
    rig.end_coordinator_pass();
    rig.tell(COORDINATOR, What::Stopped);
    rig.expect_fine();

    let mut soon = ended();
    soon.end_coordinator_pass();
    soon.pass(4);
    soon.end_coordinator_pass();
    soon.expect_fine();
    soon.pass(1);
    soon.end_coordinator_pass();
    soon.expect_violation("did not publish");
    let mut untold = ended();
    untold.tell(COORDINATOR, What::Stopped);
    untold.expect_violation("did not publish");

    let mut another = ended();
    another.tell(COORDINATOR, What::Sent(&outcome_message(&outcome(3))));
    another.expect_violation("sent");
    let mut twice = ended();
    twice.tell(COORDINATOR, What::Sent(&outcome_message(&outcome(1))));
    twice.tell(COORDINATOR, What::Sent(&outcome_message(&outcome(1))));
    twice.expect_violation("sent");
}

/// A task that may be packed, and how its driver sends it in a pack.
fn packed(number: u64) -> (quorate_core::coordinator::Task, Message) {
    let task = quorate_core::coordinator::Task {
        id: TaskId(number),
        request: request_id(number),
        may_be_packed: true,
        ..meant()
    };
    let said = Task {
        request: request_id(number),
        query: query(),
        ttl: Duration::from_millis(2),
        attempt: 1,
        packed: Some(task.id),
    };
    let sent = Message { reply: Some("_INBOX.c1.p7".into()), ..message("oracle.tasks.packed", Body::Task(said)) };
    (task, sent)
}

/// A rig whose coordinator has put out two tasks that may be packed, and one that may not after them.
fn packing() -> (Rig, [Message; 2]) {
    let mut rig = Rig::new(super::new);
    let [(first, one), (second, two)] = [packed(2), packed(3)];
    for task in [first, second, meant()] {
        rig.tell(COORDINATOR, What::CoordinatorOutput(rig.now(), &Output::Publish(task)));
    }
    (rig, [one, two])
}

#[test]
fn packed_tasks_are_sent_once_each_after_those_that_go_out_alone() {
    let (mut rig, [one, two]) = packing();
    rig.tell(COORDINATOR, What::Sent(&task_message(&meant())));
    rig.tell(COORDINATOR, What::Sent(&one));
    rig.tell(COORDINATOR, What::Sent(&two));
    rig.end_coordinator_pass();
    // A notice counts for both, once.
    rig.tell(COORDINATOR, What::Received(&message("_INBOX.c1.p7", Body::NoResponders)));
    rig.tell(COORDINATOR, What::Received(&message("_INBOX.c1.p7", Body::NoResponders)));
    for task in [2, 3].map(TaskId) {
        let undelivered = Undelivered { task, cause: UndeliveredCause::NoResponders };
        rig.tell(COORDINATOR, What::CoordinatorInput(rig.now(), &Input::Undelivered(undelivered)));
    }
    rig.end_coordinator_pass();
    rig.expect_fine();

    let (mut lost, [one, _]) = packing();
    lost.tell(COORDINATOR, What::Sent(&task_message(&meant())));
    lost.tell(COORDINATOR, What::Sent(&one));
    lost.end_coordinator_pass();
    lost.expect_violation("did not send an output");
    let (mut twice, [one, two]) = packing();
    for sent in [&one, &two, &one] {
        twice.tell(COORDINATOR, What::Sent(sent));
    }
    twice.expect_violation("not an output of its machine");
    let (mut unpackable, _) = packing();
    let mut sent = task_message(&meant());
    sent.subject = "oracle.tasks.packed".into();
    unpackable.tell(COORDINATOR, What::Sent(&sent));
    unpackable.expect_violation("sent");
}

#[test]
fn a_packed_result_counts_for_the_task_that_it_names() {
    for (said, is_fine) in [(2, true), (3, false)] {
        let (mut rig, [one, two]) = packing();
        for sent in [&task_message(&meant()), &one, &two] {
            rig.tell(COORDINATOR, What::Sent(sent));
        }
        let result = WorkerResult::new(worker_id("w1"), request_id(2), Err("no".into()));
        let result = WorkerResult { packed: Some(TaskId(2)), ..result };
        rig.tell(COORDINATOR, What::Received(&message("_INBOX.c1.p7", Body::Result(result.clone()))));
        let told = result.read_at(rig.now(), Some(TaskId(said)));
        rig.tell(COORDINATOR, What::CoordinatorInput(rig.now(), &Input::Result(told)));
        if is_fine { rig.expect_fine() } else { rig.expect_violation("not the next message") }
    }
}

#[test]
fn a_result_that_is_not_passed_on_is_found() {
    let mut rig = asking();
    rig.tell(COORDINATOR, What::Received(&result_message("oracle.results", "w1", 5)));
    rig.wake_coordinator(2);
    rig.expect_violation("its machine did not");
}

#[test]
fn a_result_that_was_not_received_is_found() {
    let mut rig = asking();
    rig.tell(COORDINATOR, What::Received(&result_message("oracle.results", "w1", 5)));
    rig.coordinator(2, &answer("w1", 1, None, 5));
    rig.expect_fine();
    rig.coordinator(2, &answer("w1", 1, None, 5));
    rig.expect_violation("not the next message");
}

#[test]
fn a_result_passed_on_for_another_task_is_found() {
    let mut rig = asking();
    rig.tell(COORDINATOR, What::Received(&result_message("_INBOX.c1.1", "w1", 5)));
    rig.coordinator(2, &answer("w1", 1, Some(TaskId(2)), 5));
    rig.expect_violation("not the next message");
}

#[test]
fn a_refusal_for_lack_of_room_is_passed_on_as_one() {
    for (meant, said) in [(true, true), (false, false), (true, false), (false, true)] {
        let observed: Result<Value, Arc<str>> = Err("no room".into());
        let result = |overloaded| WorkerResult {
            overloaded,
            ..WorkerResult::new(worker_id("w1"), request_id(1), observed.clone())
        };
        let mut to_coordinator = asking();
        to_coordinator.tell(COORDINATOR, What::Received(&message("oracle.results", Body::Result(result(meant)))));
        let told = result(said).read_at(to_coordinator.now(), None);
        to_coordinator.coordinator(2, &Input::Result(told));

        let mut from_worker = Rig::new(super::new);
        let answer = worker::WorkResult {
            request: request_id(1),
            reply: worker::ReplyTo::Shared,
            observed: observed.clone(),
            overloaded: meant,
            response_time: Duration::ZERO,
            age: None,
            trace: None,
        };
        from_worker.tell(WORKER, What::WorkerOutput(from_worker.now(), &worker::Output::Answer(answer)));
        from_worker.tell(WORKER, What::Sent(&message("oracle.results", Body::Result(result(said)))));
        if meant == said {
            to_coordinator.expect_fine();
            from_worker.expect_fine();
        } else {
            to_coordinator.expect_violation("not the next message");
            from_worker.expect_violation("the output of its machine is");
        }
    }
}

/// The worker's machine puts out an answer of 5 and a live announcement, and the host sends these.
fn worker_says(rig: &mut Rig, value: i64, state: PresenceState) {
    let answer = worker::WorkResult {
        request: request_id(1),
        reply: worker::ReplyTo::Shared,
        observed: Ok(Value::Number(5.into())),
        overloaded: false,
        response_time: Duration::from_millis(3),
        age: Some(Duration::from_micros(1_500_900)),
        trace: None,
    };
    rig.tell(WORKER, What::WorkerOutput(rig.now(), &worker::Output::Answer(answer)));
    rig.tell(WORKER, What::Sent(&result_message("oracle.results", "w1", value)));
    rig.tell(WORKER, What::WorkerOutput(rig.now(), &worker::Output::Announce(PresenceState::Live)));
    let announcement = message("oracle.workers", Body::Presence(announcement("w1", state)));
    rig.tell(WORKER, What::Unsent(&announcement, PublishError::Disconnected));
    rig.settled_worker();
}

#[test]
fn a_worker_sends_what_its_machine_wants_sent() {
    let mut rig = Rig::new(super::new);
    worker_says(&mut rig, 5, PresenceState::Live);
    rig.expect_fine();
    worker_says(&mut rig, 6, PresenceState::Live);
    rig.expect_violation("the output of its machine is");
    let mut rig = Rig::new(super::new);
    worker_says(&mut rig, 5, PresenceState::Left);
    rig.expect_violation("the output of its machine is");
    let mut rig = Rig::with_faults(super::new, vec![FaultKind::Mischief(WORKER, Mischief::Corrupt, 1)]);
    worker_says(&mut rig, 6, PresenceState::Live);
    rig.expect_fine();
}

#[test]
fn a_worker_announces_what_its_scenario_offers() {
    let mut scenario = Scenario::quiet();
    scenario.cluster.workers[0].offers = vec!["BTC/*".to_owned()];
    for (offer, is_fine) in [(scenario.cluster.workers[0].offer(), true), (Offer::default(), false)] {
        let mut rig = Rig::at(&scenario, Depth::Machines, super::new);
        rig.tell(WORKER, What::WorkerOutput(rig.now(), &worker::Output::Announce(PresenceState::Live)));
        let presence = Presence { offer, ..live("w1") };
        rig.tell(WORKER, What::Sent(&message("oracle.workers", Body::Presence(presence))));
        if is_fine { rig.expect_fine() } else { rig.expect_violation("the output of its machine is") }
    }
}

#[test]
fn a_call_is_answered() {
    let call = Message { reply: Some("_INBOX.c1.ping".into()), ..message("$SRV.PING.quorate-worker", Body::Ping) };
    let mut rig = Rig::new(super::new);
    rig.tell(WORKER, What::Received(&call));
    rig.tell(WORKER, What::Sent(&message("_INBOX.c1.ping", Body::Presence(live("w1")))));
    rig.end_worker_pass();
    rig.expect_fine();
    rig.tell(WORKER, What::Received(&call));
    rig.end_worker_pass();
    rig.expect_violation("did not answer");
}
