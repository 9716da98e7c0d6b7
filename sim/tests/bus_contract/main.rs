//! The bus contract on the simulated network, and the failures that only a network has.

mod links;
mod tap;

use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use quorate_runtime::bus::{Bus, PublishError, Subscription};
use quorate_sim::network::broker::{self, BrokerControl, BrokerSettings};
use quorate_sim::network::bus::{SimBus, SimBusSettings};
use quorate_sim::random::{Random, Stream};
use quorate_test_support::bus_contract::{
    DEFAULT_CAPACITY, Harness, Next, connected, publish, receive, subscribe, text,
};
use tokio::task::JoinHandle;
use tokio::time::sleep;

const KEEPALIVE: Duration = Duration::from_millis(900);

/// Few enough segments in flight that messages have to wait in the bus when nothing gets through.
const TCP_CAPACITY: usize = 32;

/// The host that the checks run on.
const HOST: &str = "test";

/// A broker on its own host.
struct SimHarness {
    control: BrokerControl,
    capacity: usize,
}

impl SimHarness {
    fn settings(&self) -> SimBusSettings {
        SimBusSettings {
            keepalive: KEEPALIVE,
            reconnect: (Duration::from_millis(20), Duration::from_millis(80)),
            random: Random::new(1, Stream::Reconnect, 0),
            publish_capacity: 16_384,
            subscription_capacity: self.capacity,
            tap: None,
        }
    }
}

impl Harness for SimHarness {
    type Bus = SimBus;
    const COUNTS_EVERY_LOSS: bool = true;

    fn with_capacity(self, capacity: usize) -> Self {
        Self { capacity, ..self }
    }

    fn open(&self) -> SimBus {
        SimBus::connect(self.settings())
    }

    fn outage(&mut self) {
        self.control.refuse(true);
    }

    fn heal(&mut self) {
        self.control.refuse(false);
    }

    /// A step takes no simulated time, so the number of steps per millisecond is bounded.
    fn beside(mut step: impl FnMut() -> Next + Send + 'static) -> JoinHandle<()> {
        const AT_ONCE: usize = 50;
        tokio::spawn(async move {
            loop {
                for _ in 0..AT_ONCE {
                    match step() {
                        Next::Again => {}
                        Next::Pause => break,
                        Next::Stop => return,
                    }
                }
                sleep(Duration::from_millis(1)).await;
            }
        })
    }
}

/// A network with a broker on it.
fn network<'a>(settings: BrokerSettings) -> (turmoil::Sim<'a>, SimHarness) {
    let mut sim = turmoil::Builder::new()
        .rng_seed(1)
        .tcp_capacity(TCP_CAPACITY)
        .tick_duration(Duration::from_millis(1))
        .min_message_latency(Duration::from_millis(1))
        .max_message_latency(Duration::from_millis(3))
        .simulation_duration(Duration::from_mins(5))
        .build();
    let control = BrokerControl::new();
    let controlled = control.clone();
    sim.host(broker::HOST, move || broker::run(settings, controlled.clone()));
    (sim, SimHarness { control, capacity: DEFAULT_CAPACITY })
}

/// Runs a check on a simulated network.
fn simulate<F: Future<Output = ()> + 'static>(settings: BrokerSettings, check: impl FnOnce(SimHarness) -> F) {
    let (mut sim, harness) = network(settings);
    let check = check(harness);
    sim.client(HOST, async {
        check.await;
        Ok(())
    });
    sim.run().expect("no host fails");
}

/// Settings with queues that no check fills by accident.
fn roomy() -> BrokerSettings {
    BrokerSettings { queue: 65_536, keepalive: KEEPALIVE }
}

macro_rules! contract {
    ($($file:ident::$check:ident)*) => {
        mod contract { $(
            #[test]
            fn $check() {
                crate::simulate(crate::roomy(), quorate_test_support::bus_contract::$file::$check);
            }
        )* }
    };
}

quorate_test_support::bus_contract!(contract);

#[test]
fn an_idle_connection_stays() {
    simulate(roomy(), async |harness: SimHarness| {
        let (_harness, bus) = harness.into_connection().await;
        let mut subscription = subscribe(&bus, "a").await;
        sleep(100 * KEEPALIVE).await;
        publish(&bus, "a", "still there");
        assert_eq!(text(&receive(&mut subscription).await), "still there");
        assert_eq!(bus.status().borrow().connections, 1);
    });
}

