//! One run: steps the simulation, and applies the schedule of faults between the steps.

mod cast;

use std::collections::{BTreeMap, BTreeSet};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use quorate_runtime::http::ServeLimits;
use tokio::sync::mpsc::UnboundedSender;
use turmoil::{Builder, Sim};

use super::broker::{self, BrokerControl};
use super::client::{Clients, Errand};
use super::condition::{Condition, Wrong};
use super::life::{Life, Phase};
use super::links::Links;
use super::panics::Catch;
use super::schedule::{Moment, Schedule};
use super::sink::EventSink;
use super::stage::Surroundings;
use crate::event::What;
use crate::host::Host;
use crate::mischief::Mischiefs;
use crate::observe::SourceFaults;
use crate::random::{Random, Stream};
use crate::retry;
use crate::scenario::{FaultKind, Forgery, Scenario};

/// The simulated time of one step, and the resolution of the network's latency and tokio's timers.
const TICK: Duration = Duration::from_millis(1);
/// How long a process may take to stop beyond its open requests: to flush its bus, or for the worker's drain grace.
const STOP_SLACK: Duration = Duration::from_secs(4);
/// How long a response may take beyond four timeouts.
const PATIENCE_SLACK: Duration = Duration::from_secs(1);
/// How long recovery may take beyond what the settings imply.
const SETTLE_SLACK: Duration = Duration::from_secs(1);

/// A run.
pub(super) struct Play<'a> {
    scenario: &'a Scenario,
    sim: Sim<'a>,
    sink: EventSink,
    catch: Catch,
    /// The processes that faults can end.
    lives: BTreeMap<Host, Arc<Life>>,
    conditions: BTreeMap<Host, Arc<Condition>>,
    /// `None` until all hosts have been added.
    links: Option<Links>,
    schedule: Schedule,
    /// The indices of the active faults in the schedule.
    lasting: BTreeSet<usize>,
    healed: bool,
    /// Whether all processes have been told to stop, so that none is started again.
    ending: bool,
    broker: BrokerControl,
    clients: Arc<Clients>,
    errands: BTreeMap<u8, UnboundedSender<Errand>>,
    forgeries: Option<UnboundedSender<Forgery>>,
}

impl<'a> Play<'a> {
    pub(super) fn new(scenario: &'a Scenario, sink: EventSink) -> Self {
        let surroundings = Surroundings::new(scenario, sink.clone());
        let patience = 4 * Duration::from_millis(scenario.cluster.settings.max_timeout_ms) + PATIENCE_SLACK;
        let mut play = Self {
            scenario,
            sim: simulation(scenario),
            sink,
            catch: Catch::begin(),
            lives: BTreeMap::new(),
            conditions: BTreeMap::new(),
            links: None,
            schedule: Schedule::new(scenario),
            lasting: BTreeSet::new(),
            healed: false,
            ending: false,
            broker: BrokerControl::new(),
            clients: Arc::new(Clients::new(surroundings.clone(), scenario.cluster.clone(), patience)),
            errands: BTreeMap::new(),
            forgeries: None,
        };
        play.add_hosts(&surroundings);
        let hosts: Vec<Host> = scenario.hosts().collect();
        play.links = Some(Links::new(scenario.seed, scenario.cluster.network, &hosts, &play.sim));
        play
    }

    /// Plays the run to its end, or until an invariant is broken.
    pub(super) fn run(mut self) {
        let heal = Duration::from_millis(self.scenario.heal_ms);
        self.run_until(heal, |_| false);
        self.heal();
        let cluster = &self.scenario.cluster;
        let millis = Duration::from_millis;
        let max_timeout = millis(cluster.settings.max_timeout_ms);
        let stopping = max_timeout + ServeLimits::default().stop_timeout + STOP_SLACK;
        // Let processes that were told to stop just before the healing stop and start again.
        self.run_for(stopping, Self::all_run);
        let announced = cluster.workers.iter().map(|worker| worker.announce_ms).max().unwrap_or(0);
        let bus = 2 * millis(cluster.bus.keepalive_ms) + millis(cluster.bus.reconnect_ms.1);
        self.run_for(bus + millis(announced + cluster.settings.presence_ms) + SETTLE_SLACK, |_| false);
        // Let open requests finish first: they could use up the capacity that the probes need.
        let retries = self.scenario.requests.iter().map(|request| u32::from(request.retries)).max().unwrap_or(0);
        let exchange = 4 * max_timeout + 2 * PATIENCE_SLACK;
        self.run_for(exchange * (retries + 1), |play| play.clients.are_done());
        self.probe();
        self.run_for(exchange, |play| play.clients.are_done());
        // Let late workers answer.
        self.run_for(max_timeout.min(SETTLE_SLACK), |_| false);
        self.stop_all();
        self.run_for(stopping, Self::all_have_stopped);
        if !self.sink.is_over() {
            self.sink.tell(Host::Broker, What::Ended);
        }
    }

