//! What a coordinator's driver does with the messages that it receives. Those that cannot be read are counted.

use quorate_core::Coordinator;
use quorate_core::coordinator::{
    Event, Input, Output, Presence, ResultFate, Undelivered, UndeliveredCause, WorkerResult,
};
use quorate_core::id::TaskId;
use tracing::debug;

use super::super::packs::Packs;
use super::super::tap::Tap;
use super::CoordinatorDriver;
use crate::bus::{Bus, Message};
use crate::spans::{Attribute, SpanKind, Tracer};
use crate::wire::{self, PresenceMessage, TraceContext};

impl<B: Bus, T: Tap<Coordinator>> CoordinatorDriver<B, T> {
    /// Handles a message on the reply subject of a task, or of a pack of tasks.
    pub(super) fn reply(&mut self, message: &Message) {
        let token = message.subject.strip_prefix(self.settings.inbox.prefix()).unwrap_or_default();
        if let Some(pack) = Packs::number(token) {
            if message.no_responders {
                let tasks = self.dispatch.unheard(pack);
                self.undelivered(tasks.into_iter().map(unheard));
            } else {
                self.packed_results(message);
            }
        } else if let Ok(task) = token.parse().map(TaskId) {
            if message.no_responders {
                self.undelivered([unheard(task)]);
            } else {
                self.lone_result(message, Some(task));
            }
        } else {
            self.malformed += 1;
        }
    }

    fn packed_results(&mut self, message: &Message) {
        let results = match wire::decode_results(&message.payload, self.clock.wall()) {
            Ok(results) => results,
            Err(error) => return self.bad_result(&error),
        };
        for result in results {
            match result {
                Ok((mut result, context)) => {
                    // On this subject, a result answers a task of this coordinator: the one it names, or else the one of
                    // its request.
                    result.task = result.task.or_else(|| Some(self.machine.task_of(&result.request)));
                    self.result(result, || context);
                }
                Err(error) => self.bad_result(&error),
            }
        }
    }

    /// Handles a result that came alone: on the reply subject of this task, or else on the subject that all coordinators
    /// share.
    pub(super) fn lone_result(&mut self, message: &Message, task: Option<TaskId>) {
        match wire::decode_result(&message.payload, task, self.clock.wall()) {
            Ok(result) => self.result(result, || TraceContext::of_message(&message.headers)),
            Err(error) => self.bad_result(&error),
        }
    }

    fn result(&mut self, result: WorkerResult, context: impl FnOnce() -> Option<TraceContext>) {
        let input = Input::Result(result);
        let outputs = self.machine.input(self.clock.now(), &input);
        let is_late = |output: &Output| matches!(output, Output::Event(Event::Result { fate: ResultFate::Late, .. }));
        if let (Input::Result(result), Some(tracer)) = (&input, &self.tracer)
            && outputs.iter().any(is_late)
        {
            record_late(tracer, context(), result);
        }
    }

    /// Counts a result that cannot be read. Its subject is not logged: it may contain the secret of the inbox.
    fn bad_result(&mut self, error: &wire::WireError) {
        self.malformed += 1;
        debug!(%error, "a result is dropped");
    }

    /// Handles a presence announcement, if it could be read.
    pub(super) fn presence(&mut self, presence: Result<Presence, wire::WireError>) {
        match presence {
            Ok(presence) => self.input(&Input::Presence(presence)),
            Err(error) => {
                self.malformed += 1;
                debug!(%error, "an announcement is dropped");
            }
        }
    }

    /// Handles a worker's reply to a ping. The notice that no worker listens is ignored.
    pub(super) fn pong(&mut self, message: &Message) {
        if !message.no_responders {
            self.presence(PresenceMessage::decode_ping(&message.payload));
        }
    }
}

/// Nobody listened for a task.
fn unheard(task: TaskId) -> Undelivered {
    Undelivered { task, cause: UndeliveredCause::NoResponders }
}

/// Records a result that arrived after its request had ended, in its own trace.
fn record_late(tracer: &Tracer, context: Option<TraceContext>, result: &WorkerResult) {
    let Some(context) = context else { return };
    if let Some(mut span) = tracer.begin_within("late result", SpanKind::Consumer, context) {
        span.set("quorate.request.id", Attribute::text(&result.request));
        span.set("quorate.worker.id", Attribute::text(&result.worker));
        span.end();
    }
}
