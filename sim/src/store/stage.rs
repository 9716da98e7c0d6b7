//! The stage with a store: coordinators, a schedule, and what readers see.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use quorate_core::feed::{Counters, Definition, FeedName};
use quorate_core::id::RequestId;
use quorate_core::query::Query;
use quorate_runtime::durable::DurableHandle;
use quorate_runtime::store::Key;
use quorate_runtime::wire::StoredRecord;
use rust_decimal::Decimal;
use tokio::time::{Instant, sleep_until};
use tokio_util::sync::CancellationToken;

use super::client;
use super::event::{Shown, StoreEvent};
use super::keeper::Process;
use super::simulated::SimulatedStore;
use crate::event::{Event, What};
use crate::host::Host;
use crate::scenario::{Feed, Keeper, Scenario, StoreFault, StoreFaultKind, Stored};
use crate::watch::Watch;

/// How often readers look at what the coordinators serve.
const READ_EVERY: Duration = Duration::from_millis(700);
/// How long a run goes on after the faults, besides three of the longest heartbeats: a lease must be taken over, and
/// what was unclear be settled.
const RECOVERY: Duration = Duration::from_mins(1);

/// What the hosts of a run share.
pub(super) struct Stage {
    pub(super) seed: u64,
    pub(super) store: SimulatedStore,
    plan: Stored,
    began: Instant,
    watch: Arc<Mutex<Watch>>,
    last_number: AtomicU64,
    hosts: Mutex<BTreeMap<u8, Post>>,
}

/// Where a coordinator runs.
#[derive(Default)]
struct Post {
    incarnation: u32,
    process: Option<Process>,
    /// Whether the process was told to stop.
    stopping: bool,
    /// How many faults keep it from running.
    down: u32,
    served: BTreeMap<FeedName, (u64, u64)>,
    counters: Counters,
}

/// What the schedule does.
#[derive(Clone, Copy, Debug)]
enum Step {
    FaultBegins(usize),
    FaultEnds(usize),
    Submit(usize),
    Healed,
    Read,
    Ended,
}

impl Stage {
    pub(super) fn new(scenario: &Scenario, watch: Watch) -> Arc<Self> {
        let plan = scenario.stored.clone();
        let began = Instant::now();
        let watch = Arc::new(Mutex::new(watch));
        let observing = Arc::clone(&watch);
        let observer = Box::new(move |host, happened| {
            let event = StoreEvent::Store(happened);
            let at = began.elapsed().as_nanos() as u64;
            let mut watch = observing.lock().unwrap_or_else(PoisonError::into_inner);
            watch.event(&Event { at, host, what: What::Store(&event) });
        });
        let (engine, faults) = (plan.engine.clone(), &plan.faults);
        let store = SimulatedStore::new(scenario.seed, Host::Broker, engine, faults, observer);
        let (last_number, hosts) = (AtomicU64::new(0), Mutex::default());
        Arc::new(Self { seed: scenario.seed, store, plan, began, watch, last_number, hosts })
    }

    pub(super) fn now(&self) -> Duration {
        self.began.elapsed()
    }

    /// A number that is unique in the run.
    pub(super) fn number(&self) -> u64 {
        self.last_number.fetch_add(1, Ordering::Relaxed) + 1
    }

    pub(super) fn tell(&self, host: Host, event: &StoreEvent) {
        self.event(host, What::Store(event));
    }

    fn event(&self, host: Host, what: What<'_>) {
        let at = self.now().as_nanos() as u64;
        self.watch().event(&Event { at, host, what });
    }

    /// What watches the run.
    pub(super) fn watched(&self) -> Arc<Mutex<Watch>> {
        Arc::clone(&self.watch)
    }

    fn watch(&self) -> MutexGuard<'_, Watch> {
        self.watch.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn hosts(&self) -> MutexGuard<'_, BTreeMap<u8, Post>> {
        self.hosts.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What a lasting fault gives, if there is one of its kind.
    pub(super) fn lasting<T>(&self, of: impl Fn(StoreFaultKind) -> Option<T>) -> Option<T> {
        let now = self.now();
        let mut lasting = self.plan.faults.iter().filter(|fault| fault.from() <= now && now < fault.until());
        lasting.find_map(|fault| of(fault.kind))
    }

    /// The feed with a query.
    pub(super) fn feed(&self, query: &str) -> Option<&Feed> {
        self.plan.feeds.iter().find(|feed| feed.query() == query)
    }

    /// How long the round of a durable request takes, in milliseconds: at least, and at most.
    pub(super) fn round_ms(&self, id: &RequestId) -> (u64, u64) {
        let request = self.plan.requests.iter().find(|request| request.id() == id.as_str());
        request.map_or((1, 1), |request| request.round_ms)
    }