    fn run_for(&mut self, time: Duration, done: impl Fn(&Self) -> bool) {
        self.run_until(self.sim.elapsed() + time, done);
    }

    /// Steps until `done`, or until that simulated time.
    fn run_until(&mut self, until: Duration, done: impl Fn(&Self) -> bool) {
        while self.sim.elapsed() < until && !done(self) && !self.sink.is_over() {
            self.keep_to_schedule();
            self.step();
        }
    }

    fn step(&mut self) {
        self.sink.step();
        self.sink.set_now(self.sim.elapsed());
        if let Some(links) = &mut self.links {
            links.weather(&mut self.sim);
        }
        let stepped = catch_unwind(AssertUnwindSafe(|| self.sim.step()));
        let mut panics = self.catch.take();
        if let (Ok(Err(error)), true) = (&stepped, panics.is_empty()) {
            panics.push((Host::Broker, format!("a host ended: {error}")));
        }
        // The rest of the run is not deterministic once a task has panicked.
        if !panics.is_empty() {
            for (host, text) in &panics {
                self.sink.tell(*host, What::Panicked(text));
            }
            self.sink.end();
        }
        self.sink.set_now(self.sim.elapsed());
        self.bury_the_stopped();
    }

    fn keep_to_schedule(&mut self) {
        while let Some(moment) = self.schedule.next(self.sim.elapsed()) {
            match moment {
                Moment::Begin(place) => {
                    let fault = &self.scenario.faults[place];
                    self.sink.tell(Host::Broker, What::FaultBegan(place, fault));
                    self.lasting.insert(place);
                    self.apply_faults();
                    match &fault.kind {
                        FaultKind::Crash(host) => self.crash(*host),
                        FaultKind::Stop(host) => self.stop(*host),
                        _ => {}
                    }
                }
                Moment::End(place) => {
                    self.lasting.remove(&place);
                    self.apply_faults();
                    self.sink.tell(Host::Broker, What::FaultEnded(place, &self.scenario.faults[place]));
                    self.revive_the_dead();
                }
                Moment::Again(place) => match self.scenario.faults[place].kind {
                    FaultKind::ReconnectStorm(_) => self.broker.kick_all(),
                    FaultKind::Forge(forgery, _) => {
                        if let Some(forgeries) = &self.forgeries {
                            // The adversary's host receives for as long as the run lasts.
                            let _ = forgeries.send(forgery);
                        }
                    }
                    _ => {}
                },
            }
        }
    }

    /// Applies the active faults to the links, the broker and the workers.
    fn apply_faults(&mut self) {
        let scenario = self.scenario;
        let kinds = || self.lasting.iter().map(|place| &scenario.faults[*place].kind);
        if let Some(links) = &mut self.links {
            links.apply(&mut self.sim, kinds());
        }
        let bridge = kinds().filter_map(|kind| match kind {
            FaultKind::Bridge(permille, millis) => Some((*permille, *millis)),
            _ => None,
        });
        let (permille, latest_ms) = bridge.max().unwrap_or_default();
        let random = || Random::new(scenario.seed, Stream::Bridge, 0);
        self.broker.repeat(random, permille, Duration::from_millis(latest_ms));
        for (host, condition) in &self.conditions {
            condition.set(Wrong {
                source: SourceFaults { healed: self.healed, ..SourceFaults::of(*host, kinds()) },
                paused: kinds().any(|kind| matches!(kind, FaultKind::Freeze(frozen) if frozen == host)),
                mischief: Mischiefs::of(*host, kinds()),
                presence_lost: kinds().any(|kind| matches!(kind, FaultKind::PresenceLost(lost) if lost == host)),
            });
        }
    }

