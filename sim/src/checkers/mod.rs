//! The invariants, one module each: what must hold whatever goes wrong.
//!
//! A checker sees every event of a run and says when its invariant is broken. Safety is judged while the run goes on;
//! what must be true in the end, once the faults have healed, is judged at [`What::Ended`].

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
mod touched;

use crate::Depth;
use crate::event::{Event, What};
use crate::scenario::Scenario;
pub(crate) use connections::is_one_too_many;
use ledger::{Fact, Ledger};
pub(crate) use sources::said;

/// What a checker needs to know before a run.
#[derive(Clone, Copy, Debug)]
pub struct Context<'a> {
    /// What is played.
    pub scenario: &'a Scenario,
    /// On which stage.
    pub depth: Depth,
}

/// Watches over one invariant.
pub(crate) trait Checker {
    /// Judges one event, given all that came before it.
    ///
    /// # Errors
    /// How the invariant is broken.
    fn event(&mut self, event: &Event<'_>) -> Result<(), String>;

    /// Judges what is known of a coordinator's requests once it has settled.
    ///
    /// # Errors
    /// How the invariant is broken.
    fn fact(&mut self, fact: &Fact<'_>) -> Result<(), String> {
        let _ = fact;
        Ok(())
    }
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

/// All checkers, with their names, and the ledger that they share.
pub(crate) struct Checkers {
    ledger: Ledger,
    judges: Vec<(&'static str, Box<dyn Checker + Send>)>,
    /// What `conformance` objects to, until the others have had their say.
    diverged: Option<Violation>,
}

/// Lists the checkers once: each is a module with a `new(&Context) -> impl Checker`.
macro_rules! checkers {
    ($($module:ident,)*) => {
        $(mod $module;)*

        impl Checkers {
            pub(crate) fn new(context: &Context<'_>) -> Self {
                Self {
                    ledger: Ledger::new(context),
                    judges: vec![$((stringify!($module), Box::new($module::new(context)))),*],
                    diverged: None,
                }
            }
        }
    };
}

checkers! {
    aggregation,
    answered_once,
    bounds,
    connection,
    connections,
    counters,
    events,
    farewells,
    followed,
    held,
    honest_range,
    newcomers,
    http,
    lost,
    malformed,
    pages,
    panics,
    parting,
    presence,
    provenance,
    punctual,
    quiescence,
    recovery,
    redispatch,
    refusals,
    reliability,
    sources,
    stale,
    traces,
    vanish,
    wire,
    worker,
    // The last: where another invariant is broken, too, that one is to be named.
    conformance,
}

impl Checkers {
    /// Shows an event to every checker, and then what is known by it; the first that objects is heard.
    pub(crate) fn event(&mut self, event: &Event<'_>) -> Result<(), Violation> {
        let Self { ledger, judges, diverged } = self;
        let Some(((model, conformance), named)) = judges.split_last_mut() else { return Ok(()) };
        for (checker, judge) in named.iter_mut() {
            judge.event(event).map_err(|text| Violation { checker, at: event.at, text })?;
        }
        ledger.event(event, &mut |fact| {
            for (checker, judge) in named.iter_mut() {
                judge.fact(fact).map_err(|text| Violation { checker, at: event.at, text })?;
            }
            Ok(())
        })?;
        if diverged.is_none() {
            *diverged = conformance.event(event).err().map(|text| Violation { checker: model, at: event.at, text });
        }
        // Some judge a machine's outputs only when it has settled.
        match event.what {
            What::CoordinatorSettled(..) | What::WorkerSettled(..) | What::Ended | What::Panicked(_) => {
                diverged.take().map_or(Ok(()), Err)
            }
            _ => Ok(()),
        }
    }
}
