//! Makes a scenario from a seed.

use super::{
    Bus, Cluster, Coordinator, Fault, FaultKind, Network, Policy, QUERIES, Request, Scenario, Settings, Worker,
};
use crate::host::Host;
use crate::random::{Random, Stream};

impl Scenario {
    /// The scenario of a seed.
    pub fn generate(seed: u64) -> Self {
        let mut random = Random::new(seed, Stream::Scenario, 0);
        let worker = |number| Worker {
            number,
            name: number,
            replicated: false,
            observe_ms: (10, 50),
            fail_permille: 0,
            max_concurrent: 8,
            max_queued: 64,
            max_remembered: 1000,
            remember_ms: 60_000,
            announce_ms: 1000,
            clock_ms: 0,
        };
        let requests = (1..=6).map(|place| Request {
            at_ms: place * 700,
            client: 1,
            coordinator: 1,
            query: random.below(QUERIES.len() as u64) as u8,
            id: Some(u32::try_from(place).expect("small")),
            policy: Policy::default(),
            gives_up_ms: None,
            retries: 1,
        });
        let requests = requests.collect();
        let mut faults: Vec<_> = (0..3)
            .map(|_| {
                let host = Host::Worker(random.within(1..=3) as u8);
                let kind = match random.below(3) {
                    0 => FaultKind::Crash(host),
                    1 => FaultKind::Partition(host, Host::Broker),
                    _ => FaultKind::SlowSource(host, 500),
                };
                Fault { at_ms: random.within(100..=4000), for_ms: random.within(100..=1000), kind }
            })
            .collect();
        faults.sort_by_key(|fault| fault.at_ms);
        Self {
            seed,
            cluster: Cluster {
                coordinators: vec![Coordinator { number: 1, clock_ms: 0 }],
                settings: Settings {
                    policy: Policy::default(),
                    max_timeout_ms: 5000,
                    max_workers: 100,
                    max_in_flight: 100,
                    max_waiting: 100,
                    presence_ms: 3000,
                    stall_ms: 300,
                    redispatch_permille: 500,
                    remember_ms: 10_000,
                    max_remembered: 1000,
                    admitted: None,
                    cordon_below: None,
                    rate_limit: None,
                },
                workers: (1..=3).map(worker).collect(),
                clients: vec![1],
                adversary: false,
                network: Network { latency_us: (100, 2000) },
                bus: Bus { keepalive_ms: 2000, reconnect_ms: (50, 500), broker_queue: 1000, host_queue: 1000 },
            },
            requests,
            faults,
            heal_ms: 5000,
        }
    }
}