    /// The coordinators that there are, by number.
    pub(super) fn coordinators(&self) -> Vec<u8> {
        self.plan.coordinators.iter().map(|spec| spec.number).collect()
    }

    /// How clients reach the durable requests of a coordinator, and whether it is killed; `None` if it does not run.
    pub(super) fn durable(&self, number: u8) -> Option<(DurableHandle, CancellationToken)> {
        let hosts = self.hosts();
        let process = hosts.get(&number)?.process.as_ref()?;
        Some((process.durable.clone(), process.dead.clone()))
    }

    /// What the file of feeds says now.
    pub(super) fn definitions(&self) -> Vec<Arc<Definition>> {
        let is_there =
            |feed: &&Feed| self.lasting(|kind| (kind == StoreFaultKind::Without(feed.number)).then_some(())).is_none();
        let define = |feed: &Feed| {
            let other = self.lasting(|kind| (kind == StoreFaultKind::Redefine(feed.number)).then_some(()));
            Arc::new(definition(feed, other.is_some()))
        };
        self.plan.feeds.iter().filter(is_there).map(define).collect()
    }

    /// Plays the run.
    pub(super) async fn play(self: Arc<Self>) {
        for spec in &self.plan.coordinators {
            self.start(spec);
        }
        for (at, step) in self.schedule() {
            sleep_until(self.began + at).await;
            self.watch().step();
            self.perform(step);
            if self.watch().is_over() {
                break;
            }
        }
        for post in std::mem::take(&mut *self.hosts()).into_values() {
            post.process.iter().for_each(Process::kill);
        }
    }

    fn schedule(&self) -> Vec<(Duration, Step)> {
        let mut steps = Vec::new();
        for (place, fault) in self.plan.faults.iter().enumerate() {
            steps.push((fault.from(), Step::FaultBegins(place)));
            steps.push((fault.until(), Step::FaultEnds(place)));
        }
        for (place, request) in self.plan.requests.iter().enumerate() {
            steps.push((Duration::from_millis(request.at_ms), Step::Submit(place)));
        }
        let healed = Duration::from_millis(self.plan.heal_ms);
        let longest = self.plan.feeds.iter().map(|feed| feed.heartbeat_ms).max().unwrap_or(0);
        let ended = healed + Duration::from_millis(3 * longest) + RECOVERY;
        steps.push((healed, Step::Healed));
        let mut reads = READ_EVERY;
        while reads < ended {
            steps.push((reads, Step::Read));
            reads += READ_EVERY;
        }
        steps.push((ended, Step::Ended));
        steps.sort_by_key(|(at, _)| *at);
        steps
    }

    fn perform(self: &Arc<Self>, step: Step) {
        match step {
            Step::FaultBegins(place) => {
                let fault = &self.plan.faults[place];
                self.tell(Host::Broker, &StoreEvent::FaultBegan(place, fault.clone()));
                self.begins(fault);
            }
            Step::FaultEnds(place) => {
                let fault = &self.plan.faults[place];
                self.tell(Host::Broker, &StoreEvent::FaultEnded(place, fault.clone()));
                self.ends(fault);
            }
            Step::Submit(place) => {
                tokio::spawn(client::submit(Arc::clone(self), place, self.plan.requests[place].clone()));
            }
            Step::Healed => self.event(Host::Broker, What::Healed),
            Step::Read => self.read(),
            Step::Ended => {
                self.read();
                self.event(Host::Broker, What::Ended);
            }
        }
    }

    fn begins(self: &Arc<Self>, fault: &StoreFault) {
        match fault.kind {
            StoreFaultKind::Crash(Host::Coordinator(number)) => {
                let mut hosts = self.hosts();
                let Some(post) = hosts.get_mut(&number) else { return };
                post.down += 1;
                if let Some(process) = post.process.take() {
                    process.kill();
                    self.event(Host::Coordinator(number), What::Crashed);
                }
            }
            StoreFaultKind::Stop(Host::Coordinator(number)) => {
                let mut hosts = self.hosts();
                let Some(post) = hosts.get_mut(&number) else { return };
                post.down += 1;
                if let Some(process) = post.process.as_ref().filter(|_| !post.stopping) {
                    post.stopping = true;
                    process.stop();
                    self.event(Host::Coordinator(number), What::Stopping);
                }
            }
            StoreFaultKind::Without(_) | StoreFaultKind::Redefine(_) => self.reload(),
            StoreFaultKind::Strangers(number, every_ms) => {
                let feed = self.plan.feeds.iter().find(|feed| feed.number == number).expect("a feed of the plan");
                let (key, every) = (Key::new(&feed.name()), Duration::from_millis(every_ms));
                tokio::spawn(self.store.clone().strangers(key, every, self.began + fault.until()));
            }
            _ => {}
        }
    }

