//! The bus over NATS against servers that are driven by hand: what it does if they lose connections at once, or are
//! silent, late or unwilling.

mod sessions;
mod supervisor;

use std::time::Duration;

use quorate_runtime::bus::nats::{NatsBus, NatsConfig};
use quorate_test_support::nats_by_hand::ServerByHand;

/// A bus that waits for nothing but what its test is about.
fn bus(servers: &[&ServerByHand], change: impl FnOnce(&mut NatsConfig)) -> NatsBus {
    let patient = Duration::from_mins(1);
    let mut config = NatsConfig {
        urls: servers.iter().map(|server| server.url()).collect(),
        connect_timeout: patient,
        ping_interval: patient,
        flush_timeout: patient,
        backoff_min: Duration::from_millis(1),
        backoff_max: Duration::from_millis(1),
        ..NatsConfig::default()
    };
    change(&mut config);
    NatsBus::connect(config).expect("the configuration is valid")
}
