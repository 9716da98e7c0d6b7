//! The contract of the bus, held against every implementation: each check runs once per bus, by the same code.
//!
//! `cargo test -p quorate-runtime --test bus_contract nats::` runs those against a real server; it needs a
//! `nats-server`, which `make nats-server` gets.

mod delivery;
mod harness;
mod limits;
mod nats_only;
mod outage;

use std::time::Duration;

/// How long one check may take, on a busy machine.
const CHECK_TIMEOUT: Duration = Duration::from_mins(1);

/// Fails a check that hangs.
async fn bounded(check: impl Future<Output = ()>) {
    tokio::time::timeout(CHECK_TIMEOUT, check).await.expect("a check ends in time");
}

macro_rules! contract {
    ($($file:ident::$check:ident)*) => {
        mod local { $(contract!(@test crate::harness::LocalHarness, $file::$check);)* }
        mod nats { $(contract!(@test crate::harness::NatsHarness, $file::$check);)* }
    };
    (@test $harness:ty, $file:ident::$check:ident) => {
        #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
        async fn $check() {
            crate::bounded(crate::$file::$check::<$harness>()).await;
        }
    };
}

contract! {
    delivery::messages_of_a_publisher_arrive_at_most_once_and_in_order
    delivery::a_message_arrives_as_it_was_published
    delivery::wildcards_match_tokens
    delivery::one_member_of_a_queue_group_receives_a_message
    delivery::every_plain_subscriber_receives_a_message
    delivery::a_publisher_hears_that_nobody_is_subscribed
    delivery::a_dropped_subscription_is_unsubscribed
    delivery::a_cancelled_receive_loses_no_message
    outage::a_publish_while_disconnected_is_refused
    outage::nothing_published_before_or_during_an_outage_is_delivered_after_it
    outage::subscriptions_survive_outages
    outage::a_subscription_made_in_an_outage_starts_with_the_next_connection
    outage::the_status_counts_connections
    limits::a_slow_subscriber_loses_the_newest_and_recovers
    limits::a_burst_a_slow_subscriber_loses_is_counted
    limits::an_oversized_message_is_refused
    limits::an_invalid_subject_is_refused
}
