//! Which workers a request expects: those that offer its query. Who decides a query that nobody with a record offers.

use quorate_core::coordinator::{Input, Presence, PresenceState, Refusal};
use quorate_core::id::Ticket;
use quorate_core::offer::Offer;
use quorate_core::outcome::Status;
use quorate_core::policy::Overrides;

use crate::support::{Harness, missing, observers, worker};

fn announces(harness: &mut Harness, name: &str, instance: &str, patterns: &[&str]) {
    let offer = Offer::new(patterns.iter().copied()).expect("an offer");
    let presence = Presence { offer, ..Presence::new(worker(name), instance.into(), PresenceState::Live) };
    harness.input(&Input::Presence(presence));
}

/// Two price workers and three block workers on one bus.
fn shared() -> Harness {
    let mut harness = Harness::new();
    for name in ["price-1", "price-2"] {
        announces(&mut harness, name, "", &["BTC/*", "ETH/USD"]);
    }
    for name in ["block-1", "block-2", "block-3"] {
        announces(&mut harness, name, "", &["block/*"]);
    }
    harness
}

/// Asks, and these workers answer.
fn ask(harness: &mut Harness, query: &str, answers: &[(&str, &str)]) -> Ticket {
    let ticket = harness.submit_with(None, query, Overrides::default());
    let task = harness.task();
    for (name, value) in answers {
        harness.says(&task, name, value);
    }
    ticket
}

#[test]
fn a_request_expects_the_workers_that_offer_its_query() {
    let mut harness = shared();
    let blocks = [("block-1", "7"), ("block-2", "7"), ("block-3", "7")];
    let ticket = ask(&mut harness, "BTC/EUR", &[("price-1", "1"), ("price-2", "1")]);
    assert_eq!(observers(&harness.outcome(ticket)), "price-1 price-2");
    let ticket = ask(&mut harness, "block/latest", &blocks);
    let outcome = harness.outcome(ticket);
    assert_eq!((observers(&outcome).as_str(), missing(&outcome).as_str()), ("block-1 block-2 block-3", ""));
    assert_eq!(outcome.verdict.as_ref().expect("an answer").status, Status::Complete);
    // They have earned a record for it, and still do not need turns.
    let ticket = ask(&mut harness, "block/latest", &blocks);
    assert_eq!(harness.outcome(ticket).observations.len(), 3);
}

#[test]
fn a_query_that_nobody_offers_is_unknown_and_one_whose_workers_are_gone_is_not() {
    let mut harness = shared();
    let ticket = harness.submit_with(None, "BTCUSD", Overrides::default());
    assert_eq!(harness.refusal(ticket), Refusal::UnknownQuery);
    for name in ["price-1", "price-2"] {
        harness.presence(name, PresenceState::Left);
    }
    let ticket = harness.submit_with(None, "ETH/USD", Overrides::default());
    assert_eq!(harness.refusal(ticket), Refusal::NoWorkers);
    assert_eq!((harness.counters().refused_unknown_query, harness.counters().refused_no_workers), (1, 1));
    // A worker that announces no queries offers every query, and so may one that announces nothing.
    announces(&mut harness, "any", "", &[]);
    let ticket = ask(&mut harness, "BTCUSD", &[("any", "1")]);
    assert_eq!(observers(&harness.outcome(ticket)), "any");
}

#[test]
fn while_nobody_is_live_a_request_is_dispatched_as_before() {
    let mut harness = shared();
    for name in ["price-1", "price-2", "block-1", "block-2", "block-3"] {
        harness.presence(name, PresenceState::Left);
    }
    let ticket = ask(&mut harness, "BTCUSD", &[]);
    assert!(harness.waits(ticket));
}

