//! Who should be there, and how soon a silent worker is suspect.
//!
//! They are drawn from their own stream, so that the rest of a seed's scenario does not depend on them.

use super::super::{Expectation, Scenario};
use crate::random::{Random, Stream};

/// The number of this part's stream.
const STREAM: u32 = 10;

/// Adds them to a scenario.
pub(super) fn add(scenario: &mut Scenario) {
    let random = &mut Random::new(scenario.seed, Stream::Scenario, STREAM);
    let names = scenario.cluster.workers.iter().map(|worker| worker.name).max().unwrap_or(1);
    let settings = &mut scenario.cluster.settings;
    if random.chance(200) {
        settings.expected = expectation(random, names);
        for policy in &mut settings.policies {
            policy.expected = random.chance(500).then(|| expectation(random, names));
        }
    }
    // Runs are short: a worker has few answers, and little time to be silent.
    if random.chance(600) {
        settings.knobs.suspect_after_ms = Some(random.pick(&[0, 1, 5, 20]));
        settings.knobs.usual_samples = Some(random.within(1..=4) as usize);
    }
}

/// Some of the worker names, sometimes with one that no worker has, and a number of workers.
fn expectation(random: &mut Random, names: u8) -> Expectation {
    let some = (1..=names + 1).filter(|name| random.chance(if *name > names { 200 } else { 500 })).collect();
    Expectation { names: some, least: random.below(u64::from(names) + 2) as u32 }
}
