//! A look at everything that goes into a machine and comes out of it.

use std::ops::Deref;

use quorate_core::Machine;
use quorate_core::time::Timestamp;

/// Sees all that a driver tells its machine and all that the machine wants done, in order. The log of it is a complete
/// recording: the machines have no other input, so the same log gives the same outputs again.
///
/// A tap runs within the driver and must not block.
pub trait Tap<M: Machine>: Send + 'static {
    /// The machine is about to be told what happened.
    fn input(&mut self, now: Timestamp, input: &M::Input);
    /// The machine is about to be told what time it is.
    fn woken(&mut self, now: Timestamp);
    /// The machine wants this done.
    fn output(&mut self, now: Timestamp, output: &M::Output);
    /// All that the machine wanted done for now is done.
    fn settled(&mut self, now: Timestamp, machine: &M);
    /// The driver has carried out what the machine wanted, and keeps this beside it.
    fn held(&mut self, held: Held) {
        let _ = held;
    }
}

/// How much a driver keeps beside its machine. Each count follows from the inputs and outputs of the machine, so that a
/// difference is something that is kept for ever.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Held {
    /// Callers that wait for an answer; a worker has none.
    pub waiting: usize,
    /// Trails that are followed: at most one for each waiting caller.
    pub trails: usize,
    /// Announcements that wait for the results that came before them.
    pub announced: usize,
    /// Jobs whose source is being asked; a coordinator has none.
    pub running: usize,
}

/// Nobody looks.
impl<M: Machine> Tap<M> for () {
    fn input(&mut self, _now: Timestamp, _input: &M::Input) {}
    fn woken(&mut self, _now: Timestamp) {}
    fn output(&mut self, _now: Timestamp, _output: &M::Output) {}
    fn settled(&mut self, _now: Timestamp, _machine: &M) {}
}

/// Two look, one after the other.
impl<M: Machine, A: Tap<M>, B: Tap<M>> Tap<M> for (A, B) {
    fn input(&mut self, now: Timestamp, input: &M::Input) {
        self.0.input(now, input);
        self.1.input(now, input);
    }

    fn woken(&mut self, now: Timestamp) {
        self.0.woken(now);
        self.1.woken(now);
    }

    fn output(&mut self, now: Timestamp, output: &M::Output) {
        self.0.output(now, output);
        self.1.output(now, output);
    }

    fn settled(&mut self, now: Timestamp, machine: &M) {
        self.0.settled(now, machine);
        self.1.settled(now, machine);
    }

    fn held(&mut self, held: Held) {
        self.0.held(held);
        self.1.held(held);
    }
}

/// A machine that can only be used before the eyes of its tap.
#[derive(Debug)]
pub(super) struct Tapped<M, T> {
    machine: M,
    tap: T,
}

impl<M: Machine, T: Tap<M>> Tapped<M, T> {
    pub(super) fn new(machine: M, tap: T) -> Self {
        Self { machine, tap }
    }

    /// The same machine with another tap.
    pub(super) fn with_tap<U: Tap<M>>(self, tap: U) -> Tapped<M, U> {
        Tapped { machine: self.machine, tap }
    }

    pub(super) fn input(&mut self, now: Timestamp, input: M::Input) {
        self.tap.input(now, &input);
        self.machine.handle_input(now, input);
    }

    pub(super) fn wake(&mut self, now: Timestamp) {
        self.tap.woken(now);
        self.machine.handle_timeout(now);
    }

    /// Tells what the driver keeps.
    pub(super) fn held(&mut self, held: Held) {
        self.tap.held(held);
    }

    /// The next thing to do, until there is none.
    pub(super) fn poll_output(&mut self, now: Timestamp) -> Option<M::Output> {
        let output = self.machine.poll_output();
        match &output {
            Some(output) => self.tap.output(now, output),
            None => self.tap.settled(now, &self.machine),
        }
        output
    }
}

impl<M, T> Deref for Tapped<M, T> {
    type Target = M;

    fn deref(&self) -> &M {
        &self.machine
    }
}
