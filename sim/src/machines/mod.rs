//! The stage without a network: the state machines of production on a heap of timed events, with a model of the broker.

use crate::scenario::Scenario;
use crate::watch::{Report, Watch};

/// Plays a scenario.
pub(crate) fn play(_scenario: &Scenario, watch: Watch) -> Report {
    watch.report()
}
