//! Who receives what, and in which order.

use std::time::Duration;

use bytes::Bytes;
use futures_util::FutureExt;
use quorate_runtime::bus::{Bus, Headers, Message, Subscription};

use super::{Harness, publish, publish_patiently, receive, receive_own, receives_nothing, subscribe, text};

const MESSAGES: u32 = 10_000;

pub async fn messages_of_a_publisher_arrive_at_most_once_and_in_order<H: Harness>(harness: H) {
    let receiver = harness.connection().await;
    let mut subscription = subscribe(&receiver, "numbers.*").await;
    let publishers: Vec<_> = futures_util::future::join_all((0..2).map(|_| harness.connection())).await;
    let tasks = publishers.into_iter().zip(["numbers.a", "numbers.b"]).map(|(bus, subject)| {
        tokio::spawn(async move {
            for number in 0..MESSAGES {
                publish_patiently(&bus, subject, Bytes::from(number.to_string())).await;
            }
            bus.flush().await;
        })
    });
    let tasks: Vec<_> = tasks.collect();
    let (mut expected_a, mut expected_b) = (0..MESSAGES, 0..MESSAGES);
    for _ in 0..2 * MESSAGES {
        let message = receive(&mut subscription).await;
        let expected = if message.subject == "numbers.a" { &mut expected_a } else { &mut expected_b };
        assert_eq!(text(&message), expected.next().expect("no more than were published").to_string());
    }
    for task in tasks {
        task.await.expect("the publisher does not panic");
    }
    receives_nothing(&receiver, &mut subscription).await;
    assert_eq!(subscription.dropped(), 0);
}

pub async fn a_message_arrives_as_it_was_published<H: Harness>(harness: H) {
    let (_harness, bus) = harness.into_connection().await;
    let mut subscription = subscribe(&bus, "a.b").await;
    let payload = Bytes::from_static(b"\x00\xff\r\nPUB x 1\r\n");
    bus.publish("a.b", Some("an.answer"), payload.clone()).expect("the bus is connected");
    bus.publish("a.b", None, Bytes::new()).expect("the bus is connected");
    let message = |reply: Option<&str>, payload| {
        let (subject, reply) = ("a.b".to_owned(), reply.map(str::to_owned));
        Message { subject, reply, headers: Headers::default(), payload, no_responders: false }
    };
    let (with_reply, empty) = (message(Some("an.answer"), payload), message(None, Bytes::new()));
    assert_eq!(receive(&mut subscription).await, with_reply);
    assert_eq!(receive(&mut subscription).await, empty);
}

pub async fn wildcards_match_tokens<H: Harness>(harness: H) {
    let (_harness, bus) = harness.into_connection().await;
    let published = ["x", "x.b", "x.b.c", "b.b", "x.c"];
    for (pattern, expected) in [
        ("x.b", vec!["x.b"]),
        ("x.*", vec!["x.b", "x.c"]),
        ("*.b", vec!["x.b", "b.b"]),
        ("x.>", vec!["x.b", "x.b.c", "x.c"]),
        ("x.*.c", vec!["x.b.c"]),
        (">", published.to_vec()),
    ] {
        let mut subscription = subscribe(&bus, pattern).await;
        for subject in published {
            publish(&bus, subject, "");
        }
        for expected in expected {
            assert_eq!(receive_own(&mut subscription).await.subject, expected, "{pattern}");
        }
        // A subscription to everything also receives what a bus sends to itself.
        if pattern != ">" {
            receives_nothing(&bus, &mut subscription).await;
        }
    }
}

