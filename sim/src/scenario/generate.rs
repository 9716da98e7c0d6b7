//! Draws a scenario from a seed.
//!
//! Each seed switches whole classes of faults and limits on or off before it draws their details, so that rare
//! combinations occur: a run with every fault at once would hide what two of them alone show.

mod clocks;
mod edge;
mod hostile;
mod knobs;
mod offers;
mod packs;
mod staffing;
mod stored;
mod trust;

use std::collections::BTreeMap;

use quorate_core::aggregate::Strategy;

use super::{
    Bus, Cluster, Coordinator, Edges, Expectation, Fault, FaultKind, Forgery, Knobs, Mischief, Network, Policy,
    QUERIES, Request, Scenario, Settings, Stored, Worker, WorkerKnobs,
};
use crate::host::Host;
use crate::random::{Random, Stream};

impl Scenario {
    /// The scenario of a seed, which is always the same.
    pub fn generate(seed: u64) -> Self {
        let mut random = Random::new(seed, Stream::Scenario, 0);
        let heal_ms = random.within(300..=1500);
        let cluster = cluster(&mut random);
        let mut requests = requests(&mut random, &cluster, heal_ms);
        requests.sort_by_key(|request| request.at_ms);
        let faults = faults(&mut random, &cluster, heal_ms);
        let mut scenario =
            Self { seed, cluster, requests, faults, edges: Edges::default(), stored: Stored::default(), heal_ms };
        trust::add(&mut scenario);
        edge::add(&mut scenario);
        knobs::add(&mut scenario);
        hostile::add(&mut scenario);
        clocks::add(&mut scenario);
        staffing::add(&mut scenario);
        offers::add(&mut scenario);
        packs::add(&mut scenario);
        stored::add(&mut scenario);
        scenario.faults.sort_by_key(|fault| fault.at_ms);
        scenario
    }
}

fn cluster(random: &mut Random) -> Cluster {
    let coordinators = match random.below(10) {
        0..=5 => 1,
        6..=8 => 2,
        _ => 3,
    };
    let clock = |random: &mut Random| if random.chance(500) { 0 } else { random.below(1 << 32) };
    let coordinators: Vec<Coordinator> =
        (1..=coordinators).map(|number| Coordinator { number, clock_ms: clock(random), jump: None }).collect();
    let count = match random.below(10) {
        0..=6 => random.within(1..=5),
        7..=8 => random.within(6..=9),
        _ => random.within(10..=20),
    } as u8;
    let presence_ms = random.within(150..=600);
    let (slow, flaky, narrow) = (random.chance(300), random.chance(250), random.chance(150));
    let replicated = if count > 1 && random.chance(150) { random.within(2..=3).min(u64::from(count)) as u8 } else { 0 };
    let workers: Vec<Worker> = (1..=count)
        .map(|number| {
            let low = if slow && random.chance(400) { random.within(10..=150) } else { random.below(4) };
            let high = low + if slow { random.below(250) } else { random.below(10) };
            Worker {
                number,
                // The last processes are replicas of one name.
                name: number.min(count - replicated.saturating_sub(1)),
                replicated: replicated > 0 && number > count - replicated,
                observe_ms: (low, high),
                fail_permille: if flaky && random.chance(500) { random.pick(&[50, 200, 500, 1000]) } else { 0 },
                dated_permille: 0,
                age_ms: (0, 0),
                max_concurrent: if narrow { random.within(1..=3) as usize } else { 64 },
                max_queued: if narrow { random.below(3) as usize } else { 1024 },
                max_remembered: if random.chance(100) { random.within(1..=4) as usize } else { 10_000 },
                remember_ms: random.pick(&[100, 1000, 60_000]),
                announce_ms: (presence_ms / random.within(3..=5)).max(1),
                knobs: WorkerKnobs::default(),
                clock_ms: clock(random),
                jump: None,
                observed_at: false,
                packs: false,
                offers: Vec::new(),
            }
        })
        .collect();
    let names = workers.iter().map(|worker| worker.name).max().unwrap_or(1);
    let keepalive_ms = random.within(60..=200);
    let latency = random.pick(&[100, 500, 1000, 3000]);
    Cluster {
        coordinators,
        settings: settings(random, presence_ms, names),
        workers,
        clients: (1..=random.within(1..=3) as u8).collect(),
        adversary: random.chance(300),
        network: Network { latency_us: (latency, latency * random.within(1..=8)) },
        bus: Bus {
            keepalive_ms,
            reconnect_ms: (random.within(1..=10), random.within(10..=60)),
            broker_queue: if random.chance(150) { random.within(2..=20) as usize } else { 10_000 },
            publish_queue: if random.chance(250) { random.within(1..=3) as usize } else { 1024 },
            subscription_queue: if random.chance(100) { random.within(32..=64) as usize } else { 4096 },
        },
    }
}

