//! When the phases of a run on the machines stage begin: the healing, the probes, the stop, the end.

use crate::scenario::Scenario;

/// Times in nanoseconds since the run began.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Timing {
    /// All faults have ended.
    pub(crate) healed: u64,
    /// The cluster must have recovered: each coordinator is probed.
    pub(crate) probes: u64,
    /// The processes are told to stop, unless they were told as soon as all probes had their replies.
    pub(crate) stop: u64,
    /// Everything has stopped.
    pub(crate) end: u64,
}

impl Timing {
    pub(crate) fn new(scenario: &Scenario) -> Self {
        let cluster = &scenario.cluster;
        let announce = cluster.workers.iter().map(|worker| worker.announce_ms).max().unwrap_or(0);
        // One side notices a lost connection, then the other; the host reconnects; its worker announces itself; and
        // the presence of the workers that are gone expires.
        let recovery = 3 * cluster.bus.keepalive_ms
            + cluster.bus.reconnect_ms.1
            + announce.max(cluster.settings.presence_ms)
            + 500;
        let probes = scenario.heal_ms + recovery;
        let stop = probes + cluster.settings.max_timeout_ms + 500;
        // The longest that a worker may go on working, its drain grace, and the time to write answers.
        let end = stop + cluster.settings.max_timeout_ms + 1000;
        let nanos = |millis: u64| millis * 1_000_000;
        Self { healed: nanos(scenario.heal_ms), probes: nanos(probes), stop: nanos(stop), end: nanos(end) }
    }
}
