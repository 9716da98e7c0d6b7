//! What concerns the coordinators' HTTP API and the workers' sources: visits, proxies, bounds and panics.
//!
//! They are drawn from their own streams, so that the rest of a seed's scenario does not depend on them.

use super::super::{Edges, Fault, FaultKind, Linger, Malformed, Page, Proxy, Scenario, Visit, VisitKind};
use crate::host::Host;
use crate::random::{Random, Stream};

/// The number of this part's stream.
const STREAM: u32 = 4;
/// The number of the stream of bounds.
const BOUNDS: u32 = 8;

/// Adds them to a scenario.
pub(super) fn add(scenario: &mut Scenario) {
    let random = &mut Random::new(scenario.seed, Stream::Scenario, STREAM);
    let mut edges = Edges::default();
    // A malformed request also counts against its client's rate limit, which the checker judges by questions alone.
    let has_rate = scenario.cluster.settings.rate_limit.is_some();
    if random.chance(250) && !has_rate {
        for _ in 0..random.within(1..=4) {
            let kind = VisitKind::Malformed(random.pick(Malformed::ALL));
            edges.visits.push(visit(random, scenario, kind));
        }
    }
    if random.chance(350) {
        for _ in 0..random.within(1..=8) {
            let kind = VisitKind::Read(random.pick(Page::ALL));
            edges.visits.push(visit(random, scenario, kind));
        }
    }
    if random.chance(250) {
        edges.kept = random.chance(500).then(|| random.within(1..=8) as usize);
        for _ in 0..random.within(1..=3) {
            let kind = VisitKind::Follow {
                first_ms: random.within(50..=1500),
                away_ms: random.within(1..=800),
                then_ms: random.within(200..=1500),
                recent: random.chance(300),
            };
            edges.visits.push(visit(random, scenario, kind));
        }
    }
    if random.chance(400) {
        // More than the connections that a client needs besides those of its questions: idle ones, visits and holds.
        edges.connections_per_peer = Some(random.within(12..=14) as usize);
    }
    if random.chance(120) {
        edges.stop_ms = Some(random.within(20..=200));
        for _ in 0..random.within(1..=3) {
            let kind = VisitKind::Linger(random.pick(Linger::ALL), random.pick(&[100, 1000, 20_000]));
            edges.visits.push(visit(random, scenario, kind));
        }
    }
    if random.chance(if has_rate { 800 } else { 100 }) {
        edges.proxy = Some(if random.chance(700) { Proxy::Trusted } else { Proxy::Untrusted });
    }
    bounds(&mut Random::new(scenario.seed, Stream::Scenario, BOUNDS), has_rate, &mut edges);
    edges.visits.sort_by_key(|visit| visit.at_ms);
    scenario.edges = edges;
    if random.chance(150) {
        for _ in 0..random.within(1..=2) {
            let place = random.below(scenario.cluster.workers.len() as u64) as usize;
            let at_ms = random.within(1..=scenario.heal_ms - 1);
            scenario.faults.push(Fault {
                at_ms,
                for_ms: random.within(50..=800).min(scenario.heal_ms - at_ms),
                kind: FaultKind::PanicSource(
                    Host::Worker(scenario.cluster.workers[place].number),
                    random.pick(&[200, 500, 1000]),
                ),
            });
        }
    }
}

/// Bounds of the API that no short run would reach at their production defaults.
fn bounds(random: &mut Random, has_rate: bool, edges: &mut Edges) {
    if has_rate && random.chance(400) {
        edges.clients = Some(1);
    }
    if random.chance(500) {
        edges.readers = Some(1);
        let follows = edges.visits.iter().filter(|visit| matches!(visit.kind, VisitKind::Follow { .. }));
        let again: Vec<Visit> =
            follows.map(|visit| Visit { at_ms: visit.at_ms + random.within(1..=100), ..*visit }).collect();
        edges.visits.extend(again);
    }
}

fn visit(random: &mut Random, scenario: &Scenario, kind: VisitKind) -> Visit {
    let coordinators = &scenario.cluster.coordinators;
    Visit {
        at_ms: random.below(scenario.heal_ms),
        client: random.pick(&scenario.cluster.clients),
        coordinator: coordinators[random.below(coordinators.len() as u64) as usize].number,
        kind,
    }
}