fn settings(random: &mut Random, presence_ms: u64, names: u8) -> Settings {
    let max_timeout_ms = random.within(200..=600);
    let mut policy = Policy { timeout_ms: Some(random.within(40..=max_timeout_ms)), ..Policy::default() };
    if random.chance(700) {
        policy.strategy = Some(random.pick(Strategy::ALL).name().to_owned());
    }
    if random.chance(300) {
        policy.max_deviation_permille = Some(random.pick(&[0, 1, 10, 50, 200]));
    }
    if random.chance(200) {
        policy.min_responses = Some(random.within(1..=u64::from(names)) as u32);
    }
    if random.chance(250) {
        let least = policy.min_responses.unwrap_or(1);
        policy.quorum = Some(random.within(u64::from(least)..=u64::from(least.max(names.into()))) as u32);
    }
    Settings {
        policy,
        max_timeout_ms,
        max_workers: if random.chance(150) { u32::from(names) + random.within(1..=3) as u32 } else { 1000 },
        max_in_flight: if random.chance(200) { random.within(1..=8) as usize } else { 1000 },
        max_waiting: if random.chance(300) { random.within(1..=2) as usize } else { 64 },
        presence_ms,
        stall_ms: random.within(5..=80),
        redispatch_permille: random.pick(&[0, 300, 500, 500, 800]),
        remember_ms: random.pick(&[50, 300, 1000, 60_000]),
        max_remembered: if random.chance(200) { random.within(1..=5) as usize } else { 10_000 },
        admitted: random.chance(100).then(|| (1..=names).filter(|_| random.chance(700)).collect()),
        quarantine_below: random.chance(300).then(|| random.pick(&[300_000, 700_000, 900_000, 960_000])),
        expected: Expectation::default(),
        policies: Vec::new(),
        weights: BTreeMap::new(),
        knobs: Knobs::default(),
        rate_limit: random.chance(150).then(|| (random.pick(&[5, 20, 100]), random.pick(&[1, 5, 20]))),
    }
}

fn requests(random: &mut Random, cluster: &Cluster, heal_ms: u64) -> Vec<Request> {
    let own_ids = random.chance(500);
    let impatient = random.chance(250);
    let overriding = random.chance(600);
    let mut requests = Vec::new();
    let coordinators: Vec<u8> = cluster.coordinators.iter().map(|coordinator| coordinator.number).collect();
    let mut one = |random: &mut Random, at_ms: u64| {
        let known = random.chance(950);
        let policy = if overriding && random.chance(500) { policy(random, cluster) } else { Policy::default() };
        requests.push(Request {
            at_ms,
            client: random.pick(&cluster.clients),
            coordinator: random.pick(&coordinators),
            query: if known { random.below(QUERIES.len() as u64) as u8 } else { QUERIES.len() as u8 },
            id: (own_ids && random.chance(600)).then(|| random.below(6) as u32),
            policy,
            gives_up_ms: (impatient && random.chance(300)).then(|| random.within(1..=200)),
            retries: if random.chance(300) { random.within(1..=3) as u8 } else { 0 },
        });
    };
    for _ in 0..random.within(2..=25) {
        // The first requests may come before any host is connected.
        let at_ms = random.below(heal_ms);
        one(random, at_ms);
    }
    if random.chance(150) {
        let at_ms = random.below(heal_ms);
        for _ in 0..random.within(10..=40) {
            one(random, at_ms);
        }
    }
    // A repeated id often gets the query and the coordinator of the first: retries would rarely match otherwise.
    for place in 1..requests.len() {
        let Some(first) = requests[..place].iter().position(|other| other.id == requests[place].id) else { continue };
        if requests[place].id.is_some() && random.chance(700) {
            let (query, coordinator) = (requests[first].query, requests[first].coordinator);
            (requests[place].query, requests[place].coordinator) = (query, coordinator);
        }
    }
    requests
}

