//! What the two state machines have in common: their whole surface.

use crate::time::Timestamp;

/// A sans-IO state machine: it handles inputs, each with its time, and says what is to be done and when it next wants to
/// be woken.
///
/// Poll it dry after every input: then the outputs are known to be those of that input.
pub trait Machine {
    /// One thing that can happen to it.
    type Input;
    /// One thing it can want done.
    type Output;

    /// Handles one input.
    fn handle_input(&mut self, now: Timestamp, input: &Self::Input);
    /// Notes that time has passed. To be called when [`Machine::poll_timeout`] is due; calling it more often does no
    /// harm.
    fn handle_timeout(&mut self, now: Timestamp);
    /// When it next wants [`Machine::handle_timeout`] to be called; `None` if it waits for nothing.
    fn poll_timeout(&self) -> Option<Timestamp>;
    /// The next thing to do, until there is none.
    fn poll_output(&mut self) -> Option<Self::Output>;
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
machine!(crate::Worker, crate::worker::Input, crate::worker::Output);
