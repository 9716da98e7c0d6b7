//! What is refused, and what happens when a queue is full.

use bytes::Bytes;
use quorate_runtime::bus::{Bus, BusError, PublishError, Subscription};

use super::{Harness, eventually, publish, publish_patiently, receive, receive_own, receives_nothing, subscribe, text};

pub async fn a_slow_subscriber_loses_the_newest_and_recovers<H: Harness>(harness: H) {
    const CAPACITY: usize = 64;
    const EXCESS: usize = 32;
    let harness = harness.with_capacity(CAPACITY);
    let (bus, publisher) = (harness.connection().await, harness.connection().await);
    let mut slow = subscribe(&bus, "numbers").await;
    let mut fast = subscribe(&bus, "numbers").await;
    for number in 0..CAPACITY + EXCESS {
        publish(&publisher, "numbers", &number.to_string());
        assert_eq!(text(&receive(&mut fast).await), number.to_string());
    }
    eventually("the count of lost messages", || slow.dropped() >= EXCESS as u64).await;
    for number in 0..CAPACITY {
        assert_eq!(text(&receive(&mut slow).await), number.to_string());
    }
    receives_nothing(&bus, &mut slow).await;
    publish(&publisher, "numbers", "after");
    assert_eq!(text(&receive(&mut slow).await), "after");
    assert_eq!((slow.dropped(), fast.dropped()), (EXCESS as u64, 0));
}

pub async fn a_burst_a_slow_subscriber_loses_is_counted<H: Harness>(harness: H) {
    const CAPACITY: usize = 64;
    const BURST: usize = 20_000;
    let harness = harness.with_capacity(CAPACITY);
    let (bus, publisher) = (harness.connection().await, harness.connection().await);
    let mut slow = subscribe(&bus, "numbers").await;
    for number in 0..BURST {
        publish_patiently(&publisher, "numbers", Bytes::from(number.to_string())).await;
    }
    publisher.flush().await;
    bus.flush().await;
    let lost = (BURST - CAPACITY) as u64;
    if H::COUNTS_EVERY_LOSS {
        assert_eq!(slow.dropped(), lost);
    } else {
        eventually("a count of lost messages", || slow.dropped() > 0).await;
        assert!(slow.dropped() <= lost);
    }
    for number in 0..CAPACITY {
        assert_eq!(text(&receive(&mut slow).await), number.to_string());
    }
}

/// A bus without an outgoing queue refuses nothing.
pub async fn what_is_expendable_leaves_half_of_the_outgoing_queue<H: Harness>(harness: H) {
    const BURST: usize = 100_000;
    const ROOM: usize = 8;
    let (_harness, bus) = harness.into_connection().await;
    let mut subscription = subscribe(&bus, "outcomes").await;
    bus.publish_expendable("outcomes", "first".into()).expect("nothing else waits");
    assert_eq!(text(&receive(&mut subscription).await), "first");
    drop(subscription);
    for _ in 0..10 {
        let refused = (0..BURST).find_map(|_| bus.publish_expendable("outcomes", Bytes::new()).err());
        assert!(refused.is_none_or(|error| error == PublishError::Full), "{refused:?}");
        for _ in 0..ROOM {
            bus.publish("tasks", None, Bytes::new()).expect("half of the queue is left");
        }
        bus.flush().await;
    }
}

pub async fn an_oversized_message_is_refused<H: Harness>(harness: H) {
    const MEBIBYTE: usize = 1024 * 1024;
    let (_harness, bus) = harness.into_connection().await;
    let mut subscription = subscribe(&bus, "large").await;
    assert_eq!(bus.publish("large", None, vec![b'x'; MEBIBYTE + 1].into()), Err(PublishError::Refused));
    assert_eq!(bus.publish("large", Some("reply"), vec![b'x'; MEBIBYTE + 1].into()), Err(PublishError::Refused));
    bus.publish("large", None, vec![b'x'; MEBIBYTE].into()).expect("the largest message is taken");
    assert_eq!(receive(&mut subscription).await.payload.len(), MEBIBYTE);
    assert_eq!(bus.status().borrow().connections, 1, "a refusal does not cost the connection");
}

pub async fn an_invalid_subject_is_refused<H: Harness>(harness: H) {
    let (_harness, bus) = harness.into_connection().await;
    let mut all = subscribe(&bus, ">").await;
    for invalid in ["", ".", "a.", ".a", "a..b", "a b", "a\r\nPUB x 0\r\n\r\n", "a\t", "*", "a.>"] {
        assert_eq!(bus.publish(invalid, None, Bytes::new()), Err(PublishError::Refused), "{invalid:?}");
        assert_eq!(bus.publish("a", Some(invalid), Bytes::new()), Err(PublishError::Refused), "{invalid:?}");
    }
    for invalid in ["", "a.", "a..b", "a b", "a.>.b", "a*"] {
        let refused = bus.subscribe(invalid, None).await;
        assert!(matches!(refused, Err(BusError::Configuration(_))), "{invalid:?}");
    }
    for invalid in ["", "a b", "a\r\n"] {
        let refused = bus.subscribe("a", Some(invalid)).await;
        assert!(matches!(refused, Err(BusError::Configuration(_))), "{invalid:?}");
    }
    publish(&bus, "valid", "");
    assert_eq!(receive_own(&mut all).await.subject, "valid");
    assert_eq!(bus.status().borrow().connections, 1, "a refusal does not cost the connection");
}
