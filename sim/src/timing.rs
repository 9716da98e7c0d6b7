//! When the parts of a run begin: the faults, the healing, the probes, the end.

use crate::scenario::Scenario;

/// Times in nanoseconds since the run began.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Timing {
    /// All faults end.
    pub(crate) healed: u64,
    /// Everything must be well again: each coordinator is asked.
    pub(crate) probes: u64,
    /// Everything is answered: the processes are told to stop, if they have not been told before.
    pub(crate) stop: u64,
    /// Everything has stopped.
    pub(crate) end: u64,
}

impl Timing {
    pub(crate) fn new(scenario: &Scenario) -> Self {
        let cluster = &scenario.cluster;
        let announce = cluster.workers.iter().map(|worker| worker.announce_ms).max().unwrap_or(0);
        // A lost connection is noticed by the one side, then by the other; the host connects again; its worker announces
        // itself; and whoever is not there any more is forgotten.
        let recovery = 3 * cluster.bus.keepalive_ms
            + cluster.bus.reconnect_ms.1
            + announce.max(cluster.settings.presence_ms)
            + 500;
        let probes = scenario.heal_ms + recovery;
        let stop = probes + cluster.settings.max_timeout_ms + 500;
        // The longest that a worker may work on, its grace, and the time for answers to be written.
        let end = stop + cluster.settings.max_timeout_ms + 1000;
        let nanos = |millis: u64| millis * 1_000_000;
        Self { healed: nanos(scenario.heal_ms), probes: nanos(probes), stop: nanos(stop), end: nanos(end) }
    }
}
