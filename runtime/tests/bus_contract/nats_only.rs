//! What only the bus over NATS does: it connects to servers, logs in, leaves no task behind, and closes.

use std::io::Write;

use bytes::Bytes;
use quorate_runtime::bus::nats::{NatsBus, NatsConfig};
use quorate_runtime::bus::{Bus, BusError, PublishError, Subscription};
use quorate_test_support::NatsServer;
use quorate_test_support::bus_contract::{Harness, connected, eventually, publish, receive, soon, subscribe, text};

use crate::bounded;
use crate::harness::NatsHarness;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_outage_leaves_no_task_behind() {
    bounded(async {
        let (mut harness, bus) = NatsHarness::start().into_connection().await;
        // Never read: the receiving ends of old sessions must not keep anything alive either.
        let unread = subscribe(&bus, "a").await;
        let tasks = || tokio::runtime::Handle::current().metrics().num_alive_tasks();
        let before = tasks();
        for _ in 0..5 {
            harness.outage();
            connected(&bus, false).await;
            eventually("the end of the session's tasks", || tasks() < before).await;
            harness.heal();
            connected(&bus, true).await;
            publish(&bus, "a", "");
            bus.flush().await;
            eventually("the same number of tasks as before", || tasks() == before).await;
        }
        drop((bus, unread));
        eventually("the end of all tasks", || tasks() == 0).await;
    })
    .await;
}

#[tokio::test]
async fn a_server_that_comes_up_later_is_found() {
    bounded(async {
        let mut harness = NatsHarness::start();
        harness.outage();
        let bus = harness.open();
        let mut subscription = subscribe(&bus, "a").await;
        assert_eq!(bus.publish("a", None, Bytes::new()), Err(PublishError::Disconnected));
        harness.heal();
        connected(&bus, true).await;
        publish(&bus, "a", "hello");
        assert_eq!(text(&receive(&mut subscription).await), "hello");
    })
    .await;
}

#[tokio::test]
async fn another_server_takes_over() {
    bounded(async {
        let mut servers = [NatsServer::start(), NatsServer::start()];
        let urls = servers.iter().map(NatsServer::url).collect();
        let bus = NatsBus::connect(NatsConfig { urls, ..NatsConfig::default() }).expect("the addresses are valid");
        let mut subscription = subscribe(&bus, "a").await;
        connected(&bus, true).await;
        for round in 0..4 {
            let down = round % 2;
            servers[down].kill();
            let mut status = bus.status();
            // Whichever server the bus was on, a message comes back once it is on the remaining one.
            soon("the return of a message", async {
                loop {
                    status.wait_for(|status| status.connected).await.expect("the bus is open");
                    let _refused = bus.publish("a", None, Bytes::from(round.to_string()));
                    bus.flush().await;
                    if subscription.try_recv().is_some_and(|message| text(&message) == round.to_string()) {
                        return;
                    }
                    tokio::task::yield_now().await;
                }
            })
            .await;
            servers[down].restart();
        }
    })
    .await;
}

#[tokio::test]
async fn user_and_password_in_the_address_log_in() {
    bounded(async {
        let server = NatsServer::start_with(&["--user", "us@er", "--pass", "p%ss"]);
        let url = server.url().replace("nats://", "nats://us%40er:p%25ss@");
        let bus = NatsBus::connect(NatsConfig::new(url)).expect("the address is valid");
        connected(&bus, true).await;
    })
    .await;
}

#[tokio::test]
async fn a_token_in_the_address_logs_in() {
    bounded(async {
        let server = NatsServer::start_with(&["--auth", "s3cret"]);
        let url = server.url().replace("nats://", "nats://s3cret@");
        let bus = NatsBus::connect(NatsConfig::new(url)).expect("the address is valid");
        connected(&bus, true).await;
    })
    .await;
}

#[tokio::test]
async fn an_unusable_configuration_is_an_error_without_secrets() {
    let mut garbage = tempfile::NamedTempFile::new().expect("a temporary file");
    garbage.write_all(b"no credentials").expect("a temporary file can be written");
    let default = NatsConfig::default;
    for config in [
        NatsConfig::new("http://u:s3cret@localhost"),
        NatsConfig::new("nats://u:s3cret@localhost:port"),
        NatsConfig { urls: Vec::new(), ..default() },
        NatsConfig { credentials_file: Some("no such file".into()), ..default() },
        NatsConfig { credentials_file: Some(garbage.path().into()), ..default() },
        NatsConfig { publish_capacity: 0, ..default() },
    ] {
        let error = NatsBus::connect(config).expect_err("the configuration is unusable");
        assert!(matches!(error, BusError::Configuration(_)));
        assert!(!error.to_string().contains("s3cret"), "{error}");
    }
}

#[tokio::test]
async fn closing_sends_what_was_published_and_ends_subscriptions() {
    bounded(async {
        let harness = NatsHarness::start();
        let (bus, other) = (harness.connection().await, harness.connection().await);
        let mut own = subscribe(&bus, "own").await;
        let mut others = subscribe(&other, "last.words").await;
        publish(&bus, "own", "still in the queue");
        for number in 0..1_000 {
            publish(&bus, "last.words", &number.to_string());
        }
        bus.close().await;
        for number in 0..1_000 {
            assert_eq!(text(&receive(&mut others).await), number.to_string());
        }
        assert_eq!(bus.publish("last.words", None, Bytes::new()), Err(PublishError::Disconnected));
        assert!(matches!(bus.subscribe("own", None).await, Err(BusError::Closed)));
        assert_eq!(text(&receive(&mut own).await), "still in the queue");
        assert_eq!(soon("the end of the subscription", own.recv()).await, None);
        bus.close().await;
    })
    .await;
}

#[tokio::test]
async fn dropping_the_last_clone_ends_subscriptions() {
    bounded(async {
        let (mut harness, bus) = NatsHarness::start().into_connection().await;
        let mut subscription = subscribe(&bus, "a").await;
        drop(bus.clone());
        publish(&bus, "a", "one clone is left");
        assert_eq!(text(&receive(&mut subscription).await), "one clone is left");
        drop(bus);
        assert_eq!(soon("the end of the subscription", subscription.recv()).await, None);

        let bus = harness.connection().await;
        let mut subscription = subscribe(&bus, "a").await;
        harness.outage();
        connected(&bus, false).await;
        drop(bus);
        assert_eq!(soon("the end of the subscription", subscription.recv()).await, None);
    })
    .await;
}
