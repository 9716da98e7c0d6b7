//! The invariants, which hold whatever goes wrong: one module each, in four tiers.
//!
//! A checker sees every event of a run and reports when its invariant is broken. Safety is judged during the run.
//! Liveness is judged once the faults have healed, some of it only at [`What::Ended`](crate::event::What::Ended).
//!
//! | invariant | why it matters | module |
//! |---|---|---|
//! | Each machine does exactly what an independent model of it does. | every rule of the product, stated a second time | `machine/conformance` |
//! | Nothing a machine keeps grows beyond its bound. | hostile hosts cannot exhaust its memory | `machine/bounds` |
//! | Every observation was sent in its worker's name and accepted, and none is left out. | evidence can be trusted | `cluster/provenance` |
//! | No sequence of requests lowers the score of a worker that behaves as it always did. | callers cannot discredit workers | `cluster/blame` |
//! | A worker that is heard is not suspect, and an answer without suspects would be accepted without them. | a dead worker costs little, and nothing else | `cluster/suspicion` |
//! | An answer says when it was given, and when its values were observed. | followers know when a value was true | `cluster/dated` |
//! | A minority of liars cannot move the answer out of the honest range. | the promise of each strategy | `cluster/honest_range` |
//! | Once the faults have healed, every request is answered with every worker that runs. | an outage ends | `cluster/recovery` |
//! | At the end nothing is in flight, and every process that was told to stop has stopped. | nothing is forgotten | `cluster/quiescence` |
//! | A machine is woken when it asked to be, and its outputs are carried out in that pass. | deadlines | `cluster/punctual` |
//! | Nothing from before an outage is received after it, and nothing more often than it was sent. | no stale answers | `cluster/stale` |
//! | A coordinator stops working for a client that has gone away. | no wasted work | `cluster/vanish` |
//! | A driver sends what its machine puts out and passes on what its host receives: all, once, in order. | the wire | `edge/wire` |
//! | A response says what the machine answered. | the API | `edge/http` |
//! | Followers receive each outcome once, before the request's callers, and the same one. | outcomes on the bus | `edge/followed` |
//! | A reader of `/events` receives all events in order, or the number that it missed. | the stream of events | `edge/events` |
//! | A page is at most 400 ms out of date, and no counter decreases. | dashboards and alerts | `edge/pages` |
//! | A client gets its rate, and no more. | one client cannot starve another | `edge/rates` |
//! | A client never has more questions in flight than it may have connections. | the same, for sockets | `edge/connections` |
//! | A malformed request gets the error that names its fault, and goes no further. | callers can correct it | `edge/malformed` |
//! | A client is left without a response only if a fault touches it. | nothing is lost silently | `edge/lost` |
//! | A machine learns of every connection and outage of its bus within 5 ms. | its decisions depend on it | `edge/connection` |
//! | A machine receives a worker's answer before the farewell that followed it. | the answer counts | `edge/farewells` |
//! | Every coordinator hears the farewell of a worker that stops. | no request waits for it | `edge/parting` |
//! | A driver keeps an entry per caller and job, and nothing else. | drivers do not leak memory | `edge/held` |
//! | A worker's machine receives exactly what its source said. | values and ages | `edge/sources` |
//! | A client's trace reaches the tasks, sources and results of its request, and no other trace does. | traces | `edge/traces` |
//! | No program panics. | robustness | `edge/panics` |
//! | Records count up by one and name the one before, unless the store has lost that. | a history without holes | `store/chain` |
//! | Whatever is served or published is stored. | never two values for one round | `store/shown` |
//! | A report has a right to be one, and says what the workers answered. | the decision | `store/right` |
//! | An answer that has moved is recorded at once, if nothing is wrong. | deviations are not missed | `store/moved` |
//! | Something is recorded within the heartbeat, and the time that a takeover takes. | freshness | `store/prompt` |
//! | If nothing is wrong, one coordinator drives a feed. | no work is done twice | `store/alone` |
//! | In the end every coordinator serves the newest record and report. | readers anywhere | `store/fresh` |
//! | An accepted durable request has exactly one outcome, and everybody is told that one. | durability | `store/outcomes` |

mod cluster;
mod edge;
mod hosts;
mod machine;
mod store;
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
    /// The scenario that is played.
    pub scenario: &'a Scenario,
    /// The stage that plays it.
    pub depth: Depth,
}

/// One invariant.
pub(crate) trait Checker {
    /// Judges one event in the light of all earlier ones.
    ///
    /// # Errors
    /// A description of how the invariant is broken.
    fn event(&mut self, event: &Event<'_>) -> Result<(), String>;
}

/// A broken invariant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Violation {
    /// The name of the checker: its module.
    pub checker: &'static str,
    /// The time, in nanoseconds since the run began.
    pub at: u64,
    /// How the invariant is broken.
    pub text: String,
}

/// All checkers, with their names.
pub(crate) struct Checkers(Vec<(&'static str, Box<dyn Checker + Send>)>);

impl Checkers {
    pub(crate) fn new(context: &Context<'_>) -> Self {
        if context.depth == Depth::Store {
            return Self(vec![
                ("panics", Box::new(edge::panics::new(context))),
                ("chain", Box::new(store::chain::new(context))),
                ("shown", Box::new(store::shown::new(context))),
                ("right", Box::new(store::right::new(context))),
                ("alone", Box::new(store::alone::new(context))),
                ("moved", Box::new(store::moved::new(context))),
                ("outcomes", Box::new(store::outcomes::new(context))),
                ("prompt", Box::new(store::prompt::new(context))),
                ("fresh", Box::new(store::fresh::new(context))),
            ]);
        }
        let mut all: Vec<(_, Box<dyn Checker + Send>)> = vec![
            ("bounds", Box::new(machine::bounds::new(context))),
            ("blame", Box::new(cluster::blame::new(context))),
            ("dated", Box::new(cluster::dated::new(context))),
            ("honest_range", Box::new(cluster::honest_range::new(context))),
            ("provenance", Box::new(cluster::provenance::new(context))),
            ("punctual", Box::new(cluster::punctual::new(context))),
            ("quiescence", Box::new(cluster::quiescence::new(context))),
            ("recovery", Box::new(cluster::recovery::new(context))),
            ("stale", Box::new(cluster::stale::new(context))),
            ("suspicion", Box::new(cluster::suspicion::new(context))),
            ("vanish", Box::new(cluster::vanish::new(context))),
            ("followed", Box::new(edge::followed::new(context))),
            ("held", Box::new(edge::held::new(context))),
            ("http", Box::new(edge::http::new(context))),
            ("wire", Box::new(edge::wire::new(context))),
        ];
        // Only the stage with a network runs the programs of production, which these invariants are about.
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
        // Last, so that a more specific invariant that the same event breaks is the one reported.
        all.push(("conformance", Box::new(machine::conformance::new(context))));
        Self(all)
    }

    /// Shows an event to the checkers, up to the first that objects.
    pub(crate) fn event(&mut self, event: &Event<'_>) -> Result<(), Violation> {
        for (checker, judge) in &mut self.0 {
            judge.event(event).map_err(|text| Violation { checker, at: event.at, text })?;
        }
        Ok(())
    }
}
