//! Descriptions of the inputs and outputs of the machines.

use quorate_core::coordinator::{self, UndeliveredCause};
use quorate_core::worker;

use super::{left, observed, outcome, presence, state};

pub(super) fn coordinator_input(input: &coordinator::Input) -> String {
    use coordinator::Input;
    match input {
        Input::Submit(submit) => {
            let id = submit.id.as_ref().map_or("any id", |id| id.as_str());
            format!("takes {id} from ticket {}: {}", submit.ticket.0, submit.query)
        }
        Input::Cancel(ticket) => format!("ticket {} is cancelled", ticket.0),
        Input::Result(result) => {
            let task = result.task.map_or_else(|| "shared subject".to_owned(), |task| format!("task {}", task.0));
            format!(
                "takes result {} of {} ({task}): {}",
                result.request,
                result.worker,
                observed(&result.observed, result.age)
            )
        }
        Input::Undelivered(undelivered) => {
            let cause = match undelivered.cause {
                UndeliveredCause::NoResponders => "nobody listens",
                UndeliveredCause::Disconnected => "no bus",
                UndeliveredCause::QueueFull => "the queue is full",
            };
            format!("task {} was not delivered: {cause}", undelivered.task.0)
        }
        Input::Presence(said) => format!("hears that {}", presence(said)),
        Input::WallClock(shown) => format!("the time of day is {} ms after 1970", shown.as_nanos() / 1_000_000),
        Input::Policies(new) => format!("gets {} policies", new.policies.len()),
        Input::BusUp => "bus up".to_owned(),
        Input::BusDown => "bus down".to_owned(),
        Input::Drain => "told to drain".to_owned(),
    }
}

pub(super) fn coordinator_output(output: &coordinator::Output) -> String {
    use coordinator::Output;
    match output {
        Output::Publish(task) => {
            let dispatches = if task.attempt > 1 { "redispatches" } else { "dispatches" };
            format!("{dispatches} {} as task {}, {}", task.request, task.id.0, left(task.ttl))
        }
        Output::CallWorkers => "calls the workers".to_owned(),
        Output::Ended(ended) => format!("{} has ended", ended.request),
        Output::Answer { ticket, reply: Ok(ended) } => format!("answers ticket {}: {}", ticket.0, outcome(ended)),
        Output::Answer { ticket, reply: Err(refusal) } => format!("refuses ticket {}: {refusal}", ticket.0),
        Output::Drained => "drained".to_owned(),
        Output::Event(decided) => coordinator_event(decided),
    }
}

fn coordinator_event(event: &coordinator::Event) -> String {
    use coordinator::Event;
    match event {
        Event::Dispatched { ticket, request } => format!("{request} is dispatched for ticket {}", ticket.0),
        Event::Joined { ticket, request } => format!("ticket {} joins {request}", ticket.0),
        Event::Replayed { ticket, request } => format!("ticket {} receives the outcome of {request}", ticket.0),
        Event::Redispatched { request, attempt } => format!("{request} is redispatched, attempt {attempt}"),
        Event::Result { request, worker, fate } => format!("result {request} of {worker}: {}", fate.name()),
        Event::Blamed { request, worker, blame, before, after } => {
            format!("{worker} is blamed in {request} for {}: its score was {before} and is {after}", blame.name())
        }
        Event::Worker { worker, state, quarantined, suspect } => {
            let quarantined = if *quarantined { ", quarantined" } else { "" };
            let suspect = if *suspect { ", suspect" } else { "" };
            format!("{worker} is {state:?}{quarantined}{suspect}")
        }
    }
}

pub(super) fn worker_input(input: &worker::Input) -> String {
    use worker::Input;
    match input {
        Input::Task(task) => {
            let left = task.ttl.map_or_else(|| "no time limit".to_owned(), left);
            format!("takes task {} ({}, {left})", task.request, task.query)
        }
        Input::Done { job, observed, age, .. } => format!("job {} is done: {}", job.0, self::observed(observed, *age)),
        Input::BusUp => "bus up".to_owned(),
        Input::BusDown => "bus down".to_owned(),
        Input::Drain => "told to drain".to_owned(),
    }
}

pub(super) fn worker_output(output: &worker::Output) -> String {
    use worker::Output;
    match output {
        Output::Start { job, query, time_left, .. } => format!("starts job {}: {query}, {}", job.0, left(*time_left)),
        Output::Abort(job) => format!("aborts job {}", job.0),
        Output::Answer(result) => format!("answers {}: {}", result.request, observed(&result.observed, result.age)),
        Output::Announce(said) => format!("announces that it is {}", state(*said)),
        Output::CloseIntake => "accepts no further tasks".to_owned(),
        Output::Drained => "drained".to_owned(),
    }
}
