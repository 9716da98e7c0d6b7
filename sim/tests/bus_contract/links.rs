//! Links that fail: the bus notices, and delivers nothing stale afterwards.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use quorate_runtime::bus::{Bus, PublishError, Subscription};
use quorate_sim::network::broker;
use quorate_sim::network::bus::{SimBus, SimBusSettings};
use quorate_test_support::bus_contract::{Harness, connected, publish, receive, receives_nothing, subscribe, text};
use tokio::time::sleep;

use crate::{HOST, KEEPALIVE, SimHarness, network, roomy};

/// How the link between the host and the broker fails.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Failure {
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
    pub(crate) fn begin(self) {
        match self {
            Self::Partition => turmoil::partition(HOST, broker::HOST),
            Self::Deaf => turmoil::partition_oneway(HOST, broker::HOST),
            Self::Mute => turmoil::partition_oneway(broker::HOST, HOST),
            Self::Hold => turmoil::hold(HOST, broker::HOST),
        }
    }

    pub(crate) fn end(self) {
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
        heard.lock().expect("the lock is not poisoned").push(text(&message).to_owned());
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
        heard.lock().expect("the lock is not poisoned").clear();
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
        let heard: Vec<_> = std::mem::take(&mut *heard.lock().expect("the lock is not poisoned"));
        // The two messages of this round, and those that `receives_nothing` publishes.
        let expected = [&*round.to_string(), &*round.to_string(), "", ""];
        assert_eq!(heard, expected, "{failure:?}");
    }
}
