//! One connection: when it counts as made and as lost, and when a flush is complete.

use std::time::{Duration, Instant};

use quorate_runtime::bus::{Bus, PublishError};
use quorate_test_support::bus_contract::{connected, receive, text};
use quorate_test_support::nats_by_hand::{ClientOp, ServerByHand};

use crate::bus;

#[tokio::test]
async fn a_server_that_falls_silent_is_noticed_in_time() {
    let server = ServerByHand::start().await;
    let bus = bus(&[&server], |config| config.ping_interval = Duration::from_millis(50));
    // From before the connection, because a busy machine may notice late that there is one.
    let begun = Instant::now();
    let silent = server.begin().await;
    connected(&bus, true).await;
    connected(&bus, false).await;
    // The connection is given up at the third unanswered ping, of which the first may be sent at once, and long before the
    // twentieth.
    assert!((2..20).contains(&(begun.elapsed().as_millis() / 50)), "{:?}", begun.elapsed());
    let _next = server.begin().await;
    connected(&bus, true).await;
    drop(silent);
}

#[tokio::test]
async fn a_server_that_gives_signs_of_life_is_kept() {
    let server = ServerByHand::start().await;
    let bus = bus(&[&server], |config| config.ping_interval = Duration::from_millis(10));
    let mut client = server.begin().await;
    let mut pings = 0;
    while pings < 20 {
        let said = client.hear().await;
        pings += u32::from(said == ClientOp::Ping);
        client.serve(&said).await;
    }
    assert_eq!(bus.status().borrow().connections, 1);
}

#[tokio::test]
async fn a_flush_waits_for_its_own_echo() {
    let server = ServerByHand::start().await;
    let bus = bus(&[&server], |_| {});
    let mut client = server.begin().await;
    connected(&bus, true).await;
    let mut others = bus.subscribe("others", None).await.expect("a subscription");
    let flushing = tokio::spawn({
        let bus = bus.clone();
        async move { bus.flush().await }
    });
    let (subject, payload) = loop {
        match client.hear().await {
            ClientOp::Publish { subject, payload } => break (subject, payload),
            said => client.serve(&said).await,
        }
    };
    // The echo of an earlier flush, and then a message for another subscription: once that is received, so is the echo.
    client.deliver(&subject, &[0; 8]).await;
    client.deliver("others", b"after").await;
    assert_eq!(text(&receive(&mut others).await), "after");
    for _ in 0..100 {
        tokio::task::yield_now().await;
    }
    assert!(!flushing.is_finished(), "that was not its own echo");
    client.deliver(&subject, &payload).await;
    flushing.await.expect("no panic");
}

#[tokio::test]
async fn a_flush_ends_with_its_time_or_with_the_connection() {
    let server = ServerByHand::start().await;
    let bus = bus(&[&server], |config| config.flush_timeout = Duration::from_millis(50));
    let client = server.begin().await;
    connected(&bus, true).await;
    let begun = Instant::now();
    bus.flush().await;
    assert!((50..2_000).contains(&begun.elapsed().as_millis()), "{:?}", begun.elapsed());
    drop(client);
    bus.flush().await;
}

#[tokio::test]
async fn every_connection_has_all_subscriptions_before_it_counts_as_made() {
    let server = ServerByHand::start().await;
    let bus = bus(&[&server], |_| {});
    let mut kept = bus.subscribe("kept.*", None).await.expect("a subscription");
    let replicas = bus.subscribe("tasks", Some("replicas")).await.expect("a subscription");
    for connection in 1..=3 {
        let mut client = server.welcome().await;
        let mut subscribed = Vec::new();
        let echo = loop {
            match client.hear().await {
                ClientOp::Subscribe(subject) => subscribed.push(subject),
                said if said.is_echo() => break said,
                said => client.serve(&said).await,
            }
        };
        subscribed.retain(|subject| !subject.starts_with("_INBOX.quorate.echo."));
        assert_eq!(subscribed, ["kept.*", "tasks"]);
        assert_eq!(bus.status().borrow().connections, connection - 1, "the server has not confirmed them");
        client.serve(&echo).await;
        connected(&bus, true).await;
        client.deliver("kept.1", b"hello").await;
        assert_eq!(text(&receive(&mut kept).await), "hello");
        drop(client);
        connected(&bus, false).await;
    }
    drop(replicas);
}

/// There is one thread, so that nothing is sent between two calls.
#[tokio::test]
async fn half_of_the_outgoing_queue_is_kept_for_messages_that_are_not_expendable() {
    let server = ServerByHand::start().await;
    let bus = bus(&[&server], |config| config.publish_capacity = 16);
    let mut client = server.begin().await;
    connected(&bus, true).await;
    tokio::spawn(async move { client.serve_on().await });
    for _ in 0..3 {
        bus.flush().await;
        let taken = (0..16).filter(|_| bus.publish_expendable("outcomes", "".into()).is_ok()).count();
        assert_eq!(taken, 8);
        assert_eq!(bus.publish_expendable("outcomes", "".into()), Err(PublishError::Full));
        let taken = (0..16).filter(|_| bus.publish("tasks", None, "".into()).is_ok()).count();
        assert_eq!(taken, 8);
        assert_eq!(bus.publish("tasks", None, "".into()), Err(PublishError::Full));
    }
}
