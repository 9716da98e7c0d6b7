//! No program panics.

use crate::checkers::{Checker, Context};
use crate::event::{Event, What};

pub(crate) struct Panics;

pub(crate) fn new(_context: &Context<'_>) -> Panics {
    Panics
}

impl Checker for Panics {
    fn event(&mut self, event: &Event<'_>) -> Result<(), String> {
        match event.what {
            What::Panicked(text) => Err(format!("{} panicked: {text}", event.host)),
            _ => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::checkers::testing::rig::Rig;
    use crate::event::What;
    use crate::host::Host;

    #[test]
    fn a_panic_is_a_violation_and_a_crash_is_not() {
        let mut rig = Rig::new(super::new);
        rig.tell(Host::Worker(1), What::Crashed);
        rig.expect_fine();
        rig.tell(Host::Worker(1), What::Panicked("index out of bounds"));
        rig.expect_violation("index out of bounds");
    }
}
