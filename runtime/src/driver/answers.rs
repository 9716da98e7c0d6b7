//! How a worker's driver sends results: each on its own, or those for a pack of tasks together.

use std::sync::Arc;

use quorate_core::id::WorkerId;
use quorate_core::worker::{ReplyTo, WorkResult};
use tracing::debug;

use super::packs::send_pack;
use crate::bus::{Bus, PublishError};
use crate::wire::{self, Subjects};

/// The results of a pass.
#[derive(Debug)]
pub(super) struct Answers {
    /// Those for packs, which go out together at the end of the pass.
    packed: Vec<WorkResult>,
    /// The most bytes of a pack of results.
    pack_bytes: usize,
    /// The number of results that the bus refused.
    pub(super) unsent: u64,
}

impl Answers {
    pub(super) fn new(pack_bytes: usize) -> Self {
        Self { packed: Vec::new(), pack_bytes, unsent: 0 }
    }

    /// Sends a result, or keeps it for [`flush`](Self::flush).
    pub(super) fn send<B: Bus>(&mut self, bus: &B, worker: &WorkerId, subjects: &Subjects, result: WorkResult) {
        let subject = match &result.reply {
            ReplyTo::Pack { .. } => return self.packed.push(result),
            ReplyTo::Task(subject) => subject,
            ReplyTo::Shared => subjects.results(),
        };
        let body = wire::encode_result(worker, &result);
        let sent = bus.publish_with(subject, None, &wire::trace_headers(result.trace), body);
        self.note_unsent(sent, 1);
    }

    /// Sends what was kept: the results for each pack of tasks together, in as few messages as they fit into.
    pub(super) fn flush<B: Bus>(&mut self, bus: &B, worker: &WorkerId) {
        let mut results = std::mem::take(&mut self.packed);
        if let [first, others @ ..] = &results[..]
            && others.iter().any(|other| subject(other) != subject(first))
        {
            results.sort_by(|one, other| subject(one).cmp(subject(other)));
        }
        for mut rest in results.chunk_by(|one, other| subject(one) == subject(other)) {
            let mut most = self.pack_bytes;
            while let [first, ..] = rest {
                let encode = |results: &[WorkResult], most| wire::encode_results(worker, results, most);
                let (count, sent) = send_pack(rest, &mut most, encode, |body| bus.publish(subject(first), None, body));
                self.note_unsent(sent, count);
                rest = &rest[count..];
            }
        }
        results.clear();
        self.packed = results;
    }

    fn note_unsent(&mut self, sent: Result<(), PublishError>, results: usize) {
        if let Err(error) = sent {
            self.unsent += results as u64;
            debug!(%error, results, "results are not sent");
        }
    }
}

/// The reply subject of the pack that a kept result belongs to.
fn subject(result: &WorkResult) -> &Arc<str> {
    match &result.reply {
        ReplyTo::Pack { subject, .. } => subject,
        ReplyTo::Task(_) | ReplyTo::Shared => unreachable!("only results for packs are kept"),
    }
}
