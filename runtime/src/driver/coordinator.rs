//! The driver of a coordinator.

use std::fmt::Write as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use bytes::Bytes;
use quorate_core::Coordinator;
use quorate_core::coordinator::{
    Config, Event, Input, Output, Presence, ResultFate, Task, Undelivered, UndeliveredCause, WorkerResult,
};
use quorate_core::id::TaskId;
use quorate_core::time::Timestamp;
use tokio::sync::mpsc;
use tokio::task::yield_now;
use tracing::{debug, info};

use super::Alarm;
use super::bus_watch::{BusChange, BusWatch};
use super::callers::Callers;
use super::handle::{Command, CoordinatorHandle};
use super::identity::own_seed;
use super::intake::{Batch, First, Intake, ping_subject};
use super::packs::Packs;
use super::settings::DriverSettings;
use super::snapshot::{Snapshot, WorkerView};
use super::tap::{Held, Tap, Tapped};
use super::view::{AtOnce, Shows, View};
use crate::bus::{Bus, BusError, Message, PublishError};
use crate::clock::Clock;
use crate::spans::{Attribute, SpanKind, Tracer};
use crate::wire::{self, EncodedOutcome, PresenceMessage, TraceContext};

/// How far the time of day may differ from what the machine believes before the machine is told. Less than this is the
/// time between two readings of clocks on a busy host.
const MAX_WALL_ERROR: Duration = Duration::from_millis(10);

/// How long an outcome may wait until it is published, while nothing is in flight.
const TELL_WITHIN: Duration = Duration::from_millis(2);

/// Owns a [`Coordinator`] and runs it over a bus.
#[derive(Debug)]
pub struct CoordinatorDriver<B: Bus, T = ()> {
    machine: Tapped<Coordinator, T>,
    bus: B,
    clock: Clock,
    commands: mpsc::Receiver<Command>,
    intake: Intake<B::Subscription>,
    /// A buffer, empty between passes.
    batch: Batch,
    /// Tasks that may be packed; empty between passes.
    packable: Vec<Task>,
    packs: Packs,
    /// The outcomes that are not published yet, and when they will be at the latest.
    untold: Vec<EncodedOutcome>,
    tell_at: Option<Timestamp>,
    bus_watch: BusWatch,
    settings: DriverSettings,
    callers: Callers,
    tracer: Option<Tracer>,
    malformed: u64,
    outcomes_unpublished: u64,
    /// Counts the requests that are refused because the queue of commands is full.
    busy: Arc<AtomicU64>,
    shows: Shows,
    drained: bool,
}

impl<B: Bus> CoordinatorDriver<B> {
    /// Makes the subscriptions of a coordinator.
    ///
    /// # Errors
    /// [`BusError`] if the bus cannot subscribe.
    pub async fn new(
        bus: B,
        clock: Clock,
        config: Config,
        settings: DriverSettings,
    ) -> Result<(Self, CoordinatorHandle), BusError> {
        // Taps and the trails of callers rely on the machine's events.
        let config = Config { events: true, ..config };
        let intake = Intake::new(&bus, &settings).await?;
        let seed = own_seed(settings.seed, &settings.instance);
        let (sender, commands) = mpsc::channel(config.max_in_flight.max(settings.batch).max(1));
        let busy = Arc::<AtomicU64>::default();
        let view = Arc::new(View::new(clock));
        let driver = Self {
            bus_watch: BusWatch::new(bus.status()),
            machine: Tapped::new(Coordinator::new(config, seed), ()),
            bus,
            clock,
            commands,
            intake,
            batch: Batch::default(),
            packable: Vec::new(),
            packs: Packs::default(),
            untold: Vec::new(),
            tell_at: None,
            settings,
            callers: Callers::default(),
            tracer: None,
            malformed: 0,
            outcomes_unpublished: 0,
            busy: Arc::clone(&busy),
            shows: Shows(Arc::clone(&view)),
            drained: false,
        };
        Ok((driver, CoordinatorHandle::new(sender, busy, view)))
    }

    /// The same driver, with a tap that sees all inputs and outputs of its machine.
    pub fn with_tap<T: Tap<Coordinator>>(self, tap: T) -> CoordinatorDriver<B, T> {
        CoordinatorDriver {
            machine: self.machine.with_tap(tap),
            bus: self.bus,
            clock: self.clock,
            commands: self.commands,
            intake: self.intake,
            batch: self.batch,
            packable: self.packable,
            packs: self.packs,
            untold: self.untold,
            tell_at: self.tell_at,
            bus_watch: self.bus_watch,
            settings: self.settings,
            callers: self.callers,
            tracer: self.tracer,
            malformed: self.malformed,
            outcomes_unpublished: self.outcomes_unpublished,
            busy: self.busy,
            shows: self.shows,
            drained: self.drained,
        }
    }
}

