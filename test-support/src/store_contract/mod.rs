//! The contract of the store as a set of checks, each a function that runs against one implementation.
//!
//! [`store_contract!`](crate::store_contract!) lists them, so that each implementation is held to all of them.

#[allow(missing_docs, reason = "a check says by its name what it checks")]
pub mod append;
mod harness;
#[allow(missing_docs, reason = "a check says by its name what it checks")]
pub mod read;
#[allow(missing_docs, reason = "a check says by its name what it checks")]
pub mod settle;
#[allow(missing_docs, reason = "a check says by its name what it checks")]
pub mod watch;

pub use harness::{
    Harness, append, append_as, append_with, bodies, body_text, entry, eventually, key, last, next_entry, patiently,
    read_all, soon, until_caught_up,
};

/// Hands all checks to the macro `$each`, as `file::check file::check ...`.
#[macro_export]
macro_rules! store_contract {
    ($each:ident) => {
        $each! {
            append::of_many_appends_after_the_same_entry_one_is_stored
            append::an_append_after_another_entry_conflicts_and_stores_nothing
            append::entries_of_all_keys_count_up
            append::some_logs_keep_only_the_last_entry_of_each_key
            append::an_entry_ends_when_its_time_to_live_has_passed
            append::an_entry_that_is_too_large_is_refused
            append::a_key_can_be_any_text
            append::a_body_can_be_any_bytes
            read::last_sees_what_was_just_stored
            read::an_entry_is_found_by_its_sequence_in_its_own_log
            read::pages_by_sequence_hold_every_entry_once
            read::a_page_is_bounded_in_bytes
            read::pages_by_time_begin_with_the_first_entry_of_that_time
            read::nothing_is_read_from_an_empty_log
            settle::an_entry_is_stored_once_although_its_acknowledgement_is_lost
            settle::an_entry_that_is_followed_at_once_is_not_stored_again
            settle::an_entry_that_arrives_late_is_stored_once
            settle::of_two_entries_after_the_same_one_the_other_is_lost
            settle::an_entry_after_one_that_is_gone_is_lost
            settle::without_a_store_nothing_is_claimed
            watch::a_watch_sees_the_newest_entries_then_that_it_has_caught_up_then_what_comes
            watch::a_watch_of_an_empty_log_has_caught_up
            watch::a_watch_sees_every_entry_of_a_log_that_keeps_all
            watch::a_watch_sees_the_last_entry_of_every_key
            watch::a_cancelled_wait_loses_no_entry
        }
    };
}
