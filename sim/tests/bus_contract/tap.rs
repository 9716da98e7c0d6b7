//! Taps: they see what a program does with its bus, and that it is the same in every run.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use quorate_runtime::bus::{Bus, Headers, Message, PublishError, Subscription};
use quorate_sim::network::broker::BrokerSettings;
use quorate_sim::network::bus::{BusTap, SimBus, SimBusSettings};
use quorate_sim::random::{Random, Stream};
use quorate_test_support::bus_contract::{Harness, connected, publish, receive, subscribe};
use tokio::time::sleep;

use crate::links::Failure;
use crate::{SimHarness, roomy, simulate};

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
        self.notes.lock().expect("the lock is not poisoned").push(note);
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
        assert_eq!(*notes.notes.lock().expect("the lock is not poisoned"), expected);
    });
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
        std::mem::take(&mut *notes.notes.lock().expect("the lock is not poisoned"))
    };
    let (first, second) = (run(), run());
    assert!(first.iter().filter(|note| note.starts_with("received")).count() > 1000);
    assert!(first == second, "the two runs differ");
}
