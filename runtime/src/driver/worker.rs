//! The driver of a worker.

use std::io;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use quorate_core::Worker;
use quorate_core::coordinator::PresenceState;
use quorate_core::id::WorkerId;
use quorate_core::query::Query;
use quorate_core::trace::Trace;
use quorate_core::worker::{Config, Input, JobId, Output, Task};
use tracing::{debug, info};

use super::Alarm;
use super::answers::Answers;
use super::bus_watch::{BusChange, BusWatch};
use super::identity::WorkerIdentity;
use super::jobs::{Ended, Jobs, Work};
use super::service::{Drops, Service};
use super::settings::BATCH;
use super::tap::{Held, Tap, Tapped};
use super::tasks::{Arrived, Tasks};
use crate::bus::{Bus, BusError, Message, Subscription};
use crate::clock::Clock;
use crate::source::{self, Reading, Source};
use crate::spans::{Attribute, OpenSpan, SpanKind, Tracer};
use crate::wire::{self, PresenceMessage, Subjects, TraceContext};

/// The settings of a worker.
#[derive(Clone, Debug)]
pub struct WorkerSettings {
    /// Its identity.
    pub identity: WorkerIdentity,
    /// The subjects of the deployment.
    pub subjects: Subjects,
    /// The machine's limits and times.
    pub machine: Config,
    /// Whether it takes packs of tasks.
    pub packs: bool,
    /// Records the spans of tasks. Without a tracer, trace contexts are passed on unchanged.
    pub tracer: Option<Tracer>,
    /// The most messages taken from one subscription before the machine's outputs are carried out; at least 1.
    pub batch: usize,
    /// The most bytes of a pack of results, unless it has only one; at most [`MAX_MESSAGE_BYTES`](wire::MAX_MESSAGE_BYTES).
    pub pack_bytes: usize,
}

impl WorkerSettings {
    /// A worker without replicas, with the default limits and times: 64 tasks at once, an announcement every 2 s.
    ///
    /// # Errors
    /// Those of [`WorkerIdentity::new`].
    pub fn new(id: WorkerId) -> io::Result<Self> {
        WorkerIdentity::new(id).map(Self::of)
    }

    /// A worker with the default limits and times.
    pub fn of(identity: WorkerIdentity) -> Self {
        let (subjects, machine) = (Subjects::default(), Config::default());
        let (packs, pack_bytes) = (true, wire::MAX_MESSAGE_BYTES);
        Self { identity, subjects, machine, packs, tracer: None, batch: BATCH, pack_bytes }
    }
}

/// Owns a [`Worker`] and runs it over a bus, with a [`Source`].
#[derive(Debug)]
pub struct WorkerDriver<B: Bus, S, T = ()> {
    machine: Tapped<Worker, T>,
    identity: WorkerIdentity,
    subjects: Subjects,
    bus: B,
    clock: Clock,
    source: Arc<S>,
    /// `None` once the worker accepts no further tasks.
    tasks: Option<Tasks<B::Subscription>>,
    takes_packs: bool,
    answers: Answers,
    service: Service<B>,
    bus_watch: BusWatch,
    jobs: Jobs,
    tracer: Option<Tracer>,
    batch: usize,
    state: PresenceState,
    tasks_malformed: u64,
    drained: bool,
}

impl<B: Bus, S: Source> WorkerDriver<B, S> {
    /// Makes the subscriptions of a worker.
    ///
    /// # Errors
    /// [`BusError`] if the bus cannot subscribe.
    pub async fn new(bus: B, clock: Clock, settings: WorkerSettings, source: S) -> Result<Self, BusError> {
        let WorkerSettings { identity, subjects, machine, packs, tracer, batch, pack_bytes } = settings;
        let tasks = Tasks::new(&bus, &identity, &subjects, packs).await?;
        let service = Service::new(&bus, &identity, &subjects, &machine.offer).await?;
        Ok(Self {
            machine: Tapped::new(Worker::new(machine), ()),
            bus_watch: BusWatch::new(bus.status()),
            identity,
            subjects,
            bus,
            clock,
            source: Arc::new(source),
            tasks: Some(tasks),
            takes_packs: packs,
            answers: Answers::new(pack_bytes),
            service,
            jobs: Jobs::default(),
            tracer,
            batch: batch.max(1),
            state: PresenceState::Live,
            tasks_malformed: 0,
            drained: false,
        })
    }

