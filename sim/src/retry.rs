//! How clients on the machines stage retry and probe: how long they wait, and which coordinator they ask next.

use crate::scenario::{Policy, Request, Scenario};

/// The pause before a client retries, in nanoseconds.
pub(crate) const PAUSE: u64 = 5_000_000;

/// How long a client waits for a reply before it considers it lost, in nanoseconds.
pub(crate) fn client_patience(scenario: &Scenario) -> u64 {
    (2 * scenario.cluster.settings.max_timeout_ms + 200) * 1_000_000
}

/// The coordinator that a client asks after this one failed it.
pub(crate) fn next_coordinator(scenario: &Scenario, coordinator: u8) -> u8 {
    let coordinators = &scenario.cluster.coordinators;
    let place = coordinators.iter().position(|other| other.number == coordinator).unwrap_or(0);
    coordinators.get((place + 1) % coordinators.len().max(1)).map_or(coordinator, |next| next.number)
}

/// The probes, which check that the cluster has recovered from its faults: one for each coordinator.
pub(crate) fn probes(scenario: &Scenario) -> Vec<Request> {
    let Some(client) = scenario.cluster.clients.first() else { return Vec::new() };
    let probe = |number: u8| Request {
        at_ms: 0,
        client: *client,
        coordinator: number,
        query: 0,
        id: None,
        policy: Policy {
            strategy: Some("median".to_owned()),
            min_responses: Some(1),
            timeout_ms: Some(scenario.cluster.settings.max_timeout_ms),
            ..Policy::default()
        },
        gives_up_ms: None,
        retries: 0,
    };
    scenario.cluster.coordinators.iter().map(|coordinator| probe(coordinator.number)).collect()
}
