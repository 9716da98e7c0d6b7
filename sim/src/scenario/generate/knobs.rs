//! Makes bounds and waits tiny that production leaves at their defaults. Each is tiny in some seeds, so that short runs
//! reach it, alone and together with others.
//!
//! They are drawn from their own streams, so that the rest of a seed's scenario does not depend on them.

use super::super::{Policy, Scenario, Settings, Worker};
use crate::random::{Random, Stream};

/// The number of this part's stream.
const STREAM: u32 = 2;
/// The number of the stream of the bounds on newcomers.
const NEWCOMERS: u32 = 6;

/// The share of seeds with tiny bounds, and the share of those in which a given bound is tiny, in thousandths.
const SEEDS: u32 = 500;
const BOUND: u32 = 250;

/// Makes some bounds tiny.
pub(super) fn add(scenario: &mut Scenario) {
    newcomers(scenario);
    let random = &mut Random::new(scenario.seed, Stream::Scenario, STREAM);
    if !random.chance(SEEDS) {
        return;
    }
    let names = scenario.cluster.workers.iter().map(|worker| worker.name).max().unwrap_or(1);
    coordinators(random, &mut scenario.cluster.settings, names);
    // Few tasks come with several reply subjects, so all workers get the same bound: otherwise it is rarely hit.
    let places = random.chance(400).then(|| random.within(1..=2) as usize);
    for worker in &mut scenario.cluster.workers {
        worker.knobs.max_reply_places = places;
        if random.chance(500) {
            self::worker(random, worker);
        }
    }
    let knobs = &mut scenario.cluster.settings.knobs;
    knobs.batch = random.chance(BOUND).then(|| random.within(1..=4) as usize);
    knobs.no_responders_grace_ms = random.chance(BOUND).then(|| random.pick(&[0, 1, 50, 2000]));
    // From less than one request to a few requests with some workers.
    knobs.max_in_flight_bytes = random.chance(BOUND).then(|| random.within(700..=4000) as usize);
    knobs.max_remembered_bytes = random.chance(BOUND).then(|| random.within(600..=8000) as usize);
    for worker in &mut scenario.cluster.workers {
        worker.knobs.batch = random.chance(BOUND).then(|| random.within(1..=2) as usize);
    }
}

fn newcomers(scenario: &mut Scenario) {
    let random = &mut Random::new(scenario.seed, Stream::Scenario, NEWCOMERS);
    if !random.chance(SEEDS) {
        return;
    }
    let knobs = &mut scenario.cluster.settings.knobs;
    knobs.max_newcomers = random.chance(BOUND).then(|| random.below(3) as u32);
    knobs.admit_every_ms = random.chance(BOUND).then(|| random.pick(&[0, 10, 1000]));
    knobs.admit_burst = random.chance(BOUND).then(|| random.within(1..=3) as u32);
    knobs.keep_gone_ms = random.chance(BOUND).then(|| random.pick(&[0, 100, 1000]));
    knobs.kept_queries = random.chance(BOUND).then(|| random.below(3) as usize);
}

fn coordinators(random: &mut Random, settings: &mut Settings, names: u8) {
    if random.chance(BOUND) && names > 1 {
        settings.max_workers = random.within(1..=u64::from(names) - 1) as u32;
        // A coordinator would refuse every request under a policy that it can never meet.
        let most = settings.max_workers;
        let fit = |policy: &mut Policy| {
            policy.min_responses = policy.min_responses.map(|count| count.min(most));
            policy.quorum = policy.quorum.map(|count| count.min(most));
        };
        fit(&mut settings.policy);
        settings.policies.iter_mut().for_each(|of_some| fit(&mut of_some.policy));
    }
    if random.chance(BOUND) {
        settings.max_remembered = random.below(4) as usize;
    }
    let knobs = &mut settings.knobs;
    knobs.max_instances = random.chance(BOUND).then(|| random.within(1..=2) as usize);
    knobs.response_times = random.chance(BOUND).then(|| random.within(1..=4) as usize);
    // Longer than a step of the network, shorter than most freezes of a coordinator.
    knobs.max_lag_ms = random.chance(400).then(|| random.pick(&[10, 50, 150]));
    knobs.reconnect_grace_ms = random.chance(400).then(|| random.pick(&[0, 0, 1, 50]));
}

fn worker(random: &mut Random, worker: &mut Worker) {
    if random.chance(BOUND) {
        worker.max_remembered = random.below(3) as usize;
    }
    if random.chance(BOUND) {
        worker.remember_ms = random.pick(&[0, 1, 20]);
    }
    let knobs = &mut worker.knobs;
    knobs.max_ttl_ms = random.chance(BOUND).then(|| random.within(20..=200));
    knobs.drain_grace_ms = random.chance(BOUND).then(|| random.pick(&[0, 1, 20]));
}
