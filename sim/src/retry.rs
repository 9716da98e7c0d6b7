//! How clients retry and probe: which coordinator they ask next, and how long they wait where there is no HTTP.

use crate::scenario::{Cluster, Policy, Request};

/// On the stage without HTTP, the pause before a client retries, in nanoseconds.
pub(crate) const PAUSE: u64 = 5_000_000;

/// On the stage without HTTP, how long a client waits for a reply before it considers it lost, in nanoseconds.
pub(crate) fn client_patience(cluster: &Cluster) -> u64 {
    (2 * cluster.settings.max_timeout_ms + 200) * 1_000_000
}

/// The coordinator that a client asks after this one failed it.
pub(crate) fn next_coordinator(cluster: &Cluster, coordinator: u8) -> u8 {
    let coordinators = &cluster.coordinators;
    let place = coordinators.iter().position(|other| other.number == coordinator).unwrap_or(0);
    coordinators.get((place + 1) % coordinators.len().max(1)).map_or(coordinator, |next| next.number)
}

/// The probes, which check that the cluster has recovered from its faults: one for each coordinator.
pub(crate) fn probes(cluster: &Cluster) -> Vec<Request> {
    let Some(client) = cluster.clients.first() else { return Vec::new() };
    let probe = |number: u8| Request {
        at_ms: 0,
        client: *client,
        coordinator: number,
        query: 0,
        id: None,
        policy: Policy {
            min_responses: Some(1),
            timeout_ms: Some(cluster.settings.max_timeout_ms),
            ..Policy::default()
        },
        gives_up_ms: None,
        retries: 0,
    };
    cluster.coordinators.iter().map(|coordinator| probe(coordinator.number)).collect()
}
