//! The driver of durable requests: one task that owns the machine.

use std::collections::BTreeMap;
use std::pin::pin;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use bytes::Bytes;
use futures_util::StreamExt as _;
use futures_util::future::BoxFuture;
use futures_util::stream::FuturesUnordered;
use quorate_core::durable::{Accepted, Durable, Entry, Got, Input, Output, Rejection};
use quorate_core::id::{RequestId, Ticket};
use tokio::sync::{mpsc, oneshot};
use tokio_util::sync::CancellationToken;
use tracing::{debug, info};

use super::DurableSettings;
use super::handle::{Command, DurableHandle, Standing};
use super::ledger::Ledger;
use super::open::decode_open;
use super::recorder::{Recording, recorder};
use super::stored::StoredOutcome;
use super::waiters::Waiters;
use crate::clock::Clock;
use crate::driver::{Alarm, AskError, Asks};
use crate::store::{self, Log, Store, follow};

/// How many commands may wait.
const COMMANDS: usize = 4096;
/// How many entries may wait, and how many commands are taken in one pass.
const BATCH: usize = 256;
/// How long an entry may take until it is known whether it is stored.
const WRITE_WITHIN: Duration = Duration::from_secs(5);

/// What was done for the machine: its input, and the entry of an outcome if there is one.
type Done = (Input, Option<(RequestId, Bytes)>);

/// Owns a [`Durable`] and runs it over a store.
pub struct DurableDriver<S, A> {
    machine: Durable,
    ledger: Ledger<S>,
    asks: A,
    clock: Clock,
    commands: mpsc::Receiver<Command>,
    callers: BTreeMap<Ticket, oneshot::Sender<Result<Accepted, Rejection>>>,
    last_ticket: u64,
    /// What is being done for the machine.
    works: FuturesUnordered<BoxFuture<'static, Done>>,
    /// The entries of the outcomes that are to be stored.
    outcomes: BTreeMap<RequestId, Bytes>,
    waiters: Waiters,
    recording: Recording,
    /// The entries of the log that could not be read.
    garbled: u64,
    /// What others see of it.
    standing: Arc<RwLock<Standing>>,
    drained: bool,
    stopping: bool,
}

impl<S, A> std::fmt::Debug for DurableDriver<S, A> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("DurableDriver").field("machine", &self.machine).finish_non_exhaustive()
    }
}

impl<S: Store, A: Asks> DurableDriver<S, A> {
    /// A driver for a coordinator that asks its workers by `asks`.
    pub fn new(store: S, asks: A, clock: Clock, settings: DurableSettings) -> (Self, DurableHandle) {
        let (sender, commands) = mpsc::channel(COMMANDS);
        let ledger = Ledger::new(store, settings.machine.holder.as_ref().to_owned());
        let (waiters, standing) = (Waiters::default(), Arc::default());
        let (recorder, recording) = recorder();
        let handle = DurableHandle {
            commands: sender,
            ledger: Arc::new(ledger.clone()),
            waiters: waiters.clone(),
            recorder: settings.keep_outcomes.then_some(recorder),
            limits: settings.limits,
            standing: Arc::clone(&standing),
        };
        let driver = Self {
            machine: Durable::new(settings.machine),
            ledger,
            asks,
            clock,
            commands,
            callers: BTreeMap::new(),
            last_ticket: 0,
            works: FuturesUnordered::new(),
            outcomes: BTreeMap::new(),
            waiters,
            recording,
            garbled: 0,
            standing,
            drained: false,
            stopping: false,
        };
        (driver, handle)
    }

    /// Runs until it has drained and is stopped, or no handle is left.
    pub async fn run(mut self) {
        let (entries, mut seen) = mpsc::channel(BATCH);
        let (again, asked_again) = mpsc::channel(1);
        let mut watching = pin!(watch(self.ledger.store().clone(), entries, asked_again));
        let (ledger, closed) = (self.ledger.clone(), recorder().1);
        let recording = std::mem::replace(&mut self.recording, closed);
        let stop_recording = CancellationToken::new();
        let mut recording = pin!(recording.run(ledger, stop_recording.clone()));
        let (mut is_watching, mut is_recording) = (true, true);
        let mut alarm = Alarm::new(&self.clock);
        while !(self.drained && self.stopping) {
            alarm.set(&self.clock, self.machine.poll_timeout());
            tokio::select! {
                biased;
                Some(done) = self.works.next(), if !self.works.is_empty() => self.done(done),
                Some(entry) = seen.recv() => self.seen(&entry),
                command = self.commands.recv() => match command {
                    Some(command) => self.command(command),
                    None => break,
                },
                () = alarm.wait() => {}
                () = &mut watching, if is_watching => is_watching = false,
                () = &mut recording, if is_recording => is_recording = false,
            }
            for _ in 0..BATCH {
                let Ok(command) = self.commands.try_recv() else { break };
                self.command(command);
            }
            self.machine.handle_timeout(self.clock.now());
            while let Some(output) = self.machine.poll_output() {
                self.execute(output, &again);
            }
            self.show();
        }
        if is_recording {
            stop_recording.cancel();
            // What is not stored in time is missing in the history.
            let _ = tokio::time::timeout(WRITE_WITHIN, recording).await;
        }
    }

