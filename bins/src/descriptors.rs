//! File descriptors: each connection takes one, and without a free one not even a probe is accepted.

use quorate_runtime::http::ServeLimits;

/// The descriptors for everything but the connections of clients: NATS, the log, the runtime.
const OTHERS: usize = 128;

/// The bounds of the connections, with at most `max_connections_per_peer` of one peer. The total is lower than the
/// default if the system grants too few descriptors.
pub(crate) fn serve_limits(max_connections_per_peer: usize) -> ServeLimits {
    let limits = ServeLimits { max_connections_per_peer, ..ServeLimits::default() };
    within(limits, available(limits.max_connections + OTHERS))
}

/// The limits for a process that may have this many descriptors. At most a quarter of the connections is reserved.
fn within(limits: ServeLimits, descriptors: usize) -> ServeLimits {
    let max_connections = limits.max_connections.min(descriptors.saturating_sub(OTHERS)).max(1);
    let reserved_connections = limits.reserved_connections.min(max_connections / 4);
    ServeLimits { max_connections, reserved_connections, ..limits }
}

/// How many descriptors this process may have, after raising the limit to `wanted` as far as the system allows.
#[cfg(unix)]
fn available(wanted: usize) -> usize {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    let usable = |limit: Option<u64>| limit.map_or(usize::MAX, |limit| usize::try_from(limit).unwrap_or(usize::MAX));
    let Rlimit { current, maximum } = getrlimit(Resource::Nofile);
    if usable(current) >= wanted {
        return usable(current);
    }
    let raised = wanted.min(usable(maximum));
    let limit = Rlimit { current: Some(raised as u64), maximum };
    if setrlimit(Resource::Nofile, limit).is_ok() { raised } else { usable(current) }
}

#[cfg(not(unix))]
fn available(_wanted: usize) -> usize {
    usize::MAX
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn connections_leave_descriptors_for_the_rest_and_places_for_probes() {
        for (descriptors, connections, reserved) in
            [(usize::MAX, 16_384, 256), (16_512, 16_384, 256), (1024, 896, 224), (128, 1, 0), (0, 1, 0)]
        {
            let limits = within(ServeLimits::default(), descriptors);
            assert_eq!((limits.max_connections, limits.reserved_connections), (connections, reserved), "{descriptors}");
        }
    }

    #[test]
    #[cfg(unix)]
    fn what_is_available_is_what_the_system_allows() {
        let limit = rustix::process::getrlimit(rustix::process::Resource::Nofile);
        let maximum = limit.maximum.map_or(usize::MAX, |maximum| usize::try_from(maximum).unwrap_or(usize::MAX));
        assert!(available(64) >= 64 && available(usize::MAX) <= maximum);
    }
}
