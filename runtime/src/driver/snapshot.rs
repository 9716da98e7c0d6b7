//! What readers see of a coordinator.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use quorate_core::Coordinator;
use quorate_core::aggregate::Millionths;
use quorate_core::coordinator::{Counters, QueryPolicy, Staffing, WorkerRecord};
use quorate_core::id::WorkerId;
use quorate_core::offer::Offer;
use quorate_core::pattern::Pattern;
use quorate_core::time::Timestamp;

use crate::bus::BusStatus;
use crate::wire::WorkerBody;

/// The pattern that stands for every query.
pub(crate) const EVERYTHING: &str = "*";

/// Whether a coordinator can serve at one moment.
#[derive(Clone, Debug)]
pub struct Readiness {
    /// How many workers are live.
    pub live_workers: usize,
    /// Who is there for each policy.
    pub staffing: Arc<[Staffing]>,
    /// How many requests are in flight.
    pub in_flight: usize,
    /// Whether further requests are refused because the coordinator is about to stop.
    pub draining: bool,
    /// Whether the bus is connected.
    pub bus_connected: bool,
}

/// What a coordinator knows and has counted at one moment.
#[derive(Clone, Debug)]
pub struct Snapshot {
    /// The known workers, in order.
    pub workers: Vec<WorkerView>,
    /// Who is there for each policy.
    pub staffing: Vec<Staffing>,
    /// The policies in force. The first that covers a query applies to it.
    pub policies: Vec<Arc<QueryPolicy>>,
    /// The weights of workers that the operator set.
    pub weights: Arc<BTreeMap<WorkerId, Millionths>>,
    /// The default timeout of a request.
    pub timeout: Duration,
    /// How many requests are in flight.
    pub in_flight: usize,
    /// How many callers wait for an answer. A caller that goes away is removed in the next pass.
    pub callers_waiting: usize,
    /// How many of these callers follow their request.
    pub trails_followed: usize,
    /// Whether further requests are refused because the coordinator is about to stop.
    pub draining: bool,
    /// The connection to the bus.
    pub bus: BusStatus,
    /// Requests that were refused because the queue of requests was full. The machine has not seen them.
    pub refused_busy: u64,
    /// What the machine has counted.
    pub counters: Counters,
    /// Messages that could not be decoded.
    pub messages_malformed: u64,
    /// Outcomes that were not published because the bus was down or its queue full.
    pub outcomes_unpublished: u64,
    /// Messages that the bus dropped because they arrived faster than they were taken.
    pub messages_dropped: u64,
}

impl Snapshot {
    /// The workers that some policy expects by name, and that are not there.
    pub(crate) fn absent(&self) -> BTreeSet<&WorkerId> {
        self.staffing.iter().flat_map(|it| &it.missing).collect()
    }
}

/// One worker as a coordinator sees it.
#[derive(Clone, Debug)]
pub struct WorkerView {
    /// Its name.
    pub id: WorkerId,
    /// What the machine knows about it.
    pub worker: WorkerRecord,
    /// Whether it is in quarantine: its values are shown and not used.
    pub quarantined: bool,
    /// Whether it announced itself and expired without a farewell, not long ago.
    pub lost: bool,
    /// The time since its last message.
    pub last_heard: Duration,
}

impl WorkerView {
    /// What `machine` knows about a worker.
    pub(crate) fn of(machine: &Coordinator, now: Timestamp, id: &WorkerId, worker: &WorkerRecord) -> Self {
        Self {
            id: id.clone(),
            worker: worker.clone(),
            quarantined: machine.is_quarantined(id),
            lost: machine.is_lost(id),
            last_heard: now.since(worker.last_heard),
        }
    }

    /// The queries that it offers, in order: patterns, of which `*` stands for every query.
    pub(crate) fn queries(&self) -> BTreeSet<&str> {
        self.worker.offers().flat_map(patterns_of).collect()
    }

    /// The worker in the form of `GET /workers` and of events.
    pub(crate) fn body(&self) -> WorkerBody<'_> {
        WorkerBody::new(self)
    }
}

/// The patterns of an offer.
fn patterns_of(offer: &Offer) -> Vec<&str> {
    match offer.patterns() {
        [] => vec![EVERYTHING],
        patterns => patterns.iter().map(Pattern::as_str).collect(),
    }
}
