//! The whole surface of the state machines, as a trait.

use crate::time::Timestamp;

/// A sans-IO state machine. It receives inputs with their times, and returns what to do and when to wake it next.
///
/// Poll it dry after every input, as [`Machine::step`] does, so that every output can be attributed to its input.
pub trait Machine {
    /// The inputs it handles.
    type Input;
    /// What it asks the adapter to do.
    type Output;

    /// Handles one input.
    fn handle_input(&mut self, now: Timestamp, input: &Self::Input);
    /// Lets time pass. Call it when [`Machine::poll_timeout`] is due; calling it more often does no harm.
    fn handle_timeout(&mut self, now: Timestamp);
    /// When to call [`Machine::handle_timeout`] next; `None` if the machine waits for nothing.
    fn poll_timeout(&self) -> Option<Timestamp>;
    /// The next output. Call it until it returns `None`.
    fn poll_output(&mut self) -> Option<Self::Output>;

    /// One step: handles an input, or lets time pass if there is none, and appends the resulting outputs to `outputs`.
    fn step(&mut self, now: Timestamp, input: Option<&Self::Input>, outputs: &mut impl Extend<Self::Output>) {
        match input {
            Some(input) => self.handle_input(now, input),
            None => self.handle_timeout(now),
        }
        outputs.extend(std::iter::from_fn(|| self.poll_output()));
    }
}

macro_rules! machine {
    ($machine:ty, $input:ty, $output:ty) => {
        impl Machine for $machine {
            type Input = $input;
            type Output = $output;

            fn handle_input(&mut self, now: Timestamp, input: &$input) {
                <$machine>::handle_input(self, now, input);
            }

            fn handle_timeout(&mut self, now: Timestamp) {
                <$machine>::handle_timeout(self, now);
            }

            fn poll_timeout(&self) -> Option<Timestamp> {
                <$machine>::poll_timeout(self)
            }

            fn poll_output(&mut self) -> Option<$output> {
                <$machine>::poll_output(self)
            }
        }
    };
}

machine!(crate::Coordinator, crate::coordinator::Input, crate::coordinator::Output);
machine!(crate::Feeds, crate::feed::Input, crate::feed::Output);
machine!(crate::Worker, crate::worker::Input, crate::worker::Output);
machine!(crate::Durable, crate::durable::Input, crate::durable::Output);