    /// The same driver, with a tap that sees all inputs and outputs of its machine.
    pub fn with_tap<T: Tap<Worker>>(self, tap: T) -> WorkerDriver<B, S, T> {
        WorkerDriver {
            machine: self.machine.with_tap(tap),
            identity: self.identity,
            subjects: self.subjects,
            bus: self.bus,
            clock: self.clock,
            source: self.source,
            tasks: self.tasks,
            takes_packs: self.takes_packs,
            answers: self.answers,
            service: self.service,
            bus_watch: self.bus_watch,
            jobs: self.jobs,
            tracer: self.tracer,
            batch: self.batch,
            state: self.state,
            tasks_malformed: self.tasks_malformed,
            drained: self.drained,
        }
    }
}

impl<B: Bus, S: Source, T: Tap<Worker>> WorkerDriver<B, S, T> {
    /// Runs until `stop` completes and the tasks at hand are answered, or the bus is closed for good.
    pub async fn run(mut self, stop: impl Future<Output = ()> + Send) {
        self.work(stop).await;
    }

    async fn work(&mut self, stop: impl Future<Output = ()> + Send) {
        self.bus_changed();
        self.execute();
        let mut stop = pin!(stop);
        let mut stopping = false;
        let mut alarm = Alarm::new(&self.clock);
        while !self.drained {
            alarm.set(&self.clock, self.machine.poll_timeout());
            tokio::select! {
                biased;
                open = self.bus_watch.changed() => {
                    if !open {
                        return;
                    }
                }
                () = &mut stop, if !stopping => {
                    stopping = true;
                    info!("draining");
                    self.input(&Input::Drain);
                }
                Some(ended) = self.jobs.next() => self.job_ended(ended),
                Some(arrived) = recv_if(&mut self.tasks) => self.arrived(&arrived),
                Some(message) = self.service.recv() => self.serve(&message),
                () = alarm.wait() => {}
            }
            self.take_all_ready();
            self.machine.wake(self.clock.now());
            self.execute();
        }
        self.bus.flush().await;
    }

    /// Takes what else is ready. Tasks and service requests have a share each.
    fn take_all_ready(&mut self) {
        self.bus_changed();
        while let Some(ended) = self.jobs.try_next() {
            self.job_ended(ended);
        }
        let arrived = self.tasks.as_mut().map(|tasks| tasks.ready(self.batch));
        for arrived in arrived.into_iter().flatten() {
            self.arrived(&arrived);
        }
        for message in self.service.ready(self.batch) {
            self.serve(&message);
        }
    }

    /// Answers a service request with the state that was announced last.
    fn serve(&self, message: &Message) {
        let (drops, packs) = (self.drops(), self.takes_packs());
        self.service.answer(message, self.machine.counters(), drops, self.state, packs);
    }

    fn input(&mut self, input: &Input) {
        self.machine.input(self.clock.now(), input);
    }

    fn bus_changed(&mut self) {
        for change in self.bus_watch.changes() {
            match change {
                BusChange::Up => self.input(&Input::BusUp),
                BusChange::Down => self.input(&Input::BusDown),
            }
        }
    }

    fn arrived(&mut self, arrived: &Arrived) {
        match arrived {
            Arrived::Task(message) => {
                let task = wire::decode_task(&message.payload, message.reply.as_deref());
                let trace = TraceContext::of_message(&message.headers).map(TraceContext::mark);
                self.task(task.map(|task| Task { trace, ..task }));
            }
            Arrived::Pack(message) => match wire::decode_tasks(&message.payload, message.reply.as_deref()) {
                Ok(tasks) => {
                    tasks.for_each(|task| self.task(task));
                    // A source that answers at once leaves its place to the next pack.
                    self.carry_out();
                }
                Err(error) => self.task(Err(error)),
            },
        }
    }

    fn task(&mut self, task: Result<Task, wire::WireError>) {
        match task {
            Ok(task) => self.input(&Input::Task(task)),
            Err(error) => {
                self.tasks_malformed += 1;
                debug!(%error, "a task is dropped");
            }
        }
    }

    fn job_ended(&mut self, Ended { job, work, read }: Ended) {
        let (observed, age) = match read {
            Ok(Reading { value, age }) => (Ok(value), age),
            Err(failure) => (Err(failure), None),
        };
        let trace = work.context.map(TraceContext::mark);
        if let Some(span) = work.span {
            end(span, observed.as_ref().err().map(AsRef::as_ref));
        }
        self.input(&Input::Done { job, observed, age, trace });
    }

    /// Queries the source.
    fn start(&mut self, job: JobId, query: Query, time_left: Duration, trace: Option<Trace>) {
        let asked_by = trace.and_then(TraceContext::of_mark);
        let span = self.span(&query, asked_by);
        let context = span.as_ref().map(OpenSpan::context).or(asked_by);
        let source = Arc::clone(&self.source);
        let reading = source::within(context, async move {
            let read = source.observe(query.as_str(), time_left).await;
            read.map_err(|error| error.to_string().into())
        });
        if let Some(ended) = self.jobs.start(job, Work { context, span }, reading) {
            self.job_ended(ended);
        }
    }

