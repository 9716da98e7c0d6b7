//! The metrics of a coordinator, at `GET /metrics`.
//!
//! Most of them are counters of the machine, which `families.rs` reads on demand. Only what the machine does not count
//! is recorded here, without a lock: how requests ended (`ended.rs`, by a tap of the driver) and the HTTP responses
//! (`responses.rs`), and how the calls of the store ended (`store.rs`). No label takes a value from callers or workers.
//! `feeds.rs` and `durable.rs` add what a coordinator with a store has.

mod durable;
mod edge;
mod ended;
mod families;
mod feeds;
mod page;
mod responses;
mod store;

pub use edge::LimiterCounts;
pub(crate) use edge::{ConnectionCounts, Edge};
pub use ended::EndedTap;
pub use page::CONTENT_TYPE;
pub(crate) use responses::Responses;
pub(crate) use store::Counted;

use std::sync::Arc;
use std::time::SystemTime;

use quorate_core::time::UnixTime;

use crate::clock::Clock;
use crate::driver::Snapshot;
use crate::durable::DurableHandle;
use crate::feeds::Board;
use ended::Ended;
use page::Page;
use store::StoreCounts;

/// What a coordinator with a store keeps.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Kept<'a> {
    /// The feeds; empty if there are none.
    pub(crate) board: &'a Board,
    pub(crate) durable: Option<&'a DurableHandle>,
    pub(crate) now: UnixTime,
}

/// What is recorded for `GET /metrics` besides the counters of the machine.
#[derive(Debug)]
pub struct Metrics {
    started: SystemTime,
    ended: Arc<Ended>,
    /// Only if there is a store.
    store: Option<Arc<StoreCounts>>,
}

impl Metrics {
    /// Metrics of a process that starts now.
    pub fn new(clock: &Clock) -> Self {
        Self { started: clock.wall(), ended: Arc::default(), store: None }
    }

    /// A tap that records the ended requests of a coordinator.
    pub fn tap(&self) -> EndedTap {
        EndedTap::new(Arc::clone(&self.ended))
    }

    /// The store of this process, whose calls are counted.
    pub(crate) fn counted<S>(&mut self, store: S) -> Counted<S> {
        let counts = self.store.get_or_insert_default();
        Counted::new(store, Arc::clone(counts))
    }

    /// All metrics, in Prometheus' text format.
    pub(crate) fn show(&self, snapshot: &Snapshot, edge: &Edge, responses: &Responses, kept: Kept<'_>) -> String {
        let mut page = Page::default();
        families::requests(&mut page, snapshot);
        self.ended.show(&mut page);
        families::messages(&mut page, snapshot);
        families::workers(&mut page, snapshot);
        families::bus(&mut page, snapshot);
        families::limiters(&mut page, edge);
        families::connections(&mut page, edge);
        responses.show(&mut page);
        families::process(&mut page, self.started);
        let Kept { board, durable, now } = kept;
        feeds::feeds(&mut page, board, now);
        if let Some(handle) = durable {
            durable::durable(&mut page, handle.standing(), handle.omitted());
        }
        if let Some(store) = &self.store {
            store.show(&mut page);
        }
        page.text()
    }
}
