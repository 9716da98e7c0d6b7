//! The bus contract on the simulated network, and the failures that only a network has.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use quorate_runtime::bus::{Bus, Headers, Message, PublishError, Subscription};
use quorate_sim::network::broker::{self, BrokerControl, BrokerSettings};
use quorate_sim::network::bus::{BusTap, SimBus, SimBusSettings};
use quorate_sim::random::{Random, Stream};
use quorate_test_support::bus_contract::{
    DEFAULT_CAPACITY, Harness, Next, connected, publish, receive, receives_nothing, subscribe, text,
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

/// How the link between the host and the broker fails.
#[derive(Clone, Copy, Debug)]
enum Failure {
    /// Everything in flight is lost, in both directions.
    Partition,
    /// What the host sends is lost.
    Deaf,
    /// What the broker sends is lost.
    Mute,
    /// Everything in flight is held back.
    Hold,
}

impl Failure {
    fn begin(self) {
        match self {
            Self::Partition => turmoil::partition(HOST, broker::HOST),
            Self::Deaf => turmoil::partition_oneway(HOST, broker::HOST),
            Self::Mute => turmoil::partition_oneway(broker::HOST, HOST),
            Self::Hold => turmoil::hold(HOST, broker::HOST),
        }
    }

    fn end(self) {
        match self {
            Self::Partition | Self::Deaf | Self::Mute => turmoil::repair(HOST, broker::HOST),
            Self::Hold => turmoil::release(HOST, broker::HOST),
        }
    }
}

/// The messages that a host whose link never fails has received so far.
type Heard = Arc<Mutex<Vec<String>>>;

/// Records everything that is published.
async fn witness(settings: SimBusSettings, heard: Heard) -> turmoil::Result {
    let bus = SimBus::connect(settings);
    let mut all = bus.subscribe(">", None).await?;
    while let Some(message) = all.recv().await {
        heard.lock().expect("nobody panics with it").push(text(&message).to_owned());
    }
    Ok(())
}

/// The bus accepts messages until it notices that the link has failed. None of them may arrive after it recovers, on
/// this host or another.
#[test]
fn a_failed_link_is_noticed_by_silence_and_delivers_nothing_stale_after_it() {
    for failure in [Failure::Partition, Failure::Deaf, Failure::Mute, Failure::Hold] {
        let (mut sim, harness) = network(roomy());
        let (heard, settings) = (Heard::default(), harness.settings());
        let known = Arc::clone(&heard);
        sim.host("witness", move || witness(settings.clone(), Arc::clone(&heard)));
        sim.client(HOST, async move {
            fail_and_recover(harness, failure, known).await;
            Ok(())
        });
        sim.run().expect("no host fails");
    }
}

async fn fail_and_recover(harness: SimHarness, failure: Failure, heard: Heard) {
    let (_harness, bus) = harness.into_connection().await;
    let mut plain = subscribe(&bus, "plain.*").await;
    let mut group = bus.subscribe("group", Some("group")).await.expect("the subscription is valid");
    bus.flush().await;
    for round in 1..=3_u64 {
        failure.begin();
        // More than the network takes, so that some messages are in flight and some are queued when the session ends.
        while bus.status().borrow().connected {
            publish(&bus, "plain.stale", "stale");
            publish(&bus, "group", "stale");
            sleep(Duration::from_millis(10)).await;
        }
        assert_eq!(bus.publish("plain.refused", None, Bytes::new()), Err(PublishError::Disconnected));
        // Until the broker has noticed as well: before that it may receive what was held back.
        sleep(2 * KEEPALIVE).await;
        // What arrived before the connection was lost is not stale.
        while plain.try_recv().is_some() || group.try_recv().is_some() {}
        heard.lock().expect("nobody panics with it").clear();
        failure.end();
        connected(&bus, true).await;
        assert_eq!(bus.status().borrow().connections, round + 1, "{failure:?}");
        publish(&bus, "plain.after", &round.to_string());
        publish(&bus, "group", &round.to_string());
        for subscription in [&mut plain, &mut group] {
            assert_eq!(text(&receive(subscription).await), round.to_string(), "{failure:?}");
            receives_nothing(&bus, subscription).await;
        }
        sleep(KEEPALIVE).await;
        let heard: Vec<_> = std::mem::take(&mut *heard.lock().expect("nobody panics with it"));
        // The two messages of this round, and those that `receives_nothing` publishes.
        let expected = [&*round.to_string(), &*round.to_string(), "", ""];
        assert_eq!(heard, expected, "{failure:?}");
    }
}

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

#[derive(Default)]
struct Notes {
    notes: Mutex<Vec<String>>,
    with_times: bool,
}

impl BusTap for Notes {
    fn sent(&self, subject: &str, reply: Option<&str>, _headers: &Headers, _payload: &Bytes) {
        self.note(format!("sent {subject} {reply:?}"));
    }

    fn unsent(&self, subject: &str, _reply: Option<&str>, _payload: &Bytes, error: PublishError) {
        self.note(format!("unsent {subject} {error:?}"));
    }

    fn received(&self, _number: u64, message: &Message) {
        self.note(format!("received {} {}", message.subject, message.no_responders));
    }
}

impl Notes {
    fn note(&self, note: String) {
        let note = if self.with_times { format!("{note} at {:?}", turmoil::elapsed()) } else { note };
        self.notes.lock().expect("no note panics").push(note);
    }
}

#[test]
fn a_tap_sees_what_the_program_does() {
    simulate(roomy(), async |harness: SimHarness| {
        let notes = Arc::new(Notes::default());
        let bus = SimBus::connect(SimBusSettings { tap: Some(Arc::clone(&notes) as _), ..harness.settings() });
        let early = bus.publish("early", None, Bytes::new());
        assert_eq!(early, Err(PublishError::Disconnected));
        connected(&bus, true).await;
        let mut subscription = subscribe(&bus, "a").await;
        bus.publish("nobody", Some("a"), Bytes::new()).expect("the bus is connected");
        receive(&mut subscription).await;
        publish(&bus, "a", "");
        bus.flush().await;
        assert!(subscription.try_recv().is_some());
        let expected = [
            "unsent early Disconnected",
            "sent nobody Some(\"a\")",
            "received a true",
            "sent a None",
            "received a false",
        ];
        assert_eq!(*notes.notes.lock().expect("no note panics"), expected);
    });
}

#[test]
fn clients_reconnect_to_a_broker_that_has_crashed_and_restarted() {
    let (mut sim, harness) = network(roomy());
    let (outage, done) = (Arc::new(Mutex::new(false)), Arc::new(Mutex::new(false)));
    let (wanted, finished) = (Arc::clone(&outage), Arc::clone(&done));
    let set = |flag: &Mutex<bool>, value: bool| *flag.lock().expect("nobody panics with it") = value;
    let is_set = |flag: &Mutex<bool>| *flag.lock().expect("nobody panics with it");
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

/// Compares every message and its time, in a run with every kind of failure.
#[test]
fn a_run_is_the_same_each_time() {
    let run = || {
        let notes = Arc::new(Notes { with_times: true, ..Notes::default() });
        let own = Arc::clone(&notes);
        simulate(BrokerSettings { queue: 40, ..roomy() }, async move |mut harness: SimHarness| {
            let tap: Option<Arc<dyn BusTap>> = Some(own);
            let open = |host| {
                let random = Random::new(7, Stream::Reconnect, host);
                SimBus::connect(SimBusSettings { tap: tap.clone(), random, ..harness.settings() })
            };
            let buses: Vec<_> = (0..5).map(open).collect();
            let mut subscriptions = Vec::new();
            for bus in &buses {
                subscriptions.push(bus.subscribe("a.*", None).await.expect("the subscription is valid"));
                subscriptions.push(bus.subscribe("a.>", Some("group")).await.expect("the subscription is valid"));
            }
            for round in 0..200_u32 {
                for (number, bus) in buses.iter().enumerate() {
                    let _refused = bus.publish(&format!("a.{number}"), Some("a.reply"), Bytes::new());
                }
                match round {
                    20 => harness.control.kick_all(),
                    50 => Failure::Partition.begin(),
                    90 => Failure::Partition.end(),
                    120 => harness.outage(),
                    150 => harness.heal(),
                    _ => {}
                }
                sleep(Duration::from_millis(25)).await;
                for subscription in &mut subscriptions {
                    while subscription.try_recv().is_some() {}
                }
            }
        });
        std::mem::take(&mut *notes.notes.lock().expect("no note panics"))
    };
    let (first, second) = (run(), run());
    assert!(first.iter().filter(|note| note.starts_with("received")).count() > 1000);
    assert!(first == second, "the two runs differ");
}