/// The policy of one request; occasionally an invalid one.
fn policy(random: &mut Random, cluster: &Cluster) -> Policy {
    let Settings { max_timeout_ms, .. } = cluster.settings;
    let workers = cluster.workers.len() as u64;
    let strategy = random.chance(500).then(|| random.pick(Strategy::ALL).name().to_owned());
    let min_responses = random.chance(200).then(|| random.within(1..=workers + 1) as u32);
    let quorum = random.chance(200).then(|| random.within(1..=workers + 1) as u32);
    Policy {
        strategy,
        precision: random.chance(200).then(|| random.pick(&[0, 1, 2, 8, 28, 29])),
        max_deviation_permille: random.chance(250).then(|| random.pick(&[0, 1, 20, 100, 1000, -1])),
        min_responses,
        quorum: quorum.filter(|quorum| random.chance(100) || *quorum >= min_responses.unwrap_or(1)),
        timeout_ms: random
            .chance(300)
            .then(|| if random.chance(50) { max_timeout_ms + 1 } else { random.within(5..=max_timeout_ms) }),
        decimals: random.chance(150).then(|| random.pick(&[0, 1, 2, 28, 29])),
        ..Policy::default()
    }
}

/// Draws the faults, class by class.
fn faults(random: &mut Random, cluster: &Cluster, heal_ms: u64) -> Vec<Fault> {
    if random.chance(80) {
        return Vec::new();
    }
    let mut draw = Draw { cluster, heal_ms, intensity: random.within(1..=4), faults: Vec::new() };
    draw.network(random);
    draw.processes(random);
    draw.sources(random);
    draw.mischief(random);
    if cluster.adversary {
        draw.forgeries(random);
    }
    draw.faults
}

/// The faults of a scenario while they are drawn.
struct Draw<'a> {
    cluster: &'a Cluster,
    heal_ms: u64,
    /// The maximum number of faults of one class.
    intensity: u64,
    faults: Vec<Fault>,
}

impl Draw<'_> {
    /// With this chance in thousandths, adds one or more faults of a class, of at most `longest_ms` each.
    fn class(&mut self, random: &mut Random, permille: u32, longest_ms: u64, kind: impl Fn(&mut Random) -> FaultKind) {
        if !random.chance(permille) {
            return;
        }
        for _ in 0..random.within(1..=self.intensity) {
            let at_ms = random.within(1..=self.heal_ms - 1);
            let for_ms = random.within(1..=longest_ms).min(self.heal_ms - at_ms);
            self.faults.push(Fault { at_ms, for_ms, kind: kind(random) });
        }
    }

    fn network(&mut self, random: &mut Random) {
        let cluster = self.cluster;
        let link = move |random: &mut Random| {
            if random.chance(250) {
                let coordinator = random.below(cluster.coordinators.len() as u64) as usize;
                let client = random.pick(&cluster.clients);
                (Host::Client(client), Host::Coordinator(cluster.coordinators[coordinator].number))
            } else {
                (on_the_bus(random, cluster), Host::Broker)
            }
        };
        self.class(random, 200, 400, |random| {
            let (a, b) = link(random);
            FaultKind::Partition(a, b)
        });
        self.class(random, 150, 400, |random| match (link(random), random.chance(500)) {
            ((a, b), true) => FaultKind::PartitionOneWay(a, b),
            ((a, b), false) => FaultKind::PartitionOneWay(b, a),
        });
        self.class(random, 200, 300, |random| {
            let (a, b) = link(random);
            FaultKind::Hold(a, b)
        });
        self.class(random, 200, 500, |random| {
            let (a, b) = link(random);
            FaultKind::Slow(a, b, random.within(5..=150))
        });
        self.class(random, 150, 300, |random| {
            let (a, b) = link(random);
            FaultKind::Loss(a, b, random.pick(&[5, 50, 300]))
        });
        self.class(random, 120, 300, |random| FaultKind::ReconnectStorm(random.within(1..=6) as u32));
    }

    fn processes(&mut self, random: &mut Random) {
        let cluster = self.cluster;
        self.class(random, 120, 300, |_| FaultKind::Crash(Host::Broker));
        self.class(random, 150, 300, |random| FaultKind::Crash(coordinator(random, cluster)));
        self.class(random, 200, 400, |random| FaultKind::Crash(worker(random, cluster)));
        self.class(random, 120, 300, |random| FaultKind::Stop(coordinator(random, cluster)));
        self.class(random, 200, 400, |random| FaultKind::Stop(worker(random, cluster)));
        self.class(random, 150, 400, |random| FaultKind::Freeze(worker(random, cluster)));
        self.class(random, 150, 800, |random| FaultKind::PresenceLost(worker(random, cluster)));
    }

    fn sources(&mut self, random: &mut Random) {
        let cluster = self.cluster;
        self.class(random, 250, 800, |random| FaultKind::SlowSource(worker(random, cluster), random.within(10..=700)));
        self.class(random, 200, 800, |random| {
            FaultKind::FailSource(worker(random, cluster), random.pick(&[100, 500, 1000]))
        });
        let beyond_half = random.chance(200);
        self.class(random, 250, 1500, |random| {
            let workers = cluster.workers.len() as u64;
            let most = if beyond_half { workers } else { (workers.saturating_sub(1) / 2).max(1) };
            let first = random.below(workers);
            let liars = (0..random.within(1..=most)).map(|n| {
                let place = (first + n) % workers;
                Host::Worker(cluster.workers[place as usize].number)
            });
            FaultKind::Lie(liars.collect(), random.pick(&[-2000, -300, 60, 500, 100_000]))
        });
    }

    fn mischief(&mut self, random: &mut Random) {
        let cluster = self.cluster;
        let kinds = [
            Mischief::Duplicate,
            Mischief::Equivocate,
            Mischief::Delay(0),
            Mischief::Reorder,
            Mischief::Corrupt,
            Mischief::Oversize,
            Mischief::Impersonate(0),
            Mischief::Misattribute,
            Mischief::Misdirect,
            Mischief::Drop,
        ];
        for kind in kinds {
            self.class(random, 90, 1000, |random| {
                let kind = match kind {
                    Mischief::Delay(_) => Mischief::Delay(random.within(1..=700)),
                    Mischief::Impersonate(_) => Mischief::Impersonate(name(random, cluster)),
                    other => other,
                };
                FaultKind::Mischief(worker(random, cluster), kind, random.pick(&[200, 500, 1000]))
            });
        }
    }

    fn forgeries(&mut self, random: &mut Random) {
        let cluster = self.cluster;
        let kinds = [
            Forgery::UnknownRequest,
            Forgery::Answer(0),
            Forgery::AnswerShared(0),
            Forgery::Live(0),
            Forgery::Left(0),
            Forgery::Garbage,
            Forgery::Task,
        ];
        for kind in kinds {
            self.class(random, 350, 600, |random| {
                let kind = match kind {
                    Forgery::Answer(_) => Forgery::Answer(name(random, cluster)),
                    Forgery::AnswerShared(_) => Forgery::AnswerShared(name(random, cluster)),
                    Forgery::Live(_) => Forgery::Live(name(random, cluster)),
                    Forgery::Left(_) => Forgery::Left(name(random, cluster)),
                    other => other,
                };
                FaultKind::Forge(kind, random.within(1..=10) as u32)
            });
        }
    }
}

