//! Taps, which see all inputs and outputs of a machine.

use std::collections::VecDeque;
use std::ops::Deref;

use quorate_core::Machine;
use quorate_core::time::Timestamp;

use crate::wire::EncodedOutcome;

/// One input of a machine, or a wake-up, and all outputs that it caused.
#[derive(Debug)]
pub struct Step<'a, M: Machine> {
    /// When it happened.
    pub now: Timestamp,
    /// `None` if the machine was only woken.
    pub input: Option<&'a M::Input>,
    /// In order. The driver carries them out at the end of its pass.
    pub outputs: &'a [M::Output],
    /// The machine after the input.
    pub machine: &'a M,
}

/// Sees every step of a driver's machine, in order. The machine has no other input, so replaying the steps on
/// a machine with the same configuration and seed reproduces its outputs.
///
/// A tap runs within the driver and must not block.
pub trait Tap<M: Machine>: Send + 'static {
    /// The machine has handled an input or a wake-up.
    fn step(&mut self, step: &Step<'_, M>) {
        let _ = step;
    }
    /// A request has ended with `outcome`, in the form that all callers receive. Workers end no requests.
    fn ended(&mut self, outcome: &EncodedOutcome) {
        let _ = outcome;
    }
    /// The driver has carried out all outputs of a pass, and holds this besides its machine.
    fn pass_ended(&mut self, held: Held) {
        let _ = held;
    }
}

/// What a driver holds besides its machine. Each count follows from the inputs and outputs of the machine, so a
/// difference is a leak.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Held {
    /// Callers that wait for an answer; a worker has none.
    pub waiting: usize,
    /// Requests that are followed: at most one for each waiting caller.
    pub trails: usize,
    /// Announcements that wait for the results that arrived before them.
    pub announced: usize,
    /// Jobs whose source is being queried; a coordinator has none.
    pub running: usize,
}

/// No tap.
impl<M: Machine> Tap<M> for () {}

/// Two taps, one after the other.
impl<M: Machine, A: Tap<M>, B: Tap<M>> Tap<M> for (A, B) {
    fn step(&mut self, step: &Step<'_, M>) {
        self.0.step(step);
        self.1.step(step);
    }

    fn ended(&mut self, outcome: &EncodedOutcome) {
        self.0.ended(outcome);
        self.1.ended(outcome);
    }

    fn pass_ended(&mut self, held: Held) {
        self.0.pass_ended(held);
        self.1.pass_ended(held);
    }
}

/// A machine that can only be used through its tap.
#[derive(Debug)]
pub(super) struct Tapped<M: Machine, T> {
    machine: M,
    tap: T,
    /// Outputs that are not carried out yet.
    outputs: VecDeque<M::Output>,
}

impl<M: Machine, T: Tap<M>> Tapped<M, T> {
    pub(super) fn new(machine: M, tap: T) -> Self {
        Self { machine, tap, outputs: VecDeque::new() }
    }

    /// The same machine with another tap.
    pub(super) fn with_tap<U: Tap<M>>(self, tap: U) -> Tapped<M, U> {
        Tapped { machine: self.machine, tap, outputs: self.outputs }
    }

    /// Lets the machine handle an input. Returns its outputs, which remain to be carried out.
    pub(super) fn input(&mut self, now: Timestamp, input: &M::Input) -> &[M::Output] {
        self.step(now, Some(input))
    }

    /// Lets the machine do what is due.
    pub(super) fn wake(&mut self, now: Timestamp) {
        self.step(now, None);
    }

    fn step(&mut self, now: Timestamp, input: Option<&M::Input>) -> &[M::Output] {
        let first = self.outputs.len();
        self.machine.step(now, input, &mut self.outputs);
        let outputs = &self.outputs.make_contiguous()[first..];
        self.tap.step(&Step { now, input, outputs, machine: &self.machine });
        outputs
    }

    /// Takes the next output to carry out.
    pub(super) fn next_output(&mut self) -> Option<M::Output> {
        let output = self.outputs.pop_front();
        if output.is_none() {
            // Starts at the beginning of the buffer again, so that the outputs of the next step are contiguous.
            self.outputs.clear();
        }
        output
    }

    /// Passes the outcome of a request to the tap.
    pub(super) fn ended(&mut self, outcome: &EncodedOutcome) {
        self.tap.ended(outcome);
    }

    /// Passes the end of a pass, and what the driver holds then, to the tap.
    pub(super) fn pass_ended(&mut self, held: Held) {
        self.tap.pass_ended(held);
    }
}

impl<M: Machine, T> Deref for Tapped<M, T> {
    type Target = M;

    fn deref(&self) -> &M {
        &self.machine
    }
}
