//! The headers of a message, which travel with its body.

use bytes::Bytes;
use quorate_runtime::bus::{Bus, Headers, MAX_HEADERS, PublishError};

use super::{Harness, publish, receive, receives_nothing, subscribe, text};

const MEBIBYTE: usize = 1024 * 1024;

pub async fn headers_arrive_with_their_message_and_with_no_other<H: Harness>(harness: H) {
    let (bus, other) = (harness.connection().await, harness.connection().await);
    let mut own = subscribe(&bus, "a").await;
    let mut wild = subscribe(&other, "*").await;
    let mut member = other.subscribe("a", Some("group")).await.expect("the subscription is valid");
    other.flush().await;
    let headers = Headers::new([("traceparent", "00-1-2-03"), ("b", "2"), ("A", "é: x"), ("b", "1"), ("b", "")]);
    for reply in [None, Some("an.answer")] {
        publish(&bus, "a", "before");
        bus.publish_with("a", reply, &headers, Bytes::from_static(b"with")).expect("the bus is connected");
        publish(&bus, "a", "after");
        for subscription in [&mut own, &mut member] {
            for (body, headers) in [("before", &Headers::default()), ("with", &headers), ("after", &Headers::default())]
            {
                let message = receive(subscription).await;
                assert_eq!((text(&message), &message.headers), (body, headers));
                assert_eq!(message.reply.as_deref(), reply.filter(|_| body == "with"));
            }
        }
        for body in ["before", "with", "after"] {
            assert_eq!(text(&receive(&mut wild).await), body);
        }
    }
    // A body that looks like headers is not taken for headers.
    publish(&bus, "a", "NATS/1.0\r\na: 1\r\n\r\n");
    assert!(receive(&mut own).await.headers.is_empty());
}

pub async fn as_many_headers_arrive_as_a_message_may_have<H: Harness>(harness: H) {
    let (_harness, bus) = harness.into_connection().await;
    let mut subscription = subscribe(&bus, "a").await;
    let names: Vec<String> = (0..MAX_HEADERS).map(|number| format!("name-{number:02}")).collect();
    let headers = Headers::new(names.iter().map(|name| (name.as_str(), "value")));
    assert_eq!(headers.iter().len(), MAX_HEADERS);
    bus.publish_with("a", None, &headers, Bytes::new()).expect("the bus is connected");
    assert_eq!(receive(&mut subscription).await.headers, headers);
}

pub async fn the_notice_that_nobody_is_subscribed_has_no_headers<H: Harness>(harness: H) {
    let (_harness, bus) = harness.into_connection().await;
    let mut answers = subscribe(&bus, "answers").await;
    let headers = Headers::new([("a", "1")]);
    bus.publish_with("nobody", Some("answers"), &headers, Bytes::new()).expect("the bus is connected");
    let notice = receive(&mut answers).await;
    assert!(notice.no_responders && notice.headers.is_empty(), "{notice:?}");
}

pub async fn headers_count_towards_the_size_of_a_message<H: Harness>(harness: H) {
    let (_harness, bus) = harness.into_connection().await;
    let mut subscription = subscribe(&bus, "large").await;
    let headers = Headers::new([("a", "1"), ("b", "2")]);
    let room = MEBIBYTE - headers.wire_bytes();
    for reply in [None, Some("reply")] {
        let too_large = bus.publish_with("large", reply, &headers, vec![b'x'; room + 1].into());
        assert_eq!(too_large, Err(PublishError::Refused));
    }
    receives_nothing(&bus, &mut subscription).await;
    bus.publish_with("large", None, &headers, vec![b'x'; room].into()).expect("the largest message is taken");
    let message = receive(&mut subscription).await;
    assert_eq!((message.payload.len(), message.headers), (room, headers));
    assert_eq!(bus.status().borrow().connections, 1, "a refusal does not cost the connection");
}
