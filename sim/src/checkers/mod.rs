//! The invariants: what must hold whatever goes wrong, one module each, in three tiers.
//!
//! A checker sees every event of a run and says when its invariant is broken. Safety is judged while the run goes on;
//! what must be true in the end, once the faults have healed, is judged at [`What::Ended`](crate::event::What::Ended).
//!
//! | invariant | why it matters | module |
//! |---|---|---|
//! | Each machine does exactly what an independent model of it does. | every rule of the product, stated a second time | `machine/conformance` |
//! | Nothing a machine keeps grows beyond its bound. | memory, whoever is hostile | `machine/bounds` |
//! | Every observation was sent in its worker's name and accepted, and none is left out. | evidence is evidence | `cluster/provenance` |
//! | Fewer than half liars cannot move the answer out of the honest range. | the promise of each strategy | `cluster/honest_range` |
//! | Once the faults have healed, every request is answered with every worker that runs. | an outage ends | `cluster/recovery` |
//! | At the end nothing is in flight, and what was told to stop has stopped. | nothing is forgotten | `cluster/quiescence` |
//! | A machine is woken when it asked to be, and its outputs are carried out in that pass. | deadlines | `cluster/punctual` |
//! | Nothing from before an outage is received after it, and nothing more often than it was sent. | no answer from the past | `cluster/stale` |
//! | A coordinator no longer works for a client that has gone away. | no work for nobody | `cluster/vanish` |
//! | What a machine puts out is sent, and what a host receives its machine is told: all, once, in order. | the wire | `edge/wire` |
//! | A response says what the machine answered. | the API | `edge/http` |
//! | Followers are told once how each request ended, before its callers, and the same. | outcomes on the bus | `edge/followed` |
//! | A reader of `/events` is told all in order, or how much it missed. | the stream of events | `edge/events` |
//! | A page says what was true lately, and no counter decreases. | dashboards and alerts | `edge/pages` |
//! | A client gets its rate, and no more. | one client cannot starve another | `edge/rates` |
//! | A client has no more questions under way than connections. | the same, for sockets | `edge/connections` |
//! | A malformed request gets the error that names its fault, and goes no further. | callers can correct it | `edge/malformed` |
//! | A client is left without a response only where a fault touches it. | nothing is lost silently | `edge/lost` |
//! | A machine is told soon of every connection and every outage of its bus. | what it decides by | `edge/connection` |
//! | An answer is told before the farewell that followed it. | the answer counts | `edge/farewells` |
//! | A worker that stops is heard to leave. | nobody waits for it | `edge/parting` |
//! | A driver keeps an entry per caller and job, and nothing else. | memory of the drivers | `edge/held` |
//! | What a source says is what its worker's machine is told. | values and ages | `edge/sources` |
//! | A client's trace reaches the tasks, sources and results, and no other does. | traces | `edge/traces` |
//! | No program panics. | robustness | `edge/panics` |

mod cluster;
mod edge;
mod hosts;
mod machine;
#[cfg(test)]
mod testing;

use crate::Depth;
use crate::event::Event;
use crate::scenario::Scenario;
pub(crate) use edge::connections::is_one_too_many;
pub(crate) use edge::sources::said;

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

impl Checkers {
    pub(crate) fn new(context: &Context<'_>) -> Self {
        let mut all: Vec<(_, Box<dyn Checker + Send>)> = vec![
            ("bounds", Box::new(machine::bounds::new(context))),
            ("honest_range", Box::new(cluster::honest_range::new(context))),
            ("provenance", Box::new(cluster::provenance::new(context))),
            ("punctual", Box::new(cluster::punctual::new(context))),
            ("quiescence", Box::new(cluster::quiescence::new(context))),
            ("recovery", Box::new(cluster::recovery::new(context))),
            ("stale", Box::new(cluster::stale::new(context))),
            ("vanish", Box::new(cluster::vanish::new(context))),
            ("followed", Box::new(edge::followed::new(context))),
            ("held", Box::new(edge::held::new(context))),
            ("http", Box::new(edge::http::new(context))),
            ("wire", Box::new(edge::wire::new(context))),
        ];
        // What only real programs have: buses, HTTP servers, sources.
        if context.depth == Depth::Network {
            all.extend::<[(_, Box<dyn Checker + Send>); _]>([
                ("connection", Box::new(edge::connection::new(context))),
                ("connections", Box::new(edge::connections::new(context))),
                ("events", Box::new(edge::events::new(context))),
                ("farewells", Box::new(edge::farewells::new(context))),
                ("lost", Box::new(edge::lost::new(context))),
                ("malformed", Box::new(edge::malformed::new(context))),
                ("pages", Box::new(edge::pages::new(context))),
                ("panics", Box::new(edge::panics::new(context))),
                ("parting", Box::new(edge::parting::new(context))),
                ("rates", Box::new(edge::rates::new(context))),
                ("sources", Box::new(edge::sources::new(context))),
                ("traces", Box::new(edge::traces::new(context))),
            ]);
        }
        // The last: where another invariant is broken by the same event, that one is named.
        all.push(("conformance", Box::new(machine::conformance::new(context))));
        Self(all)
    }

    /// Shows an event to every checker; the first that objects is heard.
    pub(crate) fn event(&mut self, event: &Event<'_>) -> Result<(), Violation> {
        for (checker, judge) in &mut self.0 {
            judge.event(event).map_err(|text| Violation { checker, at: event.at, text })?;
        }
        Ok(())
    }
}