    fn show(&self) {
        let machine = &self.machine;
        let (known, held, garbled) = (machine.known(), machine.held(), self.garbled);
        *self.standing.write().unwrap_or_else(PoisonError::into_inner) =
            Standing { counters: *machine.counters(), known, held, garbled };
    }

    fn input(&mut self, input: &Input) {
        self.machine.handle_input(self.clock.now(), input);
    }

    fn done(&mut self, (input, outcome): Done) {
        self.outcomes.extend(outcome);
        self.input(&input);
    }

    fn seen(&mut self, entry: &store::Entry) {
        let id = entry.key.text().and_then(|text| RequestId::new(&text).ok());
        let content = id.as_ref().and_then(|id| decode_open(id, &entry.body));
        let (Some(request), Some(content)) = (id, content) else {
            self.garbled += 1;
            debug!(key = ?entry.key, garbled = self.garbled, "an entry of the log of open requests cannot be read");
            return;
        };
        self.input(&Input::Seen { request, entry: Entry { sequence: entry.sequence, content } });
    }

    fn command(&mut self, command: Command) {
        match command {
            Command::Submit { job, reply } => {
                self.last_ticket += 1;
                let ticket = Ticket(self.last_ticket);
                self.callers.insert(ticket, reply);
                self.input(&Input::Submit { ticket, job });
            }
            Command::Drain => {
                info!(held = self.machine.held(), known = self.machine.known(), "draining durable requests");
                self.input(&Input::Drain);
            }
            Command::Stop => self.stopping = true,
        }
    }

    fn execute(&mut self, output: Output, again: &mpsc::Sender<()>) {
        let ledger = self.ledger.clone();
        match output {
            Output::Look { work, request } => self
                .works
                .push(Box::pin(async move { (Input::Looked { work, found: ledger.found(&request).await }, None) })),
            Output::Write { work, request, after, content } => self.works.push(Box::pin(async move {
                (Input::Written { work, written: ledger.write(&request, after, &content, WRITE_WITHIN).await }, None)
            })),
            Output::Ask { work, job } => {
                let asks = self.asks.clone();
                self.works.push(Box::pin(async move {
                    let told = asks.ask(Some(job.request.clone()), job.query.clone(), job.overrides).await;
                    let (stored, failure) = match told {
                        Ok(told) => (StoredOutcome::of(&told, true), told.outcome.verdict.as_ref().err().copied()),
                        Err(error) => {
                            let refused = StoredOutcome::refused(job.request.clone(), job.query.clone(), error);
                            let got = match error {
                                AskError::Refused(refusal) => Got::Refused(refusal),
                                AskError::Busy | AskError::Stopped => Got::Nothing,
                            };
                            let entry = ledger.entry(&refused);
                            return (Input::Asked { work, got }, Some((job.request.clone(), entry)));
                        }
                    };
                    let entry = ledger.entry(&stored);
                    let got = Got::Outcome { failure, bytes: entry.len() };
                    (Input::Asked { work, got }, Some((job.request.clone(), entry)))
                }));
            }
            Output::Keep { work, request } => {
                let entry = self.outcomes.get(&request).cloned().unwrap_or_default();
                self.works.push(Box::pin(async move {
                    (Input::Kept { work, kept: ledger.kept(&request, entry).await }, None)
                }));
            }
            Output::Forget(request) => {
                self.outcomes.remove(&request);
            }
            Output::Answer { ticket, reply } => {
                if let Some(caller) = self.callers.remove(&ticket) {
                    // Sending fails if the caller has gone away. That changes nothing for its request.
                    let _ = caller.send(reply);
                }
            }
            Output::Ended(request) => self.waiters.ended(&request),
            // If the channel is full, the log is about to be watched again already.
            Output::Watch => drop(again.try_send(())),
            Output::Drained => self.drained = true,
        }
    }
}

/// Watches the log of open requests, from its beginning again whenever that is asked for.
async fn watch<S: Store>(store: S, entries: mpsc::Sender<store::Entry>, mut again: mpsc::Receiver<()>) {
    loop {
        let mut open = pin!(follow(store.clone(), Log::Open));
        loop {
            let next = tokio::select! {
                biased;
                again = again.recv() => match again {
                    Some(()) => break,
                    None => return,
                },
                next = open.next() => next,
            };
            if let Some(entry) = next
                && entries.send(entry).await.is_err()
            {
                return;
            }
        }
    }
}
