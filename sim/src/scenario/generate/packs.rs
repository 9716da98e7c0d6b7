//! Workers that take packs of tasks, and some that do not, as earlier versions did not.
//!
//! They are drawn from their own stream, so that the rest of a seed's scenario does not depend on them.

use super::super::Scenario;
use crate::random::{Random, Stream};

/// The number of this part's stream.
const STREAM: u32 = 11;

/// The share of seeds without any, of those with some, and of workers without them in the latter, in thousandths.
const NONE: u32 = 100;
const SOME: u32 = 250;
const WITHOUT: u32 = 200;
/// The share of seeds in which half of the requests come at one moment, so that their tasks are packed.
const CROWDED: u32 = 400;

/// Adds them to a scenario.
pub(super) fn add(scenario: &mut Scenario) {
    let random = &mut Random::new(scenario.seed, Stream::Scenario, STREAM);
    if random.chance(NONE) {
        return;
    }
    let without = if random.chance(SOME) { WITHOUT } else { 0 };
    // From one element to a few.
    let bytes = |random: &mut Random| random.chance(300).then(|| random.within(100..=600) as usize);
    for worker in &mut scenario.cluster.workers {
        worker.packs = !random.chance(without);
        worker.knobs.pack_bytes = bytes(random);
    }
    scenario.cluster.settings.knobs.pack_bytes = bytes(random);
    scenario.cluster.settings.knobs.single_every_ms = random.chance(400).then(|| random.pick(&[0, 20, 100, 300]));
    if random.chance(CROWDED) {
        let at_ms = random.below(scenario.heal_ms);
        scenario.requests.iter_mut().filter(|_| random.chance(500)).for_each(|request| request.at_ms = at_ms);
        scenario.requests.sort_by_key(|request| request.at_ms);
    }
}
