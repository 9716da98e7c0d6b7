//! A worker's host: its driver, as `quorate worker` runs it, with a source that observes what the scenario says.

use std::future::pending;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use quorate_runtime::driver::{WorkerDriver, WorkerIdentity, WorkerSettings};
use quorate_runtime::source::{Reading, Source, SourceError, trace_context};
use quorate_runtime::wire::TraceContext;
use tokio::time::sleep;

use super::condition::Condition;
use super::life::Life;
use super::mischief::MischievousBus;
use super::sink::{EventSink, MachineTap};
use super::stage::{Surroundings, clock};
use crate::checkers::said;
use crate::edge::Edge;
use crate::event::What;
use crate::host::Host;
use crate::instance;
use crate::mischief::Mischiefs;
use crate::observe::{Observer, PANICKED};
use crate::scenario::Worker;

/// How often a paused source checks whether it still is.
const PAUSE: Duration = Duration::from_millis(5);

/// Runs the host's process until it ends, and then does nothing.
pub(super) async fn run(
    surroundings: &Surroundings,
    worker: &Worker,
    condition: &Arc<Condition>,
    life: &Life,
) -> turmoil::Result {
    let Some(incarnation) = life.begin() else { return pending().await };
    let (host, number) = (Host::Worker(worker.number), incarnation.number);
    surroundings.begins(host, number);
    let clock = clock(worker.clock_ms, worker.jump);
    let bus = MischievousBus::new(
        surroundings.connect(host, number),
        Mischiefs::new(surroundings.seed, worker.number, number),
        Arc::clone(condition),
        (worker.clone(), clock),
    );
    let source = SimulatedSource {
        host,
        sink: surroundings.sink.clone(),
        observer: Mutex::new(Observer::new(surroundings.seed, worker, number)),
        condition: Arc::clone(condition),
    };
    let identity = WorkerIdentity {
        id: worker.id(),
        instance: instance::worker(worker.number, number),
        replicated: worker.replicated,
        started: SystemTime::UNIX_EPOCH,
    };
    let mut settings = WorkerSettings { machine: worker.config(), packs: worker.packs, ..WorkerSettings::of(identity) };
    settings.batch = worker.knobs.batch.unwrap_or(settings.batch);
    settings.pack_bytes = worker.knobs.pack_bytes.unwrap_or(settings.pack_bytes);
    let tap = MachineTap { host, sink: surroundings.sink.clone() };
    let driver = WorkerDriver::new(bus, clock, settings, source).await?.with_tap(tap);
    driver.run(incarnation.stop()).await;
    life.has_stopped();
    surroundings.sink.tell(host, What::Stopped);
    pending().await
}

/// A source that observes what the scenario and the active faults say.
struct SimulatedSource {
    host: Host,
    sink: EventSink,
    observer: Mutex<Observer>,
    condition: Arc<Condition>,
}

impl Source for SimulatedSource {
    async fn observe(&self, query: &str, _time_left: Duration) -> Result<Reading, SourceError> {
        self.sink.tell(self.host, What::Edge(Edge::Observes(trace_context().map(TraceContext::mark))));
        let faults = self.condition.lock().source;
        let (takes, read) = self.observer.lock().unwrap_or_else(PoisonError::into_inner).observe(query, &faults);
        sleep(takes).await;
        while self.condition.lock().paused {
            sleep(PAUSE).await;
        }
        let read = read.map_err(SourceError::Failed);
        let words = read.as_ref().err().map(ToString::to_string).unwrap_or_default();
        let says = read.as_ref().map(|read| (&read.value, read.age)).map_err(|_| words.as_str());
        self.sink.tell(self.host, What::Edge(Edge::Reads(said(query, says))));
        assert!(words != PANICKED, "{PANICKED}");
        read
    }
}
