//! Further hostile conditions: forgeries of the adversary, frozen coordinators, and messages that are delivered twice.
//!
//! They are drawn from their own stream, so that the rest of a seed's scenario does not depend on them.

use super::super::{Fault, FaultKind, Flood, Forgery, Scenario};
use super::{Draw, coordinator, name};
use crate::random::{Random, Stream};

/// The number of this part's stream.
const STREAM: u32 = 3;

/// Adds them to a scenario.
pub(super) fn add(scenario: &mut Scenario) {
    let random = &mut Random::new(scenario.seed, Stream::Scenario, STREAM);
    if random.chance(80) {
        return;
    }
    let cluster = &scenario.cluster;
    let intensity = random.within(1..=3);
    let mut draw = Draw { cluster, heal_ms: scenario.heal_ms, intensity, faults: Vec::new() };
    draw.class(random, 150, 400, |random| FaultKind::Freeze(coordinator(random, cluster)));
    draw.class(random, 120, 500, |random| {
        FaultKind::Bridge(random.pick(&[100, 500, 1000]), random.pick(&[1, 20, 200]))
    });
    if cluster.adversary {
        forgeries(random, &mut draw);
    }
    let faults: Vec<Fault> = draw.faults;
    scenario.faults.extend(faults);
}

fn forgeries(random: &mut Random, draw: &mut Draw<'_>) {
    let cluster = draw.cluster;
    let mut one = |random: &mut Random, kind: &dyn Fn(&mut Random) -> Forgery| {
        draw.class(random, 200, 600, |random| FaultKind::Forge(kind(random), random.within(1..=6) as u32));
    };
    one(random, &|_| Forgery::NoResponders);
    one(random, &|random| Forgery::Draining(name(random, cluster)));
    one(random, &|random| Forgery::First(name(random, cluster)));
    one(random, &|random| Forgery::Repeats(name(random, cluster), random.within(2..=20) as u8));
    for flood in [Flood::Answers, Flood::Shared, Flood::Ended, Flood::Live] {
        // Usually few: each name costs as much time as a worker.
        one(random, &|random| {
            let names = if random.chance(100) { random.within(50..=300) } else { random.within(3..=20) };
            Forgery::Flood(flood, names as u16)
        });
    }
}