    /// The span of a task. The caller decides whether there is one, so a trace is recorded as a whole or not at all.
    fn span(&self, query: &Query, asked_by: Option<TraceContext>) -> Option<OpenSpan> {
        let mut span = self.tracer.as_ref()?.begin_within("process oracle.tasks", SpanKind::Consumer, asked_by?)?;
        span.set("quorate.worker.id", Attribute::text(&self.identity.id));
        span.set("quorate.query", Attribute::text(query));
        Some(span)
    }

    fn execute(&mut self) {
        self.carry_out();
        self.machine.pass_ended(Held { running: self.jobs.len(), ..Held::default() });
    }

    /// Carries out the outputs of the machine.
    fn carry_out(&mut self) {
        while let Some(output) = self.machine.next_output() {
            match output {
                Output::Start { job, query, time_left, trace } => self.start(job, query, time_left, trace),
                Output::Abort(job) => {
                    if let Some(span) = self.jobs.abort(job).and_then(|work| work.span) {
                        end(span, Some("the task ran out of time"));
                    }
                }
                Output::Answer(result) => {
                    if let Err(error) = &result.observed {
                        self.service.note_error(error);
                    }
                    self.answers.send(&self.bus, &self.identity.id, &self.subjects, result);
                }
                Output::Announce(state) => self.announce(state),
                Output::CloseIntake => self.tasks = None,
                Output::Drained => self.drained = true,
            }
        }
        self.answers.flush(&self.bus, &self.identity.id);
    }

    fn drops(&self) -> Drops {
        Drops {
            tasks_malformed: self.tasks_malformed,
            tasks_unoffered: self.machine.counters().tasks_unoffered,
            tasks_expired: self.machine.counters().tasks_expired,
            tasks_dropped: self.tasks.as_ref().map_or(0, Tasks::dropped),
            results_unsent: self.answers.unsent,
        }
    }

    /// Whether coordinators may send it packs. The bus says late if it does not let the worker receive them.
    fn takes_packs(&self) -> bool {
        self.takes_packs && !self.bus.forbids(self.subjects.packs())
    }

    fn announce(&mut self, state: PresenceState) {
        self.state = state;
        let message = PresenceMessage {
            worker_id: self.identity.id.as_str().into(),
            state: wire::state_name(state).into(),
            replicated: self.identity.replicated,
            instance: self.identity.instance.as_str().into(),
            version: env!("CARGO_PKG_VERSION").into(),
            packs: self.takes_packs(),
            queries: wire::queries(self.machine.offer()),
        };
        if let Err(error) = self.bus.publish(self.subjects.presence(), None, message.encode()) {
            debug!(%error, "an announcement is not sent");
        }
    }
}

fn end(mut span: OpenSpan, error: Option<&str>) {
    if let Some(error) = error {
        span.fail(error);
    }
    span.end();
}

/// The next message with tasks, unless the worker takes no further ones.
async fn recv_if<S: Subscription>(tasks: &mut Option<Tasks<S>>) -> Option<Arrived> {
    match tasks {
        Some(tasks) => tasks.recv().await,
        None => std::future::pending().await,
    }
}

#[cfg(test)]
mod tests {
    use quorate_core::value::Value;

    use super::*;
    use crate::bus::local::LocalBus;
    use crate::source::SourceError;

    /// A source that panics, never answers or returns a number, depending on the query.
    struct Moody;

    impl Source for Moody {
        async fn observe(&self, query: &str, _time_left: Duration) -> Result<Reading, SourceError> {
            match query {
                "panic" => panic!("the source of this test panics"),
                "never" => std::future::pending().await,
                _ => Ok(Value::number("1").expect("a number").into()),
            }
        }
    }

    #[tokio::test(start_paused = true)]
    async fn nothing_is_kept_of_jobs_that_have_ended_however_they_did() {
        let bus = LocalBus::new();
        let settings = WorkerSettings::new(WorkerId::new("w1").expect("an id")).expect("random numbers");
        let driver = WorkerDriver::new(bus.connection(), Clock::new(), settings, Moody).await;
        let mut driver = driver.expect("it subscribes");
        for query in ["x", "panic", "never"] {
            let task = format!(r#"{{"id":"{query}","query":"{query}","ttl_ms":500}}"#);
            bus.publish(wire::TASKS, None, task.into()).expect("it is connected");
        }
        driver.work(tokio::time::sleep(Duration::from_secs(1))).await;
        let counters = driver.machine.counters();
        assert_eq!((counters.succeeded, counters.failed, counters.tasks_expired), (1, 1, 1));
        assert!(driver.jobs.is_empty(), "{:?}", driver.jobs);
    }
}
