//! What decides how far an answer is trusted: rules for outliers, agreement and freshness, weights, and policies of
//! some queries.
//!
//! They are drawn from their own stream, so that the rest of a seed's scenario does not depend on them.

use quorate_core::aggregate::Strategy;

use super::super::{Fault, FaultKind, Outliers, Policy, QueryPolicy, Scenario};
use crate::host::Host;
use crate::random::{Random, Stream};

/// The number of this part's stream.
const STREAM: u32 = 1;

/// The classes of rules that a scenario has.
#[derive(Clone, Copy, Debug)]
#[expect(clippy::struct_excessive_bools, reason = "the flags are independent of each other")]
struct Classes {
    outliers: bool,
    agreement: bool,
    freshness: bool,
    trimming: bool,
}

/// Adds them to a scenario.
pub(super) fn add(scenario: &mut Scenario) {
    let random = &mut Random::new(scenario.seed, Stream::Scenario, STREAM);
    let classes = Classes {
        outliers: random.chance(300),
        agreement: random.chance(350),
        freshness: random.chance(350),
        trimming: random.chance(200),
    };
    rules(random, classes, 800, &mut scenario.cluster.settings.policy);
    if classes.freshness {
        ages(random, scenario);
    }
    if random.chance(250) {
        weights(random, scenario);
    }
    if random.chance(250) {
        policies(random, classes, scenario);
    }
    if random.chance(400) {
        for request in &mut scenario.requests {
            if random.chance(300) {
                rules(random, classes, 400, &mut request.policy);
                // Occasionally an invalid one.
                match random.below(60) {
                    0 => request.policy.trim_share_permille = Some(500),
                    1 => request.policy.tolerance_permille = Some(-1),
                    2 => request.policy.min_agreement_permille = Some(1001),
                    _ => {}
                }
            }
        }
    }
}

/// Sets the fields of the classes, each with this chance in thousandths.
fn rules(random: &mut Random, classes: Classes, permille: u32, policy: &mut Policy) {
    if classes.outliers && random.chance(permille) {
        let factor = random.pick(&[0, 500, 1500, 3000, 5000]);
        policy.outliers = Some(if random.chance(500) { Outliers::Mad(factor) } else { Outliers::Iqr(factor) });
    }
    if classes.agreement && random.chance(permille) {
        policy.min_agreement_permille = Some(random.pick(&[0, 500, 667, 1000]));
    }
    if classes.agreement && random.chance(permille) {
        policy.tolerance_permille = Some(random.pick(&[0, 1, 3, 50]));
    }
    if classes.agreement && random.chance(permille) {
        policy.rejects_disputes = Some(random.chance(700));
    }
    if classes.freshness && random.chance(permille) {
        policy.max_age_ms = Some(random.pick(&[0, 20, 100, 500]));
    }
    if classes.trimming && random.chance(permille) {
        policy.trim_share_permille = Some(random.pick(&[0, 100, 200, 334, 499]));
        policy.strategy = Some(Strategy::TrimmedMean.name().to_owned());
    }
}

/// Lets sources state the ages of their values, some of which are old.
fn ages(random: &mut Random, scenario: &mut Scenario) {
    for worker in &mut scenario.cluster.workers {
        if random.chance(600) {
            worker.dated_permille = random.pick(&[300, 1000]);
            let youngest = if random.chance(300) { random.below(600) } else { 0 };
            worker.age_ms = (youngest, youngest + random.pick(&[0, 10, 100, 600]));
        }
    }
    for _ in 0..random.below(4) {
        let worker = random.below(scenario.cluster.workers.len() as u64) as usize;
        let at_ms = random.within(1..=scenario.heal_ms - 1);
        scenario.faults.push(Fault {
            at_ms,
            for_ms: random.within(1..=800).min(scenario.heal_ms - at_ms),
            kind: FaultKind::StaleSource(
                Host::Worker(scenario.cluster.workers[worker].number),
                random.pick(&[1, 50, 400, 60_000]),
            ),
        });
    }
}

/// Lets weights decide, whether configured or earned.
fn weights(random: &mut Random, scenario: &mut Scenario) {
    let settings = &mut scenario.cluster.settings;
    if random.chance(800) {
        settings.policy.strategy = Some(Strategy::WeightedMedian.name().to_owned());
    }
    if random.chance(600) {
        let names = scenario.cluster.workers.iter().map(|worker| worker.name).max().unwrap_or(1);
        // No worker has the last of these names.
        for name in 1..=names + 1 {
            if random.chance(600) {
                settings.weights.insert(name, random.pick(&[0, 1, 500_000, 1_000_000, 3_500_000]));
            }
        }
    }
}

/// Gives some queries their own policies, which are valid together with the fields that they do not set.
fn policies(random: &mut Random, classes: Classes, scenario: &mut Scenario) {
    let settings = &mut scenario.cluster.settings;
    let names = scenario.cluster.workers.iter().map(|worker| worker.name).max().unwrap_or(1);
    for _ in 0..random.within(1..=3) {
        let pattern = random.pick(&["*", "BTC/*", "*/USD", "*USD*", "label/*", "block/latest", "*a*"]);
        let mut policy = Policy::default();
        rules(random, classes, 600, &mut policy);
        if random.chance(700) {
            policy.strategy = Some(random.pick(Strategy::ALL).name().to_owned());
        }
        if random.chance(200) {
            policy.timeout_ms = Some(random.within(40..=settings.max_timeout_ms));
        }
        if random.chance(200) {
            let least = u64::from(settings.policy.min_responses.unwrap_or(1));
            policy.quorum = Some(random.within(least..=least.max(names.into())) as u32);
        }
        // A policy file has one policy for a pattern.
        if settings.policies.iter().all(|earlier| earlier.pattern != pattern) {
            settings.policies.push(QueryPolicy { pattern: pattern.to_owned(), policy, expected: None });
        }
    }
}
