//! When the bus reconnects, and to which server.

use std::time::{Duration, Instant};

use quorate_test_support::bus_contract::connected;
use quorate_test_support::nats_by_hand::ServerByHand;

use crate::bus;

const MIN: Duration = Duration::from_millis(20);
const MAX: Duration = Duration::from_millis(500);

/// The shortest wait after this many failures in a row. A test may measure a longer one, and never a shorter one.
fn shortest(failures: u32) -> Duration {
    MIN.saturating_mul(1 << failures).min(MAX) / 2
}

#[tokio::test]
async fn a_connection_that_is_made_and_lost_at_once_is_retried_less_and_less_often_until_one_lasts() {
    let server = ServerByHand::start().await;
    let _bus = bus(&[&server], |config| (config.backoff_min, config.backoff_max) = (MIN, MAX));
    let mut client = server.begin().await;
    for failures in 1..=6 {
        drop(client);
        let lost = Instant::now();
        client = server.accept().await;
        assert!(lost.elapsed() >= shortest(failures), "{failures}: {:?}", lost.elapsed());
        client.let_in().await;
        client.until_echo().await;
    }
    // A connection that lasts longer than the longest wait resets the number of failures.
    let _over = tokio::time::timeout(MAX + MIN, client.serve_on()).await;
    drop(client);
    let lost = Instant::now();
    drop(server.accept().await);
    assert!(lost.elapsed() < shortest(6), "{:?}", lost.elapsed());
}

#[tokio::test]
async fn a_server_that_refuses_the_login_is_asked_less_and_less_often() {
    let server = ServerByHand::start().await;
    let _bus = bus(&[&server], |config| (config.backoff_min, config.backoff_max) = (MIN, MAX));
    let mut refused: Option<Instant> = None;
    for failures in 0..5 {
        let mut client = server.accept().await;
        if let Some(refused) = refused {
            assert!(refused.elapsed() >= shortest(failures), "{failures}: {:?}", refused.elapsed());
        }
        client.greet().await;
        client.hear().await;
        client.say("-ERR 'Authorization Violation'").await;
        refused = Some(Instant::now());
    }
}

#[tokio::test]
async fn a_server_that_loses_its_connections_at_once_is_left_for_one_that_does_not() {
    for _ in 0..8 {
        let (bad, good) = (ServerByHand::start().await, ServerByHand::start().await);
        // Waits are long enough to be noticed.
        let _bus = bus(&[&bad, &good], |config| config.backoff_max = Duration::from_secs(1));
        let visits = async {
            let mut visits = 0;
            loop {
                drop(bad.begin().await);
                visits += 1;
                assert!(visits < 2, "it is asked again before the other");
            }
        };
        tokio::select! {
            biased;
            client = good.begin() => drop(client),
            () = visits => {}
        }
    }
}

#[tokio::test]
async fn a_server_that_never_greets_does_not_hold_up_the_bus() {
    // Often enough for a silent server to be tried first.
    for _ in 0..5 {
        let servers = [ServerByHand::start().await, ServerByHand::start().await, ServerByHand::start().await];
        let [silent, other, good] = &servers;
        let begun = Instant::now();
        let bus = bus(&[silent, other, good], |config| config.connect_timeout = Duration::from_millis(50));
        let _client = good.begin().await;
        connected(&bus, true).await;
        assert!(begun.elapsed() < Duration::from_secs(4), "{:?}", begun.elapsed());
    }
}
