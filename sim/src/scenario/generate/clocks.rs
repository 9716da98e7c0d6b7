//! Times of day that jump, and workers that state when they observed a value, which a coordinator compares with its own
//! time of day.
//!
//! They are drawn from their own stream, so that the rest of a seed's scenario does not depend on them.

use super::super::{ClockJump, Scenario};
use crate::random::{Random, Stream};

/// The number of this part's stream.
const STREAM: u32 = 7;

/// Adds them to a scenario.
pub(super) fn add(scenario: &mut Scenario) {
    let random = &mut Random::new(scenario.seed, Stream::Scenario, STREAM);
    if !random.chance(250) {
        return;
    }
    let heal_ms = scenario.heal_ms;
    let jump = |random: &mut Random| {
        random.chance(500).then(|| ClockJump {
            at_ms: random.below(heal_ms),
            for_ms: random.within(1..=heal_ms),
            ahead_ms: random.pick(&[-3_600_000, -500, -20, 20, 500, 3_600_000]),
        })
    };
    for coordinator in &mut scenario.cluster.coordinators {
        coordinator.jump = jump(random);
    }
    for worker in &mut scenario.cluster.workers {
        worker.observed_at = random.chance(500);
        worker.jump = jump(random);
    }
}
