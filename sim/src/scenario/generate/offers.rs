//! Workers that offer only some queries, so that some queries have few workers or none.
//!
//! They are drawn from their own stream, so that the rest of a seed's scenario does not depend on them.

use super::super::Scenario;
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
    for worker in &mut scenario.cluster.workers {
        if random.chance(600) {
            for _ in 0..random.within(1..=3) {
                let pattern = random.pick(&["BTC/*", "*/USD", "label/*", "block/latest", "*e*", "*"]);
                worker.offers.push(pattern.to_owned());
            }
        }
    }
}