#[test]
fn the_processes_of_one_name_offer_what_any_of_them_offers() {
    let mut harness = Harness::new();
    announces(&mut harness, "a", "one", &["BTC/USD"]);
    announces(&mut harness, "a", "two", &["ETH/USD"]);
    for query in ["BTC/USD", "ETH/USD"] {
        let ticket = ask(&mut harness, query, &[("a", "1")]);
        assert_eq!(observers(&harness.outcome(ticket)), "a", "{query}");
    }
    announces(&mut harness, "a", "one", &["SOL/USD"]);
    let ticket = harness.submit_with(None, "BTC/USD", Overrides::default());
    assert_eq!(harness.refusal(ticket), Refusal::UnknownQuery);
}

#[test]
fn who_founds_a_query_that_nobody_else_offers_decides_nothing_else() {
    let mut harness = shared();
    ask(&mut harness, "BTC/USD", &[("price-1", "100"), ("price-2", "100")]);
    // Strangers offer a query of their own and everything else, and ask it.
    for name in ["x-1", "x-2", "x-3", "x-4"] {
        announces(&mut harness, name, "", &["BTC/USD", "zzz"]);
    }
    for _ in 0..3 {
        ask(&mut harness, "zzz", &[("x-1", "9"), ("x-2", "9"), ("x-3", "9"), ("x-4", "9")]);
    }
    // Past the time in which newcomers found together with the first.
    for second in 1..12 {
        harness.at_ms(1000 * second);
        for name in ["price-1", "price-2"] {
            announces(&mut harness, name, "", &["BTC/*", "ETH/USD"]);
        }
        for name in ["x-1", "x-2", "x-3", "x-4"] {
            announces(&mut harness, name, "", &["BTC/USD", "zzz"]);
        }
    }
    let lies = ["x-1", "x-2", "x-3", "x-4"].map(|name| (name, "9"));
    let ticket = ask(&mut harness, "BTC/USD", &[&lies[..], &[("price-1", "100"), ("price-2", "100")]].concat());
    assert_eq!(harness.value(ticket), "100");
    assert!(!harness.worker("x-1").proven, "a record for one query is none for others");
}

#[test]
fn who_comes_later_is_a_newcomer_to_those_who_founded_a_query() {
    let mut harness = shared();
    ask(&mut harness, "BTC/USD", &[("price-1", "100"), ("price-2", "100")]);
    ask(&mut harness, "block/latest", &[("block-1", "7"), ("block-2", "7"), ("block-3", "7")]);
    for number in 0..9 {
        announces(&mut harness, &format!("late-{number}"), "", &["block/*"]);
    }
    let ticket = harness.submit_with(None, "block/latest", Overrides::default());
    let task = harness.task();
    for number in 0..9 {
        harness.says(&task, &format!("late-{number}"), "666");
    }
    for name in ["block-1", "block-2", "block-3"] {
        harness.says(&task, name, "7");
    }
    harness.at_ms(1_000);
    assert_eq!(harness.value(ticket), "7");
}

#[test]
fn the_offers_of_all_processes_of_one_name_are_bounded_together() {
    let mut harness = Harness::new();
    let patterns = |of: usize| (0..64).map(|number| format!("{of:03}-{number:0>186}")).collect::<Vec<_>>();
    let announce = |harness: &mut Harness, process: usize| {
        let patterns = patterns(process);
        announces(harness, "a", &process.to_string(), &patterns.iter().map(String::as_str).collect::<Vec<_>>());
    };
    // 12 KiB, which any number of processes may offer alike; another 12 KiB are too much.
    announce(&mut harness, 1);
    for process in 2..10 {
        let same = patterns(1);
        announces(&mut harness, "a", &process.to_string(), &same.iter().map(String::as_str).collect::<Vec<_>>());
    }
    announce(&mut harness, 11);
    let offered =
        |harness: &Harness| harness.worker("a").offers().map(quorate_core::offer::Offer::bytes).collect::<Vec<_>>();
    assert_eq!(offered(&harness), [12_160; 9], "nine processes with one offer");
    let ticket = harness.submit_with(None, &patterns(11)[0], Overrides::default());
    assert_eq!(harness.refusal(ticket), Refusal::UnknownQuery);
}
