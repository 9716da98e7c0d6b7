//! Workers that offer only some queries, so that some queries have few workers or none.
//!
//! They are drawn from their own stream, so that the rest of a seed's scenario does not depend on them.

use super::super::{Fault, FaultKind, Scenario};
use crate::host::Host;
use crate::random::{Random, Stream};

/// The number of this part's stream.
const STREAM: u32 = 9;

const PERMILLE: u32 = 250;

/// Adds them to a scenario.
pub(super) fn add(scenario: &mut Scenario) {
    let random = &mut Random::new(scenario.seed, Stream::Scenario, STREAM);
    if !random.chance(PERMILLE) {
        return;
    }
    if random.chance(300) {
        return one_for_most(random, scenario);
    }
    for worker in &mut scenario.cluster.workers {
        if random.chance(600) {
            for _ in 0..random.within(1..=3) {
                let pattern = random.pick(&["BTC/*", "*/USD", "label/*", "block/latest", "*e*", "*"]);
                worker.offers.push(pattern.to_owned());
            }
        }
    }
}

/// One worker alone offers most queries, and stops for a while.
fn one_for_most(random: &mut Random, scenario: &mut Scenario) {
    let alone = random.below(scenario.cluster.workers.len() as u64) as usize;
    for (index, worker) in scenario.cluster.workers.iter_mut().enumerate() {
        let patterns: &[&str] = if index == alone { &["*/*", "BTC/*"] } else { &["label/*"] };
        worker.offers.extend(patterns.iter().map(|pattern| (*pattern).to_owned()));
    }
    let at_ms = random.within(1..=scenario.heal_ms / 2);
    let kind = FaultKind::Stop(Host::Worker(scenario.cluster.workers[alone].number));
    scenario.faults.push(Fault { at_ms, for_ms: scenario.heal_ms - at_ms, kind });
}
