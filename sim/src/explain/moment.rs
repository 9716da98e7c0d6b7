//! How an event becomes a moment of the timeline.

use quorate_core::{coordinator, worker};

use super::{Kind, Moment, words};
use crate::edge::Edge;
use crate::event::{Body, Event, StoreEvent, What};
use crate::trace::Line;

/// The maximum length of a moment's detail, in characters.
const MAX_DETAIL: usize = 800;

impl Moment {
    /// The moment of an event on a lane; `None` if other events already show it.
    pub(super) fn of(event: &Event<'_>, lane: usize) -> Option<Self> {
        let what = &event.what;
        Some(Self {
            at: event.at,
            lane,
            kind: kind(what)?,
            text: words::event(what),
            detail: detail(event),
            request: request(what).map(words::clean),
            chatter: is_chatter(what),
        })
    }
}

fn kind(what: &What<'_>) -> Option<Kind> {
    Some(match what {
        What::CoordinatorSettled(..) | What::WorkerSettled(..) | What::CoordinatorWoken(_) | What::WorkerWoken(_) => {
            return None;
        }
        What::Started { .. } | What::Crashed | What::Stopping | What::Stopped | What::Edge(Edge::Bus { .. }) => {
            Kind::Process
        }
        What::Edge(_) => return None,
        What::CoordinatorInput(..) | What::CoordinatorOutput(..) | What::WorkerInput(..) | What::WorkerOutput(..) => {
            Kind::Machine
        }
        What::Sent(_) | What::Received(_) => Kind::Message,
        What::Unsent(..) => Kind::Unsent,
        What::Asked(_) | What::Replied(..) | What::Vanished(_) | What::Visited(..) | What::VisitEnded(..) => {
            Kind::Client
        }
        What::FaultBegan(..) | What::FaultEnded(..) => Kind::Fault,
        What::Healed | What::Ended => Kind::Phase,
        What::Panicked(_) => Kind::Violation,
        What::Store(event) => match event {
            StoreEvent::FaultBegan(..) | StoreEvent::FaultEnded(..) => Kind::Fault,
            StoreEvent::Served(..) | StoreEvent::Submitted(..) | StoreEvent::Accepted(..) | StoreEvent::Told(..) => {
                Kind::Client
            }
            StoreEvent::Store(_) | StoreEvent::Published(..) => Kind::Message,
            StoreEvent::Defined(_) | StoreEvent::Asked(..) | StoreEvent::Answered(..) | StoreEvent::Counted(_) => {
                Kind::Machine
            }
        },
    })
}

/// The id of the request that an event names.
fn request<'a>(what: &'a What<'_>) -> Option<&'a str> {
    let id = match what {
        What::Sent(message) | What::Unsent(message, _) | What::Received(message) => match &message.body {
            Body::Task(task) => &task.request,
            Body::Result(result) => &result.request,
            _ => return None,
        },
        What::CoordinatorInput(_, coordinator::Input::Result(result)) => &result.request,
        What::CoordinatorInput(_, coordinator::Input::Submit(submit)) => submit.id.as_ref()?,
        What::CoordinatorOutput(_, coordinator::Output::Publish(task)) => &task.request,
        What::CoordinatorOutput(
            _,
            coordinator::Output::Ended(outcome) | coordinator::Output::Answer { reply: Ok(outcome), .. },
        ) => &outcome.request,
        What::CoordinatorOutput(_, coordinator::Output::Event(event)) => match event {
            coordinator::Event::Dispatched { request, .. }
            | coordinator::Event::Joined { request, .. }
            | coordinator::Event::Replayed { request, .. }
            | coordinator::Event::Redispatched { request, .. }
            | coordinator::Event::Result { request, .. }
            | coordinator::Event::Blamed { request, .. } => request,
            coordinator::Event::Worker { .. } => return None,
        },
        What::WorkerInput(_, worker::Input::Task(task)) => &task.request,
        What::WorkerOutput(_, worker::Output::Answer(result)) => &result.request,
        _ => return None,
    };
    Some(id.as_str())
}

fn is_chatter(what: &What<'_>) -> bool {
    match what {
        What::Sent(message) | What::Unsent(message, _) | What::Received(message) => {
            matches!(message.body, Body::Presence(_) | Body::Ping)
        }
        What::CoordinatorInput(_, input) => matches!(input, coordinator::Input::Presence(_)),
        What::WorkerOutput(_, output) => matches!(output, worker::Output::Announce(_)),
        _ => false,
    }
}

fn detail(event: &Event<'_>) -> String {
    let line = words::clean(&Line(event).to_string());
    match line.char_indices().nth(MAX_DETAIL) {
        Some((end, _)) => format!("{}…", &line[..end]),
        None => line,
    }
}