/// Other hosts lose nothing when one consumer is too slow.
#[test]
fn the_broker_disconnects_a_slow_consumer() {
    const QUEUE: usize = 100;
    simulate(BrokerSettings { queue: QUEUE, ..roomy() }, async |harness: SimHarness| {
        let (slow, fast, publisher) =
            (harness.connection().await, harness.connection().await, harness.connection().await);
        // Each message is delivered to this connection once per subscription.
        let mut slow_ones = Vec::new();
        for _ in 0..=QUEUE {
            slow_ones.push(subscribe(&slow, "a").await);
        }
        let mut fast_one = subscribe(&fast, "a").await;
        publish(&publisher, "a", "one too many");
        connected(&slow, false).await;
        assert_eq!(text(&receive(&mut fast_one).await), "one too many");
        connected(&slow, true).await;
        let connections = |bus: &SimBus| bus.status().borrow().connections;
        assert_eq!([&slow, &fast, &publisher].map(connections), [2, 1, 1]);
        slow_ones.pop();
        slow.flush().await;
        publish(&publisher, "a", "just enough");
        for subscription in &mut slow_ones {
            assert_eq!(text(&receive(subscription).await), "just enough");
        }
    });
}

/// Subscriptions and messages from different hosts overtake each other, so the bus must not report that it is connected
/// before the broker has confirmed its subscriptions.
#[test]
fn a_bus_that_is_connected_has_its_subscriptions() {
    simulate(roomy(), async |harness: SimHarness| {
        let publisher = harness.connection().await;
        for _ in 0..50 {
            let bus = harness.open();
            let mut subscription = bus.subscribe("a", None).await.expect("the subscription is valid");
            connected(&bus, true).await;
            publish(&publisher, "a", "");
            receive(&mut subscription).await;
        }
    });
}

#[test]
fn a_disconnected_client_reconnects() {
    simulate(roomy(), async |harness: SimHarness| {
        let (harness, bus) = harness.into_connection().await;
        let mut subscription = subscribe(&bus, "a").await;
        harness.control.kick_all();
        connected(&bus, false).await;
        connected(&bus, true).await;
        publish(&bus, "a", "back");
        assert_eq!(text(&receive(&mut subscription).await), "back");
    });
}

#[test]
fn a_full_outgoing_queue_is_reported() {
    simulate(roomy(), async |harness: SimHarness| {
        let bus = SimBus::connect(SimBusSettings { publish_capacity: 3, ..harness.settings() });
        connected(&bus, true).await;
        let results: Vec<_> = (0..5).map(|_| bus.publish("a", None, Bytes::new())).collect();
        assert_eq!(results, [Ok(()), Ok(()), Ok(()), Err(PublishError::Full), Err(PublishError::Full)]);
        bus.flush().await;
        publish(&bus, "a", "there is room again");
    });
}

#[test]
fn dropping_the_last_clone_ends_subscriptions_and_tasks() {
    simulate(roomy(), async |mut harness: SimHarness| {
        let tasks = || tokio::runtime::Handle::current().metrics().num_alive_tasks();
        let before = tasks();
        for outage in [false, true] {
            let bus = harness.connection().await;
            let mut subscription = subscribe(&bus, "a").await;
            drop(bus.clone());
            publish(&bus, "a", "one clone is left");
            assert_eq!(text(&receive(&mut subscription).await), "one clone is left");
            if outage {
                harness.outage();
                connected(&bus, false).await;
            }
            drop(bus);
            assert_eq!(subscription.recv().await, None);
            sleep(KEEPALIVE).await;
            assert_eq!(tasks(), before);
            assert_eq!(turmoil::established_tcp_stream_count(), 0);
        }
    });
}

#[test]
fn clients_reconnect_to_a_broker_that_has_crashed_and_restarted() {
    let (mut sim, harness) = network(roomy());
    let (outage, done) = (Arc::new(Mutex::new(false)), Arc::new(Mutex::new(false)));
    let (wanted, finished) = (Arc::clone(&outage), Arc::clone(&done));
    let set = |flag: &Mutex<bool>, value: bool| *flag.lock().expect("the lock is not poisoned") = value;
    let is_set = |flag: &Mutex<bool>| *flag.lock().expect("the lock is not poisoned");
    sim.client(HOST, async move {
        let bus = harness.connection().await;
        let mut subscription = subscribe(&bus, "a").await;
        for round in 0..3 {
            set(&wanted, true);
            connected(&bus, false).await;
            sleep(3 * KEEPALIVE).await;
            set(&wanted, false);
            connected(&bus, true).await;
            publish(&bus, "a", &round.to_string());
            assert_eq!(text(&receive(&mut subscription).await), round.to_string());
        }
        set(&finished, true);
        Ok(())
    });
    let mut crashed = false;
    while !sim.step().expect("no host fails") {
        match (is_set(&outage), crashed) {
            (true, false) => sim.crash(broker::HOST),
            (false, true) => sim.bounce(broker::HOST),
            _ => {}
        }
        crashed = is_set(&outage);
    }
    assert!(is_set(&done));
}