impl<B: Bus, T: Tap<Coordinator>> CoordinatorDriver<B, T> {
    /// The same driver, which records a span for each result that arrives after its request has ended.
    pub fn with_tracer(self, tracer: Option<Tracer>) -> Self {
        Self { tracer, ..self }
    }

    /// The same driver, with `every` as the shortest time between two snapshots for readers. The default is 250 ms.
    pub fn with_snapshot_every(self, every: Duration) -> Self {
        self.shows.every(every);
        self
    }

    /// Runs until the machine has drained, no handle is left, or the bus is closed for good.
    pub async fn run(mut self) {
        self.follow_wall_clock();
        self.bus_changed();
        self.execute();
        let mut alarm = Alarm::new(&self.clock);
        while !self.drained {
            alarm.set(&self.clock, self.machine.poll_timeout().into_iter().chain(self.tell_at).min());
            tokio::select! {
                biased;
                open = self.bus_watch.changed() => {
                    if !open {
                        return;
                    }
                }
                first = self.intake.first() => {
                    self.follow_wall_clock();
                    match first {
                        First::Reply(message) => self.reply(&message),
                        First::Result(message) => self.lone_result(&message, None),
                        First::Pong(message) => self.pong(&message),
                        First::Held => {}
                    }
                }
                command = self.commands.recv() => {
                    let Some(command) = command else {
                        self.drained = true;
                        self.publish_outcomes();
                        break;
                    };
                    self.follow_wall_clock();
                    self.command(command);
                }
                () = alarm.wait() => {}
                () = self.shows.wanted() => {}
            }
            // Unless a single request is in flight, the first message is seldom alone. Letting the other tasks run now means
            // that one pass, one write to the bus and one wake-up of each worker serve all of them.
            if self.machine.in_flight() != 1 {
                yield_now().await;
            }
            self.take_all_ready();
            self.machine.wake(self.clock.now());
            self.execute();
            self.show();
        }
        self.bus.flush().await;
    }

    /// Takes everything else that is ready. Results come before presence announcements, so that a worker's last answer
    /// precedes its farewell. Commands come last, so that an overload of them does not delay results. Each kind has a
    /// share that no other can use.
    fn take_all_ready(&mut self) {
        self.follow_wall_clock();
        self.bus_changed();
        let mut batch = std::mem::take(&mut self.batch);
        self.intake.take(&mut batch);
        for message in batch.replies.drain(..) {
            self.reply(&message);
        }
        for message in batch.results.drain(..) {
            self.lone_result(&message, None);
        }
        for message in batch.pongs.drain(..) {
            self.pong(&message);
        }
        for message in batch.announcements.drain(..) {
            self.presence(PresenceMessage::decode(&message.payload));
        }
        self.batch = batch;
        for _ in 0..self.settings.batch.max(1) {
            let Ok(command) = self.commands.try_recv() else { return };
            self.command(command);
        }
    }

