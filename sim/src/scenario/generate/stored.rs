//! What the stage with a store plays. It is drawn from its own stream, since nothing else depends on it.

use super::super::{Feed, Keeper, Scenario, StoreConfig, StoreFault, StoreFaultKind, Stored, Submission};
use crate::host::Host;
use crate::random::{Random, Stream};

/// Adds it to a scenario.
pub(super) fn add(scenario: &mut Scenario) {
    let random = &mut Random::new(scenario.seed, Stream::Stored, 0);
    let heal_ms = random.within(40_000..=180_000);
    let count = random.pick(&[1, 2, 2, 3, 3, 3, 4]);
    // Most clocks are synchronized.
    let most_ahead = random.pick(&[0, 20, 20, 20, 500, 5_000]);
    let coordinators: Vec<_> = (1..=count)
        .map(|number| Keeper {
            number,
            ahead_ms: random.within(0..=2 * most_ahead).cast_signed() - most_ahead.cast_signed(),
        })
        .collect();
    let feeds = (1..=random.within(1..=4) as u8).map(|number| feed(random, number)).collect();
    let requests = requests(random, count, heal_ms);
    let engine = engine(random);
    let mut stored = Stored { coordinators, feeds, requests, faults: Vec::new(), engine, heal_ms };
    faults(random, &mut stored);
    stored.faults.sort_by_key(|fault| fault.at_ms);
    scenario.stored = stored;
}

fn feed(random: &mut Random, number: u8) -> Feed {
    let heartbeat_ms = random.pick(&[1_000, 2_000, 5_000, 10_000, 20_000]);
    let interval_ms = (heartbeat_ms / random.pick(&[1, 2, 5, 10])).max(200);
    let slow = random.chance(200);
    Feed {
        number,
        heartbeat_ms,
        deviation: random.chance(800).then(|| random.pick(&[0, 100, 1_000, 5_000, 50_000, 1_000_000])),
        interval_ms,
        step: random.pick(&[0, 1, 5, 100, 20_000]),
        start: random.pick(&[0, 0, 3, -200, 10_000, 4_200_000]),
        disputed_permille: if random.chance(400) { random.pick(&[20, 200, 500]) } else { 0 },
        failed_permille: if random.chance(300) { random.pick(&[20, 200]) } else { 0 },
        refused_permille: if random.chance(200) { random.pick(&[20, 300]) } else { 0 },
        round_ms: if slow { (100, random.within(200..=4_000)) } else { (10, random.within(10..=300)) },
    }
}

fn requests(random: &mut Random, coordinators: u8, heal_ms: u64) -> Vec<Submission> {
    let count = if random.chance(750) { random.within(1..=12) } else { 0 };
    let ids = random.within(1..=count.max(1));
    let slow = random.chance(400);
    let mut requests: Vec<_> = (0..count)
        .map(|_| {
            let id = random.within(1..=ids) as u32;
            Submission {
                at_ms: random.within(1..=heal_ms - 1),
                coordinator: random.within(1..=coordinators.into()) as u8,
                id,
                // Rarely another query has the same id.
                query: u8::from(random.chance(50)),
                round_ms: if slow { (500, random.within(500..=15_000)) } else { (10, 300) },
            }
        })
        .collect();
    requests.sort_by_key(|request| request.at_ms);
    requests
}

fn engine(random: &mut Random) -> StoreConfig {
    let latency = random.pick(&[100, 1_000, 20_000]);
    let commit = random.pick(&[100, 1_000, 50_000, 400_000]);
    StoreConfig {
        latency_us: (latency, latency * random.within(1..=5)),
        commit_us: (commit, commit * random.within(1..=5)),
        lag_ms: random.pick(&[0, 0, 50, 500, 2_000]),
        answer_ms: random.pick(&[1_000, 2_000, 5_000]),
        late_expiry_ms: random.pick(&[0, 1_000, 10_000]),
        ..StoreConfig::default()
    }
}

/// Draws the details of a kind of fault, and how long it lasts.
type Draw = fn(&mut Random, Host, u8) -> (StoreFaultKind, u64);

/// The kinds of faults, with the share of seeds that have each, in thousandths.
const KINDS: [(u32, Draw); 16] = [
    (400, |random, _, _| (StoreFaultKind::Election, random.within(4_000..=9_000))),
    (250, |random, _, _| (StoreFaultKind::LeaderPaused, random.within(1_000..=12_000))),
    (250, |random, host, _| (StoreFaultKind::Cut(host), random.within(1_000..=40_000))),
    (200, |random, host, _| (StoreFaultKind::Minority(host), random.within(1_000..=40_000))),
    (350, |random, _, _| (StoreFaultKind::LostAnswers(random.pick(&[50, 300, 700])), random.within(2_000..=30_000))),
    (300, |random, _, _| {
        let kind = StoreFaultKind::LateRequests(random.pick(&[50, 300, 700]), random.within(1_000..=15_000));
        (kind, random.within(2_000..=30_000))
    }),
    (250, |random, _, _| (StoreFaultKind::Lag(random.within(500..=8_000)), random.within(2_000..=30_000))),
    (80, |random, _, _| (StoreFaultKind::Forget(random.within(1..=6) as u32), random.within(4_000..=9_000))),
    (450, |random, host, _| (StoreFaultKind::Crash(host), random.within(100..=40_000))),
    (450, |random, host, _| (StoreFaultKind::Pause(host), random.within(500..=60_000))),
    (300, |random, host, _| (StoreFaultKind::Stop(host), random.within(1_000..=30_000))),
    (150, |random, _, feed| (StoreFaultKind::Without(feed), random.within(1_000..=30_000))),
    (150, |random, _, feed| (StoreFaultKind::Redefine(feed), random.within(1_000..=30_000))),
    (150, |random, _, feed| {
        (StoreFaultKind::SlowRounds(feed, random.within(500..=20_000)), random.within(1_000..=30_000))
    }),
    (150, |random, _, feed| (StoreFaultKind::FailRounds(feed), random.within(1_000..=30_000))),
    (250, |random, _, feed| {
        (StoreFaultKind::Strangers(feed, random.within(3_000..=10_000)), random.within(2_000..=40_000))
    }),
];

fn faults(random: &mut Random, stored: &mut Stored) {
    for (permille, draw) in KINDS {
        if !random.chance(permille) {
            continue;
        }
        for _ in 0..random.within(1..=3) {
            let host =
                Host::Coordinator(stored.coordinators[random.below(stored.coordinators.len() as u64) as usize].number);
            let feed = stored.feeds[random.below(stored.feeds.len() as u64) as usize].number;
            let (kind, for_ms) = draw(random, host, feed);
            let for_ms = for_ms.min(stored.heal_ms - 2);
            let mut at_ms = random.within(1..=stored.heal_ms - for_ms - 1);
            // Many of them begin while a durable request is served, or soon after.
            if !stored.requests.is_empty() && random.chance(300) {
                let request = &stored.requests[random.below(stored.requests.len() as u64) as usize];
                at_ms = (request.at_ms + random.below(2_000)).clamp(1, stored.heal_ms - for_ms - 1);
            }
            stored.faults.push(StoreFault { at_ms, for_ms, kind });
        }
    }
}
