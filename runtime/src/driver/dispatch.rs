//! How a coordinator's driver sends tasks: each on its own, or several in a pack.

use std::fmt::Write as _;

use quorate_core::coordinator::{Task, Undelivered, UndeliveredCause};
use quorate_core::id::TaskId;
use tracing::debug;

use super::packs::{Packs, send_pack};
use super::settings::DriverSettings;
use crate::bus::{Bus, PublishError};
use crate::wire;

/// The tasks of a pass.
#[derive(Debug, Default)]
pub(super) struct Dispatch {
    /// Those that may be packed, which go out together when the machine has no further output.
    packable: Vec<Task>,
    packs: Packs,
    /// A buffer for reply subjects.
    reply: String,
}

impl Dispatch {
    /// Sends a task, or keeps it for [`flush`](Self::flush).
    pub(super) fn send<B: Bus>(&mut self, bus: &B, settings: &DriverSettings, task: Task) -> Option<Undelivered> {
        if task.may_be_packed {
            self.packable.push(task);
            return None;
        }
        self.send_alone(bus, settings, &task)
    }

    /// Whether [`flush`](Self::flush) has nothing to send.
    pub(super) fn is_empty(&self) -> bool {
        self.packable.is_empty()
    }

    /// Sends what was kept, in as few packs as it fits into. A task for which there is no other goes out as any other.
    pub(super) fn flush<B: Bus>(&mut self, bus: &B, settings: &DriverSettings) -> Vec<Undelivered> {
        let mut tasks = std::mem::take(&mut self.packable);
        let mut undelivered = Vec::new();
        let mut rest = &tasks[..];
        let mut most = settings.pack_bytes;
        let subject = settings.subjects.packs();
        while rest.len() > 1 && !bus.forbids(subject) {
            self.begin_reply(settings);
            self.packs.write_subject(&mut self.reply);
            let encode = |tasks: &[Task], most| wire::encode_tasks(tasks, &self.reply, most);
            let (count, sent) =
                send_pack(rest, &mut most, encode, |body| bus.publish(subject, Some(&self.reply), body));
            let (packed, others) = rest.split_at(count);
            let ids = packed.iter().map(|task| task.id);
            match sent {
                Ok(()) => self.packs.sent(ids),
                Err(error) => {
                    debug!(%error, count, "a pack of tasks is not sent");
                    undelivered.extend(ids.map(|task| Undelivered { task, cause: cause(error) }));
                }
            }
            rest = others;
        }
        undelivered.extend(rest.iter().filter_map(|task| self.send_alone(bus, settings, task)));
        tasks.clear();
        self.packable = tasks;
        undelivered
    }

    /// The tasks of a pack that reached nobody.
    pub(super) fn unheard(&mut self, pack: u64) -> Box<[TaskId]> {
        self.packs.take(pack)
    }

    fn send_alone<B: Bus>(&mut self, bus: &B, settings: &DriverSettings, task: &Task) -> Option<Undelivered> {
        self.begin_reply(settings);
        write!(self.reply, "{}", task.id.0).expect("a string takes every text");
        let (subject, headers) = (settings.subjects.tasks(), wire::trace_headers(task.trace));
        let error = bus.publish_with(subject, Some(&self.reply), &headers, wire::encode_task(task)).err()?;
        debug!(%error, request = %task.request, "a task is not sent");
        Some(Undelivered { task: task.id, cause: cause(error) })
    }

    fn begin_reply(&mut self, settings: &DriverSettings) {
        self.reply.clear();
        self.reply.push_str(settings.inbox.prefix());
    }
}

/// Why a task that the bus refused reached nobody.
fn cause(error: PublishError) -> UndeliveredCause {
    match error {
        PublishError::Disconnected => UndeliveredCause::Disconnected,
        PublishError::Full | PublishError::Refused => UndeliveredCause::QueueFull,
    }
}
