//! A scenario without faults, for tests to change.

use std::collections::BTreeMap;

use super::{
    Bus, Cluster, Coordinator, Edges, Expectation, Knobs, Network, Policy, Scenario, Settings, Stored, Worker,
    WorkerKnobs,
};

impl Scenario {
    /// A cluster of one coordinator, three workers and one client, without requests and faults.
    pub fn quiet() -> Self {
        let worker = |number| Worker {
            number,
            name: number,
            replicated: false,
            observe_ms: (1, 5),
            fail_permille: 0,
            dated_permille: 0,
            age_ms: (0, 0),
            max_concurrent: 4,
            max_queued: 4,
            max_remembered: 100,
            remember_ms: 10_000,
            announce_ms: 500,
            knobs: WorkerKnobs::default(),
            clock_ms: 0,
            jump: None,
            observed_at: false,
            packs: true,
            offers: Vec::new(),
        };
        Self {
            seed: 1,
            cluster: Cluster {
                coordinators: vec![Coordinator { number: 1, clock_ms: 7_000, jump: None }],
                settings: Settings {
                    policy: Policy { timeout_ms: Some(1000), ..Policy::default() },
                    max_timeout_ms: 60_000,
                    max_workers: 100,
                    max_in_flight: 100,
                    max_waiting: 10,
                    presence_ms: 5_000,
                    stall_ms: 100,
                    redispatch_permille: 500,
                    remember_ms: 10_000,
                    max_remembered: 100,
                    admitted: None,
                    quarantine_below: None,
                    expected: Expectation::default(),
                    policies: Vec::new(),
                    weights: BTreeMap::new(),
                    knobs: Knobs::default(),
                    rate_limit: None,
                },
                workers: (1..=3).map(worker).collect(),
                clients: vec![1],
                adversary: false,
                network: Network { latency_us: (100, 1_000) },
                bus: Bus {
                    keepalive_ms: 1_000,
                    reconnect_ms: (10, 100),
                    broker_queue: 100,
                    publish_queue: 100,
                    subscription_queue: 100,
                },
            },
            requests: Vec::new(),
            faults: Vec::new(),
            edges: Edges::default(),
            stored: Stored::default(),
            heal_ms: 10_000,
        }
    }
}
