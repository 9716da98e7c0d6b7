//! What an outage loses, and what it must not bring back.

use std::sync::{Arc, Mutex};

use bytes::Bytes;
use quorate_runtime::bus::{Bus, Message, PublishError, Subscription};

use super::harness::Stop;
use super::{Harness, Next, connected, publish, receive, receives_nothing, subscribe, text};

pub async fn a_publish_while_disconnected_is_refused<H: Harness>(harness: H) {
    let (mut harness, bus) = harness.into_connection().await;
    let mut subscription = subscribe(&bus, "a").await;
    harness.outage();
    connected(&bus, false).await;
    for _ in 0..100 {
        assert_eq!(bus.publish("a", None, Bytes::from_static(b"during")), Err(PublishError::Disconnected));
    }
    harness.heal();
    connected(&bus, true).await;
    publish(&bus, "a", "after");
    assert_eq!(text(&receive(&mut subscription).await), "after");
}

/// Publishers publish without pause while the connection breaks several times. After every accepted publish, each notes
/// the current session: the message was accepted in that session or an earlier one.
///
/// The subscription is emptied while it is known to be disconnected. So what it receives after that came over a new
/// connection, and must have been accepted by one.
pub async fn nothing_published_before_or_during_an_outage_is_delivered_after_it<H: Harness>(mut harness: H) {
    const PUBLISHERS: usize = 2;
    const ROUNDS: u64 = 6;
    const MESSAGES_PER_ROUND: usize = 2_000;
    let (publisher, subscriber) = (harness.connection().await, harness.connection().await);
    let mut subscription = subscribe(&subscriber, "burst").await;
    let stop = Stop::default();
    let publishers: Vec<_> = (0..PUBLISHERS)
        .map(|number| {
            let accepted_in = Arc::default();
            let burst = burst::<H>(stop.clone(), publisher.clone(), number, Arc::clone(&accepted_in));
            (H::beside(burst), accepted_in)
        })
        .collect();

    let mut received: Vec<(u64, Message)> = Vec::new();
    for session in 1..=ROUNDS {
        for _ in 0..MESSAGES_PER_ROUND {
            received.push((session, receive(&mut subscription).await));
        }
        harness.outage();
        connected(&publisher, false).await;
        connected(&subscriber, false).await;
        received.extend(std::iter::from_fn(|| subscription.try_recv()).map(|message| (session, message)));
        harness.heal();
        connected(&publisher, true).await;
        connected(&subscriber, true).await;
    }
    drop(stop);
    let mut logs = Vec::new();
    for (publisher, accepted_in) in publishers {
        publisher.await.expect("the publisher does not panic");
        logs.push(std::mem::take(&mut *accepted_in.lock().expect("the publisher does not panic")));
    }

    let stale: Vec<_> = received
        .iter()
        .filter_map(|(received_in, message)| {
            let (publisher, number) = text(message).split_once(' ').expect("a publisher and a number");
            let accepted_in =
                logs[publisher.parse::<usize>().expect("a publisher")][number.parse::<usize>().expect("a number")];
            (accepted_in < *received_in).then_some((accepted_in, received_in, number))
        })
        .collect();
    assert!(stale.is_empty(), "{} stale messages, such as {:?}", stale.len(), &stale[..stale.len().min(5)]);
}

/// Each call publishes the number of the publisher and of the message, and notes the latest session in which the
/// message can have been accepted.
fn burst<H: Harness>(
    stop: Stop,
    bus: H::Bus,
    publisher: usize,
    accepted_in: Arc<Mutex<Vec<u64>>>,
) -> impl FnMut() -> Next + Send + 'static {
    let status = bus.status();
    move || {
        if stop.is_wanted() {
            return Next::Stop;
        }
        let mut accepted_in = accepted_in.lock().expect("the lock is not poisoned");
        let payload = Bytes::from(format!("{publisher} {}", accepted_in.len()));
        match bus.publish("burst", None, payload) {
            Ok(()) => {
                accepted_in.push(status.borrow().connections);
                Next::Again
            }
            Err(PublishError::Full | PublishError::Disconnected) => Next::Pause,
            Err(PublishError::Refused) => panic!("the message is valid"),
        }
    }
}

pub async fn subscriptions_survive_outages<H: Harness>(mut harness: H) {
    let (bus, other) = (harness.connection().await, harness.connection().await);
    let mut plain = subscribe(&bus, "plain").await;
    let mut wild = subscribe(&bus, "*").await;
    let mut group = bus.subscribe("group", Some("group")).await.expect("the subscription is valid");
    for outage in 1..=3 {
        harness.outage();
        connected(&bus, false).await;
        connected(&other, false).await;
        harness.heal();
        connected(&bus, true).await;
        connected(&other, true).await;
        let payload = outage.to_string();
        publish(&other, "plain", &payload);
        publish(&other, "group", &payload);
        for subscription in [&mut plain, &mut group, &mut wild] {
            assert_eq!(text(&receive(subscription).await), payload);
        }
        assert_eq!(text(&receive(&mut wild).await), payload);
        receives_nothing(&bus, &mut plain).await;
    }
}

pub async fn a_subscription_made_in_an_outage_starts_with_the_next_connection<H: Harness>(harness: H) {
    let (mut harness, bus) = harness.into_connection().await;
    harness.outage();
    connected(&bus, false).await;
    let mut kept = subscribe(&bus, "kept").await;
    let dropped = subscribe(&bus, "dropped").await;
    drop(dropped);
    harness.heal();
    connected(&bus, true).await;
    publish(&bus, "kept", "after");
    assert_eq!(text(&receive(&mut kept).await), "after");
    bus.publish("dropped", Some("kept"), Bytes::new()).expect("the bus is connected");
    assert!(receive(&mut kept).await.no_responders);
}

pub async fn the_status_counts_connections<H: Harness>(harness: H) {
    let (mut harness, bus) = harness.into_connection().await;
    let status = bus.status();
    for connections in 1..=3 {
        let now = *status.borrow();
        assert_eq!((now.connected, now.connections), (true, connections));
        harness.outage();
        connected(&bus, false).await;
        assert_eq!(status.borrow().connections, connections, "an outage is no connection");
        harness.heal();
        connected(&bus, true).await;
    }
}