pub async fn one_member_of_a_queue_group_receives_a_message<H: Harness>(harness: H) {
    let (bus, other) = (harness.connection().await, harness.connection().await);
    let mut members = Vec::new();
    for bus in [&bus, &other, &other] {
        members.push(bus.subscribe("tasks", Some("replicas")).await.expect("the subscription is valid"));
    }
    let mut lone_group = bus.subscribe("tasks", Some("others")).await.expect("the subscription is valid");
    let mut plain = subscribe(&bus, "tasks").await;
    other.flush().await;
    for number in 0..300 {
        publish(&bus, "tasks", &number.to_string());
    }
    for number in 0..300 {
        assert_eq!(text(&receive(&mut plain).await), number.to_string());
        assert_eq!(text(&receive(&mut lone_group).await), number.to_string());
    }
    let mut received = Vec::new();
    while received.len() < 300 {
        let next = futures_util::future::select_all(members.iter_mut().map(|member| receive(member).boxed_local()));
        let (message, ..) = next.await;
        received.push(text(&message).parse::<u32>().expect("it is a number"));
    }
    for member in &mut members {
        receives_nothing(&bus, member).await;
    }
    received.sort_unstable();
    assert_eq!(received, (0..300).collect::<Vec<_>>());
}

pub async fn every_plain_subscriber_receives_a_message<H: Harness>(harness: H) {
    let (bus, other) = (harness.connection().await, harness.connection().await);
    let mut subscriptions =
        [subscribe(&bus, "news").await, subscribe(&bus, "news").await, subscribe(&other, "news").await];
    publish(&bus, "news", "one");
    publish(&bus, "news", "two");
    for subscription in &mut subscriptions {
        assert_eq!(text(&receive(subscription).await), "one");
        assert_eq!(text(&receive(subscription).await), "two");
    }
}

pub async fn a_publisher_hears_that_nobody_is_subscribed<H: Harness>(harness: H) {
    let (bus, other) = (harness.connection().await, harness.connection().await);
    let mut answers = subscribe(&bus, "answers.*").await;
    let mut others_answers = subscribe(&other, "answers.*").await;
    // The publisher hears it, no matter which connection subscribed first.
    for (publisher, own) in [(&bus, &mut answers), (&other, &mut others_answers)] {
        publisher.publish("nobody", Some("answers.1"), Bytes::from_static(b"?")).expect("the bus is connected");
        let (subject, headers, payload) = ("answers.1".to_owned(), Headers::default(), Bytes::new());
        assert_eq!(receive(own).await, Message { subject, reply: None, headers, payload, no_responders: true });
    }
    receives_nothing(&bus, &mut answers).await;
    receives_nothing(&other, &mut others_answers).await;

    let mut service = subscribe(&other, "somebody").await;
    bus.publish("somebody", Some("answers.2"), Bytes::new()).expect("the bus is connected");
    assert_eq!(receive(&mut service).await.reply.as_deref(), Some("answers.2"));
    publish(&bus, "nobody", "without a reply subject");
    receives_nothing(&bus, &mut answers).await;
    receives_nothing(&other, &mut others_answers).await;
}

pub async fn a_dropped_subscription_is_unsubscribed<H: Harness>(harness: H) {
    let (bus, other) = (harness.connection().await, harness.connection().await);
    let mut answers = subscribe(&bus, "answers").await;
    for group in [None, Some("group")] {
        let subscription = other.subscribe("tasks", group).await.expect("the subscription is valid");
        other.flush().await;
        drop(subscription);
        other.flush().await;
        bus.publish("tasks", Some("answers"), Bytes::new()).expect("the bus is connected");
        assert!(receive(&mut answers).await.no_responders);
    }
}

pub async fn a_cancelled_receive_loses_no_message<H: Harness>(harness: H) {
    let (_harness, bus) = harness.into_connection().await;
    let mut subscription = subscribe(&bus, "numbers").await;
    for number in 0..100 {
        publish(&bus, "numbers", &number.to_string());
    }
    for number in 0..100 {
        let message = loop {
            // Polled once and dropped.
            if let Some(message) = subscription.recv().now_or_never() {
                break message.expect("the bus is open");
            }
            // Simulated time advances only while all tasks wait.
            tokio::time::sleep(Duration::from_millis(1)).await;
        };
        assert_eq!(text(&message), number.to_string());
    }
}
