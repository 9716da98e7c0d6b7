//! Several coordinators with one store.

use quorate_core::feed::{Definition, Input, LEASE_TTL};

use crate::support::{HEARTBEAT_MS, INTERVAL_MS, definition, ms};
use crate::world::{Reach, World};

/// The most that the answers of the store, its watch and a round add, in milliseconds.
const SLACK_MS: u64 = 1_000;

fn bound_ms() -> u128 {
    u128::from(HEARTBEAT_MS + INTERVAL_MS + SLACK_MS) + LEASE_TTL.as_millis()
}

fn world() -> World {
    World::new(3, &definition("a"))
}

#[test]
fn one_of_three_drives_a_feed_and_the_others_do_nothing() {
    let mut world = world();
    world.passes_ms(599_999);
    let rounds: Vec<_> = world.machines.iter().map(|machine| machine.feeds.counters().rounds).collect();
    assert_eq!(rounds, [600, 0, 0]);
    assert_eq!(world.records().count(), 60);
}

#[test]
fn when_the_driver_dies_another_reports_within_the_bound() {
    for died_at in [2_000, 9_999, 10_000, 10_100, 10_299, 10_301, 14_999] {
        let mut world = world();
        world.passes_ms(died_at);
        world.machines[0].alive = false;
        world.passes_ms(60_000);
        let first = world.records().next().expect("a record").0;
        let longest = world.longest_gap_ms(first, world.now);
        assert!(longest <= bound_ms(), "{longest} ms without a report");
        assert!(world.driver().is_some_and(|driver| driver != 0));
        let failovers: u64 = world.machines.iter().map(|machine| machine.feeds.counters().failovers).sum();
        assert_eq!(failovers, 1);
    }
}

#[test]
fn a_driver_that_drains_hands_over_at_once() {
    let mut world = world();
    world.passes_ms(2_000);
    world.give(0, &Input::Drain);
    world.passes_ms(SLACK_MS);
    assert!(world.machines[0].drained);
    assert!(world.driver().is_some_and(|driver| driver != 0));
    world.passes_ms(60_000);
    assert!(world.longest_gap_ms(world.records().next().expect("a record").0, world.now) <= 11_500);
    assert!(world.machines.iter().all(|machine| machine.feeds.counters().failovers == 0));
}

#[test]
fn a_driver_that_comes_back_from_a_pause_stores_no_second_record() {
    for paused_at in (10_000..10_320).step_by(10) {
        for resumes_after in [14_900, 15_200, 40_000] {
            let mut world = world();
            world.passes_ms(paused_at);
            world.machines[0].paused = true;
            world.passes_ms(resumes_after);
            world.value = "200";
            world.machines[0].paused = false;
            world.passes_ms(40_000);
            let longest = world.longest_gap_ms(world.records().next().expect("a record").0, world.now);
            assert!(longest <= bound_ms(), "{longest} ms without a report after {paused_at} {resumes_after}");
        }
    }
}

#[test]
fn a_driver_that_the_store_does_not_hear_gives_way() {
    let mut world = world();
    world.passes_ms(2_000);
    world.machines[0].reach = Reach::Down;
    world.passes_ms(60_000);
    assert!(world.driver().is_some_and(|driver| driver != 0));
    world.machines[0].reach = Reach::Up;
    world.passes_ms(60_000);
    assert!(world.longest_gap_ms(world.records().next().expect("a record").0, world.now) <= bound_ms());
}

#[test]
fn without_any_answer_of_the_store_nothing_is_stored_twice() {
    let mut world = World::new(2, &definition("a"));
    world.passes_ms(2_000);
    for machine in &mut world.machines {
        machine.reach = Reach::Deaf;
    }
    for value in ["110", "120", "130", "140"] {
        world.value = value;
        world.passes_ms(7_000);
    }
    for machine in &mut world.machines {
        machine.reach = Reach::Up;
    }
    world.passes_ms(60_000);
    let values: Vec<_> = world.records().filter_map(|(_, record)| record.report()).collect();
    assert!(values.windows(2).all(|pair| pair[0].round < pair[1].round));
    assert!(world.driver().is_some());
}

#[test]
fn a_coordinator_that_starts_again_continues_the_history() {
    let mut world = World::new(1, &definition("a"));
    for _ in 0..5 {
        world.passes_ms(20_000);
        world.machines[0].alive = false;
        world.passes_ms(1_000);
        world.restarts(0, &definition("a"));
    }
    world.passes_ms(60_000);
    assert!(world.records().count() >= 8);
    assert!(world.longest_gap_ms(world.records().next().expect("a record").0, world.now) <= bound_ms());
}

/// A generator of numbers that look random.
struct Chance(u64);

impl Chance {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % bound
    }
}

#[test]
fn whatever_fails_no_record_is_doubled_or_missing_and_all_goes_on_afterwards() {
    for seed in 0..500 {
        let mut chance = Chance(seed);
        let feed = Definition { min_interval: ms(500 + chance.below(9_500)), ..definition("a") };
        let mut world = World::new(3, &feed);
        for _ in 0..60 {
            let index = chance.below(3) as usize;
            match chance.below(8) {
                0 => world.machines[index].paused = true,
                1 => world.machines[index].paused = false,
                2 => world.machines[index].alive = false,
                3 => world.restarts(index, &feed),
                4 => world.machines[index].reach = Reach::Down,
                5 => world.machines[index].reach = Reach::Deaf,
                6 => world.machines[index].reach = Reach::Up,
                _ => world.garbage(),
            }
            world.value = ["100", "100.5", "102", "red"][chance.below(4) as usize];
            world.passes_ms(1 + chance.below(12_000));
        }
        for index in 0..3 {
            world.machines[index].reach = Reach::Up;
            world.machines[index].paused = false;
            if !world.machines[index].alive {
                world.restarts(index, &feed);
            }
        }
        let healed = world.now;
        world.passes_ms(200_000);
        let longest = world.longest_gap_ms(healed, world.now);
        let bound = bound_ms() + feed.min_interval.as_millis();
        assert!(longest <= bound, "seed {seed}: {longest} ms without a report, and not {bound}");
    }
}
