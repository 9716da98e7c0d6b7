//! The invariants, one module each: what must hold whatever goes wrong.
//!
//! A checker sees every event of a run and says when its invariant is broken. Safety is judged while the run goes on;
//! what must be true in the end, once the faults have healed, is judged at [`What::Ended`](crate::event::What::Ended).

mod arithmetic;
mod flights;
mod hosts;
mod ledger;
#[cfg(test)]
mod rig;
#[cfg(test)]
mod soak;
#[cfg(test)]
mod support;
mod terms;
#[cfg(test)]
mod together;

use crate::Depth;
use crate::event::Event;
use crate::scenario::Scenario;

/// What a checker needs to know before a run.
#[derive(Clone, Copy, Debug)]
pub struct Context<'a> {
    /// What is played.
    pub scenario: &'a Scenario,
    /// On which stage.
    pub depth: Depth,
}

/// Watches over one invariant.
pub trait Checker {
    /// Judges one event, given all that came before it.
    ///
    /// # Errors
    /// How the invariant is broken.
    fn event(&mut self, event: &Event<'_>) -> Result<(), String>;
}

/// A broken invariant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Violation {
    /// The name of the checker: its module.
    pub checker: &'static str,
    /// When, in nanoseconds since the run began.
    pub at: u64,
    /// How.
    pub text: String,
}

/// All checkers, with their names.
pub(crate) struct Checkers(Vec<(&'static str, Box<dyn Checker + Send>)>);

/// Lists the checkers once: each is a module with a `new(&Context) -> impl Checker`.
macro_rules! checkers {
    ($($module:ident,)*) => {
        $(mod $module;)*

        impl Checkers {
            pub(crate) fn new(context: &Context<'_>) -> Self {
                let _ = context;
                Self(vec![$((stringify!($module), Box::new($module::new(context)))),*])
            }
        }
    };
}

checkers! {
    aggregation,
    answered_once,
    bounds,
    conformance,
    counters,
    honest_range,
    http,
    panics,
    presence,
    provenance,
    punctual,
    quiescence,
    recovery,
    redispatch,
    refusals,
    reliability,
    stale,
    wire,
    worker,
}

impl Checkers {
    /// Shows an event to every checker; the first that objects is heard.
    pub(crate) fn event(&mut self, event: &Event<'_>) -> Result<(), Violation> {
        for (checker, judge) in &mut self.0 {
            judge.event(event).map_err(|text| Violation { checker, at: event.at, text })?;
        }
        Ok(())
    }
}