    /// Ends all faults and restarts every process that is down.
    fn heal(&mut self) {
        self.keep_to_schedule();
        self.healed = true;
        self.apply_faults();
        self.revive_the_dead();
        self.sink.tell(Host::Broker, What::Healed);
    }

    fn crash(&mut self, host: Host) {
        if matches!(self.lives[&host].phase(), Phase::Beginning | Phase::Running | Phase::Stopping) {
            self.sink.tell(host, What::Crashed);
            self.bury(host);
        }
    }

    fn stop(&mut self, host: Host) {
        match self.lives[&host].phase() {
            Phase::Beginning => self.lives[&host].end(),
            Phase::Running => {
                self.sink.tell(host, What::Stopping);
                self.lives[&host].ask_to_stop();
            }
            Phase::Stopping | Phase::Stopped | Phase::Dead => {}
        }
    }

    /// Removes a process and closes its connections, which their other ends notice.
    fn bury(&mut self, host: Host) {
        self.lives[&host].end();
        self.restart_host(host);
    }

    fn bury_the_stopped(&mut self) {
        let stopped: Vec<Host> = self.hosts_that(|phase| phase == Phase::Stopped).collect();
        for host in &stopped {
            self.bury(*host);
        }
        if !stopped.is_empty() {
            self.revive_the_dead();
        }
    }

    /// Starts a process on each host that has none and that no active fault keeps down.
    fn revive_the_dead(&mut self) {
        let dead: Vec<Host> = self.hosts_that(|phase| phase == Phase::Dead).collect();
        for host in dead {
            let kept_down = |place: &usize| {
                let kind = &self.scenario.faults[*place].kind;
                matches!(kind, FaultKind::Crash(down) | FaultKind::Stop(down) if *down == host)
            };
            if !self.lasting.iter().any(kept_down) && !self.ending {
                self.lives[&host].begin_again();
                self.restart_host(host);
            }
        }
    }

    fn restart_host(&mut self, host: Host) {
        let name = host.to_string();
        self.sim.crash(name.as_str());
        self.sim.bounce(name.as_str());
    }

    fn hosts_that(&self, are: impl Fn(Phase) -> bool) -> impl Iterator<Item = Host> {
        self.lives.iter().filter(move |(_, life)| are(life.phase())).map(|(host, _)| *host)
    }

    fn all_run(&self) -> bool {
        self.hosts_that(|phase| phase != Phase::Running).next().is_none()
    }

    fn all_have_stopped(&self) -> bool {
        self.hosts_that(|phase| phase == Phase::Stopping).next().is_none()
    }

    /// Lets the first client probe every coordinator.
    fn probe(&mut self) {
        for request in retry::probes(&self.scenario.cluster) {
            let Some(errands) = self.errands.get(&request.client) else { continue };
            self.clients.expect(1);
            // The client's host receives for as long as the run lasts.
            let _ = errands.send((None, request));
        }
    }

    fn stop_all(&mut self) {
        self.ending = true;
        let hosts: Vec<Host> = self.lives.keys().filter(|host| **host != Host::Broker).copied().collect();
        for host in hosts {
            self.stop(host);
        }
    }
}

/// A simulation without hosts.
fn simulation<'a>(scenario: &Scenario) -> Sim<'a> {
    // The links set their own latencies; with an empty range, turmoil's is not random.
    let latency = Duration::from_micros(scenario.cluster.network.latency_us.0);
    Builder::new()
        .rng_seed(scenario.seed)
        .epoch(SystemTime::UNIX_EPOCH)
        .tick_duration(TICK)
        .simulation_duration(Duration::MAX)
        .min_message_latency(latency)
        .max_message_latency(latency)
        .tcp_capacity(broker::TCP_CAPACITY)
        .build()
}
