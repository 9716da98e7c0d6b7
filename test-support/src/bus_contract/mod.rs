//! The contract of the bus as a set of checks, each a function that runs against one implementation.
//!
//! [`bus_contract!`](crate::bus_contract!) lists them, so that each implementation is held to all of them.

#[allow(missing_docs, reason = "a check says by its name what it checks")]
pub mod delivery;
mod harness;
#[allow(missing_docs, reason = "a check says by its name what it checks")]
pub mod headers;
#[allow(missing_docs, reason = "a check says by its name what it checks")]
pub mod limits;
#[allow(missing_docs, reason = "a check says by its name what it checks")]
pub mod outage;

pub use harness::{
    DEFAULT_CAPACITY, Harness, Next, connected, eventually, publish, publish_patiently, receive, receive_own,
    receives_nothing, soon, subscribe, text,
};

/// Hands all checks to the macro `$each`, as `file::check file::check ...`.
#[macro_export]
macro_rules! bus_contract {
    ($each:ident) => {
        $each! {
            delivery::messages_of_a_publisher_arrive_at_most_once_and_in_order
            delivery::a_message_arrives_as_it_was_published
            delivery::wildcards_match_tokens
            delivery::one_member_of_a_queue_group_receives_a_message
            delivery::every_plain_subscriber_receives_a_message
            delivery::a_publisher_hears_that_nobody_is_subscribed
            delivery::a_dropped_subscription_is_unsubscribed
            delivery::a_cancelled_receive_loses_no_message
            headers::headers_arrive_with_their_message_and_with_no_other
            headers::as_many_headers_arrive_as_a_message_may_have
            headers::the_notice_that_nobody_is_subscribed_has_no_headers
            headers::headers_count_towards_the_size_of_a_message
            outage::a_publish_while_disconnected_is_refused
            outage::nothing_published_before_or_during_an_outage_is_delivered_after_it
            outage::subscriptions_survive_outages
            outage::a_subscription_made_in_an_outage_starts_with_the_next_connection
            outage::the_status_counts_connections
            limits::a_slow_subscriber_loses_the_newest_and_recovers
            limits::a_burst_a_slow_subscriber_loses_is_counted
            limits::what_is_expendable_leaves_half_of_the_outgoing_queue
            limits::an_oversized_message_is_refused
            limits::an_invalid_subject_is_refused
        }
    };
}
