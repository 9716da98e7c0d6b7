//! The driver of a coordinator.

mod received;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use bytes::Bytes;
use quorate_core::Coordinator;
use quorate_core::coordinator::{Config, Input, Output, Undelivered};
use tokio::sync::mpsc;
use tokio::task::yield_now;
use tracing::{debug, info};

use super::Alarm;
use super::bus_watch::{BusChange, BusWatch};
use super::callers::Callers;
use super::dispatch::Dispatch;
use super::handle::{Command, CoordinatorHandle};
use super::identity::own_seed;
use super::intake::{Batch, First, Intake, ping_subject};
use super::outcomes::Outcomes;
use super::settings::DriverSettings;
use super::snapshot::{Snapshot, WorkerView};
use super::tap::{Held, Tap, Tapped};
use super::view::{AtOnce, Shows, View};
use crate::bus::{Bus, BusError};
use crate::clock::Clock;
use crate::spans::Tracer;
use crate::wire::{EncodedOutcome, PresenceMessage};

/// How far the time of day may differ from what the machine believes before the machine is told. Less than this is the
/// time between two readings of clocks on a busy host.
const MAX_WALL_ERROR: Duration = Duration::from_millis(10);

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
    dispatch: Dispatch,
    outcomes: Outcomes,
    bus_watch: BusWatch,
    settings: DriverSettings,
    callers: Callers,
    tracer: Option<Tracer>,
    malformed: u64,
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
            dispatch: Dispatch::default(),
            outcomes: Outcomes::default(),
            settings,
            callers: Callers::default(),
            tracer: None,
            malformed: 0,
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
            dispatch: self.dispatch,
            outcomes: self.outcomes,
            bus_watch: self.bus_watch,
            settings: self.settings,
            callers: self.callers,
            tracer: self.tracer,
            malformed: self.malformed,
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
            alarm.set(&self.clock, self.machine.poll_timeout().into_iter().chain(self.outcomes.due()).min());
            let before = self.machine.in_flight();
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
                        self.publish_outcomes(true);
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
            if before != 1 && self.machine.in_flight() != 1 {
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
            outcomes_unpublished: self.outcomes.unpublished,
            messages_dropped: self.intake.dropped(),
        }
    }

    /// Carries out the outputs of the machine. If a task cannot be published, the machine receives that as an input,
    /// and its outputs are carried out in the same pass.
    fn execute(&mut self) {
        while let Some(output) = self.next_output() {
            match output {
                Output::Publish(task) => {
                    let undelivered = self.dispatch.send(&self.bus, &self.settings, task);
                    self.undelivered(undelivered);
                }
                Output::CallWorkers => self.call_workers(),
                Output::Ended(outcome) => {
                    let outcome = EncodedOutcome::new(outcome);
                    self.machine.ended(&outcome);
                    self.outcomes.push(outcome);
                }
                Output::Answer { ticket, reply } => {
                    self.callers.answer(ticket, || reply.map(|outcome| self.outcomes.encoded(outcome)));
                }
                Output::Drained => self.drained = true,
                Output::Event(event) => self.callers.event(|| self.clock.now(), event),
            }
        }
        let at_once = self.machine.in_flight() > 0 || self.drained;
        self.publish_outcomes(at_once);
        self.machine.pass_ended(Held {
            waiting: self.callers.len(),
            trails: self.callers.followed(),
            announced: self.intake.held(),
            running: 0,
        });
    }

    fn publish_outcomes(&mut self, at_once: bool) {
        self.outcomes.publish(&self.bus, &self.settings.subjects, &self.clock, at_once);
    }

    /// The next output to carry out. When there is none, the tasks that may be packed are sent, which may lead to more.
    fn next_output(&mut self) -> Option<Output> {
        loop {
            let next = self.machine.next_output();
            if next.is_some() || self.dispatch.is_empty() {
                return next;
            }
            let undelivered = self.dispatch.flush(&self.bus, &self.settings);
            self.undelivered(undelivered);
        }
    }

    /// Tells the machine of tasks that reached nobody.
    fn undelivered(&mut self, undelivered: impl IntoIterator<Item = Undelivered>) {
        for undelivered in undelivered {
            self.input(&Input::Undelivered(undelivered));
        }
    }
}
