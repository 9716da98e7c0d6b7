//! The bus within one process and the bus over NATS, for the checks of the contract.

use std::sync::Mutex;

use quorate_runtime::bus::local::LocalBus;
use quorate_runtime::bus::nats::{NatsBus, NatsConfig};
use quorate_test_support::NatsServer;
use quorate_test_support::bus_contract::{DEFAULT_CAPACITY, Harness};

pub(crate) struct LocalHarness {
    broker: LocalBus,
    connections: Mutex<Vec<LocalBus>>,
}

impl LocalHarness {
    pub(crate) fn start() -> Self {
        Self { broker: LocalBus::with_capacity(DEFAULT_CAPACITY), connections: Mutex::default() }
    }
}

impl Harness for LocalHarness {
    type Bus = LocalBus;
    const COUNTS_EVERY_LOSS: bool = true;

    fn with_capacity(self, capacity: usize) -> Self {
        Self { broker: LocalBus::with_capacity(capacity), ..self }
    }

    fn open(&self) -> LocalBus {
        let bus = self.broker.connection();
        self.connections.lock().expect("the lock is not poisoned").push(bus.clone());
        bus
    }

    fn outage(&mut self) {
        for bus in self.connections.get_mut().expect("the lock is not poisoned") {
            bus.set_connected(false);
        }
    }

    fn heal(&mut self) {
        for bus in self.connections.get_mut().expect("the lock is not poisoned") {
            bus.set_connected(true);
        }
    }
}

pub(crate) struct NatsHarness {
    pub(crate) server: NatsServer,
    capacity: usize,
}

impl NatsHarness {
    pub(crate) fn start() -> Self {
        Self { server: NatsServer::start(), capacity: DEFAULT_CAPACITY }
    }
}

impl Harness for NatsHarness {
    type Bus = NatsBus;
    const COUNTS_EVERY_LOSS: bool = false;

    fn with_capacity(self, capacity: usize) -> Self {
        Self { capacity, ..self }
    }

    fn open(&self) -> NatsBus {
        let config = NatsConfig { subscription_capacity: self.capacity, ..NatsConfig::new(self.server.url()) };
        NatsBus::connect(config).expect("the configuration is valid")
    }

    fn outage(&mut self) {
        self.server.kill();
    }

    fn heal(&mut self) {
        self.server.restart();
    }
}