fn coordinator(random: &mut Random, cluster: &Cluster) -> Host {
    Host::Coordinator(cluster.coordinators[random.below(cluster.coordinators.len() as u64) as usize].number)
}

fn worker(random: &mut Random, cluster: &Cluster) -> Host {
    Host::Worker(cluster.workers[random.below(cluster.workers.len() as u64) as usize].number)
}

fn on_the_bus(random: &mut Random, cluster: &Cluster) -> Host {
    if random.chance(300) { coordinator(random, cluster) } else { worker(random, cluster) }
}

/// The number of a random worker's name; occasionally one that no worker has.
fn name(random: &mut Random, cluster: &Cluster) -> u8 {
    let names = cluster.workers.iter().map(|worker| worker.name).max().unwrap_or(1);
    let nobody = u64::from(random.chance(300));
    random.within(1..=u64::from(names) + nobody) as u8
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seed_always_makes_the_same_scenario_and_another_seed_makes_another() {
        assert_eq!(Scenario::generate(7), Scenario::generate(7));
        assert_ne!(Scenario::generate(7), Scenario::generate(8));
    }

    #[test]
    fn a_scenario_is_ordered_bounded_and_reads_back() {
        for seed in 0..500 {
            let scenario = Scenario::generate(seed);
            let cluster = &scenario.cluster;
            assert!((1..=3).contains(&cluster.coordinators.len()), "seed {seed}");
            assert!((1..=20).contains(&cluster.workers.len()), "seed {seed}");
            assert!(scenario.requests.is_sorted_by_key(|request| request.at_ms), "seed {seed}");
            assert!(scenario.requests.iter().all(|request| request.at_ms < scenario.heal_ms), "seed {seed}");
            assert!(scenario.faults.iter().all(|fault| fault.at_ms + fault.for_ms <= scenario.heal_ms), "seed {seed}");
            let text = serde_json::to_string(&scenario).expect("a scenario is plain data");
            assert_eq!(serde_json::from_str::<Scenario>(&text).expect("it reads back"), scenario);
        }
    }
}
