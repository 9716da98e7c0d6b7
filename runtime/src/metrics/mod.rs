//! The metrics of a coordinator, at `GET /metrics`.
//!
//! Most of them are counters of the machine, which `families.rs` reads on demand. Only what the machine does not count
//! is recorded here, without a lock: how requests ended (`ended.rs`, by a tap of the driver) and the HTTP responses
//! (`responses.rs`). No label takes a value from outside.

mod edge;
mod ended;
mod families;
mod page;
mod responses;

pub use edge::LimiterCounts;
pub(crate) use edge::{ConnectionCounts, Edge};
pub use ended::EndedTap;
pub use page::CONTENT_TYPE;
pub(crate) use responses::Responses;

use std::sync::Arc;
use std::time::SystemTime;

use crate::clock::Clock;
use crate::driver::Snapshot;
use ended::Ended;
use page::Page;

/// What is recorded for `GET /metrics` besides the counters of the machine.
#[derive(Debug)]
pub struct Metrics {
    started: SystemTime,
    ended: Arc<Ended>,
}

impl Metrics {
    /// Metrics of a process that starts now.
    pub fn new(clock: &Clock) -> Self {
        Self { started: clock.wall(), ended: Arc::default() }
    }

    /// A tap that records the ended requests of a coordinator.
    pub fn tap(&self) -> EndedTap {
        EndedTap::new(Arc::clone(&self.ended))
    }

    /// All metrics, in Prometheus' text format.
    pub(crate) fn show(&self, snapshot: &Snapshot, edge: &Edge, responses: &Responses) -> String {
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
        page.text()
    }
}