    /// Tells the machine the time of day at the start, and when the clock has been set.
    fn follow_wall_clock(&mut self) {
        let (now, shown) = (self.clock.now(), self.clock.unix_time());
        let believed = self.machine.wall_clock().at(now);
        if believed.as_nanos().abs_diff(shown.as_nanos()) > MAX_WALL_ERROR.as_nanos() as u64 {
            self.input(&Input::WallClock(shown));
        }
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

    /// Pings the workers, so that they announce themselves at once.
    fn call_workers(&self) {
        let subject = format!("$SRV.PING.{}", self.settings.subjects.service());
        let reply = ping_subject(&self.settings);
        if let Err(error) = self.bus.publish(&subject, Some(&reply), Bytes::new()) {
            debug!(%error, "the workers could not be called; their next announcements will make them known");
        }
    }

    /// Handles a worker's reply to a ping. The notice that no worker listens is ignored.
    fn pong(&mut self, message: &Message) {
        if !message.no_responders {
            self.presence(PresenceMessage::decode_ping(&message.payload));
        }
    }

    /// Handles a message on the reply subject of a task, or of a pack of tasks.
    fn reply(&mut self, message: &Message) {
        let token = message.subject.strip_prefix(self.settings.inbox.prefix()).unwrap_or_default();
        if let Some(pack) = Packs::number(token) {
            if message.no_responders {
                let tasks = self.packs.take(pack);
                self.undelivered(&tasks, UndeliveredCause::NoResponders);
            } else {
                self.packed_results(message);
            }
        } else if let Ok(task) = token.parse().map(TaskId) {
            if message.no_responders {
                self.undelivered(&[task], UndeliveredCause::NoResponders);
            } else {
                self.lone_result(message, Some(task));
            }
        } else {
            self.malformed += 1;
        }
    }

    fn undelivered(&mut self, tasks: &[TaskId], cause: UndeliveredCause) {
        for &task in tasks {
            self.input(&Input::Undelivered(Undelivered { task, cause }));
        }
    }

    fn packed_results(&mut self, message: &Message) {
        match wire::decode_results(&message.payload, self.clock.wall()) {
            Ok(results) => {
                for result in results {
                    match result {
                        Ok((mut result, context)) => {
                            // On this subject, a result answers a task of this coordinator: the one it names, or else
                            // the one of its request.
                            result.task = result.task.or_else(|| Some(self.machine.task_of(&result.request)));
                            self.result(result, || context);
                        }
                        Err(error) => self.bad_result(&error),
                    }
                }
            }
            Err(error) => self.bad_result(&error),
        }
    }

    fn lone_result(&mut self, message: &Message, task: Option<TaskId>) {
        match wire::decode_result(&message.payload, task, self.clock.wall()) {
            Ok(result) => self.result(result, || TraceContext::of_message(&message.headers)),
            Err(error) => self.bad_result(&error),
        }
    }

    fn result(&mut self, result: WorkerResult, context: impl FnOnce() -> Option<TraceContext>) {
        let input = Input::Result(result);
        let outputs = self.machine.input(self.clock.now(), &input);
        let is_late = |output: &Output| matches!(output, Output::Event(Event::Result { fate: ResultFate::Late, .. }));
        if let (Input::Result(result), Some(tracer)) = (&input, &self.tracer)
            && outputs.iter().any(is_late)
        {
            record_late(tracer, context(), result);
        }
    }

    /// Counts a result that cannot be read. Its subject is not logged: it may contain the secret of the inbox.
    fn bad_result(&mut self, error: &wire::WireError) {
        self.malformed += 1;
        debug!(%error, "a result is dropped");
    }

    fn presence(&mut self, presence: Result<Presence, wire::WireError>) {
        match presence {
            Ok(presence) => self.input(&Input::Presence(presence)),
            Err(error) => {
                self.malformed += 1;
                debug!(%error, "an announcement is dropped");
            }
        }
    }

    fn command(&mut self, command: Command) {
        match command {
            Command::Ask { submit, followed, reply } => {
                self.callers.wait(submit.ticket, reply, followed);
                self.input(&Input::Submit(submit));
            }
            Command::Cancel(ticket) => {
                self.callers.forget(ticket);
                self.input(&Input::Cancel(ticket));
            }
            Command::Policies(policies) => self.input(&Input::Policies(policies)),
            Command::Drain => {
                info!(in_flight = self.machine.in_flight(), "draining");
                self.input(&Input::Drain);
            }
        }
    }

    /// Shows readers the state of the machine after this pass.
    fn show(&self) {
        let at_once = AtOnce {
            in_flight: self.machine.in_flight(),
            draining: self.machine.is_draining(),
            bus_connected: self.bus_watch.status().connected,
        };
        let staffing = || (self.machine.live_workers(), self.machine.staffing().into());
        self.shows.pass_ended(at_once, staffing, || self.snapshot());
    }

    fn snapshot(&self) -> Snapshot {
        let now = self.clock.now();
        Snapshot {
            workers: self
                .machine
                .workers()
                .map(|(id, worker)| WorkerView::of(&self.machine, now, id, worker))
                .collect(),
            staffing: self.machine.staffing(),
            policies: self.machine.policies().cloned().collect(),
            weights: self.machine.config().weights.clone(),
            timeout: self.machine.config().policy.timeout,
            in_flight: self.machine.in_flight(),
            callers_waiting: self.callers.len(),
            trails_followed: self.callers.followed(),
            draining: self.machine.is_draining(),
            bus: self.bus_watch.status(),
            refused_busy: self.busy.load(Ordering::Relaxed),
            counters: *self.machine.counters(),
            messages_malformed: self.malformed,
            outcomes_unpublished: self.outcomes_unpublished,
            messages_dropped: self.intake.dropped(),
        }
    }

    /// Carries out the outputs of the machine. If a task cannot be published, the machine receives that as an input,
    /// and its outputs are carried out in the same pass.
    fn execute(&mut self) {
        let mut reply = self.settings.inbox.prefix().to_owned();
        while let Some(output) = self.next_output(&mut reply) {
            match output {
                Output::Publish(task) if task.may_be_packed => self.packable.push(task),
                Output::Publish(task) => self.publish(&task, &mut reply),
                Output::CallWorkers => self.call_workers(),
                Output::Ended(outcome) => {
                    let outcome = EncodedOutcome::new(outcome);
                    self.machine.ended(&outcome);
                    self.untold.push(outcome);
                }
                Output::Answer { ticket, reply } => {
                    self.callers.answer(ticket, || {
                        reply.map(|outcome| match self.untold.last() {
                            Some(told) if Arc::ptr_eq(&told.outcome, &outcome) => told.clone(),
                            // A remembered outcome, whose encoded form is not kept.
                            _ => EncodedOutcome::new(outcome),
                        })
                    });
                }
                Output::Drained => self.drained = true,
                Output::Event(event) => self.callers.event(|| self.clock.now(), event),
            }
        }
        self.publish_outcomes();
        self.machine.pass_ended(Held {
            waiting: self.callers.len(),
            trails: self.callers.followed(),
            announced: self.intake.held(),
            running: 0,
        });
    }

    /// Publishes how requests ended, for everybody but their callers, who have their answers already. While nothing else
    /// is in flight, that waits for the task of the next request, but not long: a write to the bus for it alone would wake
    /// the server between the requests of a single caller.
    fn publish_outcomes(&mut self) {
        if self.untold.is_empty() {
            return;
        }
        let now = self.clock.now();
        let tell_at = *self.tell_at.get_or_insert_with(|| now.after(TELL_WITHIN));
        if self.machine.in_flight() > 0 || self.drained || tell_at <= now {
            self.tell_at = None;
            let mut untold = std::mem::take(&mut self.untold);
            for told in untold.drain(..) {
                self.publish_outcome(&told);
            }
            self.untold = untold;
        }
    }

    fn publish_outcome(&mut self, told: &EncodedOutcome) {
        let subject = self.settings.subjects.outcome(&told.outcome.query);
        // The callers already have their answers. Outcomes must not delay tasks or push them out of the queue.
        if let Err(error) = self.bus.publish_expendable(&subject, told.body.clone()) {
            self.outcomes_unpublished += 1;
            debug!(%error, request = %told.outcome.request, "an outcome is not published");
        }
    }

    /// The next output to carry out. When there is none, the tasks that may be packed are sent, which may lead to more.
    fn next_output(&mut self, reply: &mut String) -> Option<Output> {
        loop {
            let next = self.machine.next_output();
            if next.is_some() || self.packable.is_empty() {
                return next;
            }
            self.publish_packed(reply);
        }
    }

    /// Sends the tasks that may be packed. One alone goes out as any other.
    fn publish_packed(&mut self, reply: &mut String) {
        let mut tasks = std::mem::take(&mut self.packable);
        let mut rest = &tasks[..];
        let mut most = self.settings.pack_bytes;
        while rest.len() > 1 && !self.bus.forbids(self.settings.subjects.packs()) {
            reply.truncate(self.settings.inbox.prefix().len());
            self.packs.write_subject(reply);
            let (body, count) = wire::encode_tasks(rest, reply, most);
            let bytes = body.len();
            let (packed, others) = rest.split_at(count);
            let ids = packed.iter().map(|task| task.id);
            match self.bus.publish(self.settings.subjects.packs(), Some(reply), body) {
                Ok(()) => self.packs.sent(ids),
                // The server takes only shorter messages.
                Err(PublishError::Refused) if count > 1 => {
                    most = bytes / 2;
                    continue;
                }
                Err(error) => {
                    debug!(%error, count, "a pack of tasks is not sent");
                    self.undelivered(&ids.collect::<Vec<_>>(), cause(error));
                }
            }
            rest = others;
        }
        for task in rest {
            self.publish(task, reply);
        }
        tasks.clear();
        self.packable = tasks;
    }

    fn publish(&mut self, task: &Task, reply: &mut String) {
        reply.truncate(self.settings.inbox.prefix().len());
        write!(reply, "{}", task.id.0).expect("a string takes every text");
        let (subject, headers) = (self.settings.subjects.tasks(), wire::trace_headers(task.trace));
        if let Err(error) = self.bus.publish_with(subject, Some(reply), &headers, wire::encode_task(task)) {
            debug!(%error, request = %task.request, "a task is not sent");
            self.undelivered(&[task.id], cause(error));
        }
    }
}

/// Why a task that the bus refused reached nobody.
fn cause(error: PublishError) -> UndeliveredCause {
    match error {
        PublishError::Disconnected => UndeliveredCause::Disconnected,
        PublishError::Full | PublishError::Refused => UndeliveredCause::QueueFull,
    }
}

/// Records a result that arrived after its request had ended, in its own trace.
fn record_late(tracer: &Tracer, context: Option<TraceContext>, result: &WorkerResult) {
    let Some(context) = context else { return };
    if let Some(mut span) = tracer.begin_within("late result", SpanKind::Consumer, context) {
        span.set("quorate.request.id", Attribute::text(&result.request));
        span.set("quorate.worker.id", Attribute::text(&result.worker));
        span.end();
    }
}