    fn ends(self: &Arc<Self>, fault: &StoreFault) {
        match fault.kind {
            StoreFaultKind::Crash(Host::Coordinator(number)) | StoreFaultKind::Stop(Host::Coordinator(number)) => {
                if let Some(post) = self.hosts().get_mut(&number) {
                    post.down -= 1;
                }
                self.tend();
            }
            StoreFaultKind::Without(_) | StoreFaultKind::Redefine(_) => self.reload(),
            _ => {}
        }
    }

    /// Lets every coordinator read the file of feeds again.
    fn reload(&self) {
        let definitions = self.definitions();
        for (number, post) in self.hosts().iter() {
            let Some(process) = &post.process else { continue };
            self.tell(Host::Coordinator(*number), &StoreEvent::Defined(definitions.clone()));
            let (feeds, definitions) = (process.feeds.clone(), definitions.clone());
            tokio::spawn(async move { feeds.define(definitions).await });
        }
    }

    fn start(self: &Arc<Self>, spec: &Keeper) {
        let host = Host::Coordinator(spec.number);
        let mut hosts = self.hosts();
        let post = hosts.entry(spec.number).or_default();
        post.incarnation += 1;
        (post.stopping, post.counters) = (false, Counters::default());
        post.served.clear();
        self.event(host, What::Started { incarnation: post.incarnation });
        post.process = Some(Process::start(self, spec, post.incarnation));
    }

    /// Notes which processes have stopped, and starts those that should run.
    fn tend(self: &Arc<Self>) {
        let mut missing = Vec::new();
        for (number, post) in self.hosts().iter_mut() {
            if let Some(process) = post.process.take_if(|process| process.has_ended()) {
                let (stage, host) = (Arc::clone(self), Host::Coordinator(*number));
                self.event(host, What::Stopped);
                tokio::spawn(async move {
                    if let Some(text) = process.panic().await {
                        stage.event(host, What::Panicked(&text));
                    }
                });
            }
            if post.process.is_none() && post.down == 0 {
                missing.push(*number);
            }
        }
        for spec in self.plan.coordinators.iter().filter(|spec| missing.contains(&spec.number)) {
            self.start(spec);
        }
    }

    /// Readers look at what every coordinator serves.
    fn read(self: &Arc<Self>) {
        self.tend();
        for (number, post) in self.hosts().iter_mut() {
            let host = Host::Coordinator(*number);
            let Some(process) = post.process.as_ref().filter(|process| process.store.paused().is_none()) else {
                continue;
            };
            let board = process.feeds.board();
            for latest in board.feeds() {
                let (newest, report) = (latest.newest.as_ref().map(shown), latest.report.as_ref().map(shown));
                let round = |shown: &Option<Shown>| shown.as_ref().map_or(0, |shown| shown.round);
                let served = (round(&newest), round(&report));
                let name = latest.definition.name.clone();
                if post.served.insert(name.clone(), served) != Some(served) {
                    self.tell(host, &StoreEvent::Served(name, newest, report));
                }
            }
            let counters = board.state().counters;
            if std::mem::replace(&mut post.counters, counters) != counters {
                self.tell(host, &StoreEvent::Counted(counters));
            }
        }
    }
}

fn shown(record: &StoredRecord) -> Shown {
    Shown { sequence: record.head.link.sequence, round: record.head.round, body: record.body.clone() }
}

/// The definition of a feed, or another one of the same feed.
fn definition(feed: &Feed, is_other: bool) -> Definition {
    let name = FeedName::new(&feed.name()).expect("a name");
    let query = Query::new(&feed.query()).expect("a query");
    let deviation = |millionths: u32| Decimal::new(millionths.into(), 6);
    let (heartbeat_ms, millionths) = match (is_other, feed.deviation) {
        (false, deviation) => (feed.heartbeat_ms, deviation),
        (true, Some(_)) => (2 * feed.heartbeat_ms, None),
        (true, None) => (feed.heartbeat_ms / 2, Some(1_000)),
    };
    let heartbeat = Duration::from_millis(heartbeat_ms);
    let min_interval = Duration::from_millis(feed.interval_ms).min(heartbeat);
    Definition { deviation: millionths.map(deviation), min_interval, ..Definition::new(name, query, heartbeat) }
}
